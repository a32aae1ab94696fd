"""Everything that a run does besides training: its folder, checkpoints, log, samples and status."""
