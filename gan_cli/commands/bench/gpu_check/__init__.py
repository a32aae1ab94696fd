"""Whether training on a GPU is right, and how fast it is: ``python -m gan_cli.gpu_check``."""
