"""Datasets. Each is a set of options with a ``shape`` and a ``load()`` that returns its ``Samples``.

``classes`` is the number of labels, 0 if there are none; the others are told by the samples themselves.
"""

from __future__ import annotations

from gan_cli.data.samples import Samples

__all__ = ["Samples"]
