"""What each of the five commands does."""
