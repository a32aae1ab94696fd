"""``python -m gan_cli.gpu_check``: whether training on a GPU is right, and how fast it is."""

import sys

from gan_cli.cli import _enter
from gan_cli.commands.bench.gpu_check.__main__ import main

if __name__ == "__main__":
    _enter(lambda: sys.exit(main()), "gan_cli.gpu_check")
