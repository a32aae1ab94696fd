"""``gan-sample``: pictures of a trained generator by seed, interpolations, and the generator for other programs.

``keys`` and ``grammar`` are torch-free, so that a mistaken command is refused at once.
"""
