"""``python -m gan_cli.bench.imports``: pictures a second of an import, beside torchvision's ``ImageFolder``."""

import sys

from gan_cli.cli import enter
from gan_cli.commands.bench.imports import main

if __name__ == "__main__":
    enter(lambda: main(sys.argv[1:]), "gan_cli.bench.imports")
