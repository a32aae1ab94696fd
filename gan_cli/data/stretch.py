"""A part of an import. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gan_cli.data.contents import Repeated, Unreadable

Extents = dict[str, tuple[float, float]]  # lowest and highest value, by mode


@dataclass(frozen=True)
class Stretch:
    """What became of the items of a source from ``first`` on, before ``end``.

    Attributes:
        rows: those that are kept, in order: (K, H, W, C), uint8, or float32 at full depth.
        met: lowest and highest values of pictures deeper than 8 bits, by mode.
        moving: how many have several frames; ``cut_short``: how many are deeper than what is read of them.
    """

    first: int
    end: int
    rows: np.ndarray
    unreadable: list[Unreadable] = field(default_factory=list)
    repeated: list[Repeated] = field(default_factory=list)
    met: Extents = field(default_factory=dict)
    moving: int = 0
    cut_short: int = 0

    def bytes(self) -> memoryview:
        """The rows as they are stored."""
        return np.ascontiguousarray(self.rows).reshape(-1).view(np.uint8).data

    def kept(self) -> list[int]:
        """The positions of the rows."""
        gone = {entry.index for entry in self.unreadable} | {entry.index for entry in self.repeated}
        return [index for index in range(self.first, self.end) if index not in gone]
