"""``gan-sample``: pictures from a trained generator, by seed; ways between them; and the generator for other programs.

``keys`` and ``grammar`` are torch-free, so that a mistaken command is refused at once.
"""
