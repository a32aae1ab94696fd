"""``gan-bench``: how fast the training step is, beside what the machine can do and beside other programs."""
