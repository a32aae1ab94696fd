"""The screen, pictures, and files that are replaced whole."""
