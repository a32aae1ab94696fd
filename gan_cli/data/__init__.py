"""Datasets. Each is a set of options with a ``shape`` and a ``load()`` that returns its ``Samples``.

``classes`` is the number of labels, 0 if there are none; the others are told by the samples themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_cli.data.samples import Samples

__all__ = ["Samples"]


def __getattr__(name: str) -> Any:
    """Imports torch only for those who want samples: what may be typed is checked without."""
    if name == "Samples":
        from gan_cli.data.samples import Samples

        return Samples
    raise AttributeError(f"module 'gan_cli.data' has no attribute '{name}'")
