"""What a run does besides training, and what it leaves."""
