"""The flags of the commands that have no config."""

from __future__ import annotations

import argparse
from typing import NoReturn

from gan_cli.errors import UserError


class Parser(argparse.ArgumentParser):
    """A parser whose mistakes are lines like those of ``gan-train``."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message.removeprefix('argument ')}: {self.prog} --help")
