"""Train generative adversarial networks: one command, readable YAML, exact resume, honest numbers."""

from __future__ import annotations

import os
import sys

if sys.argv[:1] == ["-m"] and sys.path[0] == os.getcwd():  # noqa: PTH109 - pathlib itself may be hidden
    sys.path.append(sys.path.pop(0))  # `python -m` puts the current folder first: a random.py there hides Python's own

from typing import TYPE_CHECKING

from gan_cli.version import __version__

if TYPE_CHECKING:
    from gan_cli.models.sampler import Sampler
    from gan_cli.runs.loading import load

__all__ = ["Sampler", "__version__", "load", "losses"]


def __getattr__(name: str) -> object:
    """Imports what needs torch only when it is used: the command line must answer in a moment."""
    from importlib import import_module

    if name == "losses":
        return import_module("gan_cli.losses")
    if name == "load":
        return import_module("gan_cli.runs.loading").load
    if name == "Sampler":
        return import_module("gan_cli.models.sampler").Sampler
    raise AttributeError(f"module 'gan_cli' has no attribute '{name}'")
