"""``python -m gan_cli.bench.ensemble``: how much faster many seeds are together than one after another."""

import sys

from gan_cli.cli import enter
from gan_cli.commands.bench.ensemble import main

if __name__ == "__main__":
    enter(lambda: main(sys.argv[1:]), "gan_cli.bench.ensemble")
