"""Several processes play one game."""
