"""What every picture of a dataset is brought to: its size, channels and depth, and how it is fitted. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gan_cli.data.colours import WHITE, Colour

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # of Pillow


class Place(NamedTuple):
    """Rows and columns of a picture."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class Canvas:
    """A size and what is done to fill it.

    Attributes:
        channels: 1 grey, 2 grey with alpha, 3 colour, 4 colour with alpha.
        fit: ``crop`` takes the largest middle of the canvas' shape, ``pad`` the whole picture and adds background,
            ``stretch`` the whole picture, out of proportion.
        background: what transparent pictures are laid over where alpha is not kept, and what is added around them.
        full_depth: float32 in [−1, 1] instead of bytes.
        detail: a JPEG is decoded to so many times the size at least, and then resized.
    """

    height: int
    width: int
    channels: int
    fit: str = "crop"
    background: Colour = WHITE
    full_depth: bool = False
    detail: int = 2

    @property
    def shape(self) -> tuple[int, int, int]:
        """As pictures are stored: (H, W, C)."""
        return self.height, self.width, self.channels

    @property
    def dtype(self) -> type[np.uint8] | type[np.float32]:
        return np.float32 if self.full_depth else np.uint8

    @property
    def nbytes(self) -> int:
        """Bytes of a picture."""
        return self.height * self.width * self.channels * np.dtype(self.dtype).itemsize

    @property
    def keeps_alpha(self) -> bool:
        return self.channels in (2, 4)

    @property
    def mode(self) -> str:
        return MODES[self.channels]

    def marks(self) -> list[Any]:
        """What tells its pictures from those of other canvases, in the name of a cache: as it was at first, and more
        only where there was no choice then.
        """
        first = [self.height if self.height == self.width else [self.height, self.width], self.channels]
        chosen = {"fit": self.fit, "background": list(self.background), "full_depth": self.full_depth}
        chosen["detail"] = self.detail
        usual = {"fit": "crop", "background": list(WHITE), "full_depth": False, "detail": 2}
        more = {key: value for key, value in chosen.items() if value != usual[key]}
        return [*first, more] if more else first

    def part(self, height: int, width: int) -> Place:
        """The part of a picture of this size that is shown, in whole pixels: all of it, or the middle by ``crop``."""
        if self.fit != "crop":
            return Place(0, 0, height, width)
        scale = min(height / self.height, width / self.width)
        tall, wide = (max(1, min(n, round(side * scale))) for n, side in ((height, self.height), (width, self.width)))
        return Place((height - tall) // 2, (width - wide) // 2, tall, wide)

    def place(self, height: int, width: int) -> Place:
        """Where on the canvas a picture of this size lies: everywhere, or in the middle by ``pad``."""
        if self.fit != "pad":
            return Place(0, 0, self.height, self.width)
        scale = min(self.height / height, self.width / width)
        tall, wide = max(1, round(height * scale)), max(1, round(width * scale))
        return Place((self.height - tall) // 2, (self.width - wide) // 2, tall, wide)
