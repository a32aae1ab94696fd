"""Searches: which values to try next, and which runs to end early. Torch-free."""
