"""Many seeds of one small game as one batched computation."""
