"""Metrics of the samples. Each is one class, found by its name in ``conf/metrics/``."""
