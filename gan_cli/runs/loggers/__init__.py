"""Loggers for other programs. Each needs a package of its own, which is imported only if it is chosen."""
