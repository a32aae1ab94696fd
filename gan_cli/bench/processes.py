"""``python -m gan_cli.bench.processes``: two processes with a core each against one with two threads."""

import sys

from gan_cli.commands.bench.processes import main

if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
