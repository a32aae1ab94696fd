"""Train generative adversarial networks: one command, readable YAML, exact resume, honest numbers."""

from __future__ import annotations

import os
import sys

if sys.argv[:1] == ["-m"] and sys.path[0] == os.getcwd():  # noqa: PTH109 - pathlib itself may be hidden
    sys.path.append(sys.path.pop(0))  # `python -m` puts the current folder first: a random.py there hides Python's own

from typing import TYPE_CHECKING

from gan_cli.version import __version__

if TYPE_CHECKING:
    from gan_cli.games.sampler import Sampler
    from gan_cli.python import Run, compose, evaluate, train
    from gan_cli.runs.loading import load

__all__ = ["Run", "Sampler", "__version__", "compose", "evaluate", "load", "losses", "train"]


def __getattr__(name: str) -> object:
    """Imports what needs torch only when it is used: the command line must answer in a moment."""
    from importlib import import_module

    if name == "losses":
        return import_module("gan_cli.losses")
    if name == "load":
        return import_module("gan_cli.runs.loading").load
    if name in ("Run", "compose", "evaluate", "train"):
        return import_module("gan_cli.python").__dict__[name]
    if name == "Sampler":
        return import_module("gan_cli.games.sampler").Sampler
    raise AttributeError(f"module 'gan_cli' has no attribute '{name}'")
