"""Observers of a run. Each is called once per step with the statistics of its moves, and cannot change the training."""
