"""``python -m gan_cli.gpu_check``: whether training on a GPU is right, and how fast it is."""

import sys

from gan_cli.cli import enter
from gan_cli.commands.bench.gpu_check.command import main

if __name__ == "__main__":
    enter(lambda: sys.exit(main()), "gan_cli.gpu_check")
