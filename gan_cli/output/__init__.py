"""The screen, pictures, and files that are never half written."""
