"""``python -m gan_cli.bench.processes``: two processes with a core each against one with two threads."""

import sys

from gan_cli.cli import enter
from gan_cli.commands.bench.processes import typed

if __name__ == "__main__":
    enter(lambda: typed(sys.argv[1:]), "gan_cli.bench.processes")
