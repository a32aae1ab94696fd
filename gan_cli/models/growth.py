"""When networks grow, and how far they have grown: a function of the images seen (Karras et al. 2018, section 2).

Torch-free.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Stage(NamedTuple):
    """How far networks have grown.

    Attributes:
        resolution: of the pictures that they make and judge, 4, 8, …: their side, if they begin as 4 × 4.
        alpha: the share of the newest layers while they fade in, between 0 and 1; None: they count in full.
    """

    resolution: int
    alpha: float | Tensor | None = None


@dataclass(frozen=True)
class Growth:
    """Each resolution is trained for ``train_images``, then the layers of the next fade in over ``fade_images``.

    Attributes:
        start: the first resolution.
        size: the largest, which the networks are built for.
        train_images, fade_images: real images seen.
        until: the largest that growth goes to, by the images from which on; None: ``size``. What waits for a larger one
            begins to fade in as soon as it may.
        resets: whether optimizers start afresh with each phase.
        small: height and width of pictures at resolution 4, which they are a multiple of at all.
    """

    start: int
    size: int
    train_images: int
    fade_images: int
    until: Mapping[int, int | None] | None = None
    resets: bool = True
    small: tuple[int, int] = (4, 4)

    def sides(self, resolution: int) -> tuple[int, int]:
        """Height and width of pictures at a resolution."""
        return self.small[0] * resolution // 4, self.small[1] * resolution // 4

    def at(self, images: int) -> Stage:
        """The stage after so many real images."""
        resolution = self.start
        for following, begin in self.fades():
            shown = images - begin
            if shown < 0 or (shown == 0 and self.fade_images):
                break
            if shown < self.fade_images:
                return Stage(following, shown / self.fade_images)
            resolution = following
        return Stage(resolution)

    def fades(self) -> list[tuple[int, int]]:
        """The resolutions that are grown to, and after how many images their layers begin to fade in."""
        found, resolution, ready = [], self.start, self.train_images
        while resolution < self.size and (begin := self._allowed(2 * resolution, ready)) is not None:
            resolution *= 2
            found.append((resolution, begin))
            ready = begin + self.fade_images + self.train_images
        return found

    def _allowed(self, resolution: int, ready: int) -> int | None:
        """The first moment from ``ready`` on at which growth may go to a resolution; None if there is none."""
        limits = sorted((self.until or {0: None}).items())
        ends = [*(at for at, _ in limits[1:]), math.inf]
        for (begin, limit), end in zip(limits, ends, strict=True):
            if (limit is None or resolution <= limit) and ready < end:
                return max(ready, begin)
        return None

    @property
    def end(self) -> Stage:
        """The last stage."""
        return Stage(max([self.start, *(resolution for resolution, _ in self.fades())]))

    def told(self, images: int) -> str:
        """The phase after so many images, in words."""
        resolution, alpha = self.at(images)
        fading = "" if alpha is None else f", which fades in over {self.fade_images:,}"
        height, width = self.sides(resolution)
        return f"after {images:,} images: {height} × {width}{fading}"

    def phase(self, images: int) -> tuple[int, bool]:
        """What differs from phase to phase: the resolution, and whether its layers fade in."""
        resolution, alpha = self.at(images)
        return resolution, alpha is not None
