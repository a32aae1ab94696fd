"""``python -m gan_cli.gpu_check``: whether training on a GPU is right, and how fast it is."""

from gan_cli.commands.bench.gpu_check.__main__ import main

if __name__ == "__main__":
    raise SystemExit(main())
