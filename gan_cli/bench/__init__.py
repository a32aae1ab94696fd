"""The names under which benchmarks were first documented: ``python -m gan_cli.bench.ensemble``, ``….processes``."""
