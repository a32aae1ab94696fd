"""How good the samples are: each metric one class, found by its name in ``conf/metrics/``."""
