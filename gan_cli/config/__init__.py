"""What may be typed; nothing here imports torch."""
