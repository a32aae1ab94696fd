"""Datasets. Each is a set of options with a ``load()`` that returns its ``Samples``; see ``gan_cli.data.knows``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gan_cli.data.samples import Samples

__all__ = ["Samples"]


def __getattr__(name: str) -> object:
    """Imports ``Samples``, and with it torch, only when it is used: commands are checked without torch."""
    if name == "Samples":
        from gan_cli.data.samples import Samples

        return Samples
    raise AttributeError(f"module 'gan_cli.data' has no attribute '{name}'")
