"""Hydra 1.3 on Python 3.14, which checks help texts as they are added to a parser.

Hydra gives its parser an object that becomes text only when help is printed. There, argparse looks for ``%`` in it and
fails, whatever the command is.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock


class Parser(argparse.ArgumentParser):
    """A parser whose help texts are texts."""

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        if not isinstance(options.get("help", ""), str):
            options["help"] = "Shell completion: gan-train -sc install=bash (zsh, fish)"
        return super().add_argument(*names, **options)


@contextmanager
def texts_for_help() -> Iterator[None]:
    """In this context Hydra makes such a parser."""
    from hydra._internal import utils

    with mock.patch.object(utils, "argparse", SimpleNamespace(ArgumentParser=Parser)):
        yield
