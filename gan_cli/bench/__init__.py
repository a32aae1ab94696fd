"""Benchmarks that are started by name: ``python -m gan_cli.bench.ensemble``, ``….imports``, ``….processes``."""
