"""Pictures of a small start that is doubled again and again, as networks need that double or halve them. Torch-free."""

from __future__ import annotations

from typing import NamedTuple

from gan_cli.config.options import Chosen
from gan_cli.data.schemas import ImageOptions, NoPictures
from gan_cli.data.sizes import sides_of, size_of

SHORT, LONG = (4, 7), 16  # the shorter side of a start, from and to, and the longer one at most
NEAR = 0.25  # a change of the sides by so much


class Doubling(NamedTuple):
    """A start and how often it is doubled: 64 × 64 is 4 × 4, and 64 × 96 is 4 × 6, doubled four times."""

    height: int
    width: int
    times: int

    @property
    def pixels(self) -> int:
        """Pixels of the start."""
        return self.height * self.width

    @property
    def side(self) -> int:
        """The side of the square that is doubled as often from 4 × 4, which widths of layers go by."""
        return 4 * 2**self.times

    def at(self, side: int) -> tuple[int, int]:
        """Height and width where that square has this side."""
        return self.height * side // 4, self.width * side // 4


def doubling_of(height: int, width: int) -> Doubling:
    """The smallest start with no side below 4."""
    times = 0
    while height % 2 == width % 2 == 0 and min(height, width) >= 2 * SHORT[0]:
        height, width, times = height // 2, width // 2, times + 1
    return Doubling(height, width, times)


def is_side(number: int, smallest: int, largest: int) -> bool:
    """Whether a number is a power of two within these limits."""
    return number & (number - 1) == 0 and smallest <= number <= largest


def can_double(height: int, width: int, smallest: int, largest: int) -> bool:
    """Whether pictures are a small start doubled: both sides within these limits."""
    start = sorted(doubling_of(height, width)[:2])
    return (
        SHORT[0] <= start[0] <= SHORT[1]
        and start[1] <= LONG
        and smallest <= min(height, width, largest + 1) <= max(height, width) <= largest
    )


def nearest(height: int, width: int, smallest: int, largest: int) -> tuple[int, int]:
    """Height and width that can be doubled: of those that are near to these, the ones with the smallest start."""
    found = []
    for times in range(largest.bit_length()):
        start = [max(SHORT[0], round(side / 2**times)) for side in (height, width)]
        short = start.index(min(start))
        start[short], start[1 - short] = min(start[short], SHORT[1]), min(start[1 - short], LONG)
        sides = (start[0] * 2**times, start[1] * 2**times)
        if can_double(*sides, smallest, largest):
            found.append(sides)

    def misfit(sides: tuple[int, int]) -> tuple[float, int]:
        change = max(abs(sides[0] - height) / height, abs(sides[1] - width) / width)
        return change if change > NEAR else 0.0, doubling_of(*sides).pixels

    return min(found, key=misfit)


def require_doubling(shape: tuple[int, ...], smallest: int, largest: int) -> Doubling:
    """The start of pictures (C, H, W). Raises ValueError for other samples, and for sides that are none doubled."""
    if len(shape) == 2:
        raise ValueError("makes pictures, and these samples are signals: use architecture=dcgan1d")
    if len(shape) != 3:
        raise ValueError(f"makes pictures, and these samples are points of {shape[0]} numbers: use architecture=mlp")
    height, width = shape[1:]
    if not can_double(height, width, smallest, largest):
        instead = nearest(height, width, smallest, largest)
        raise ValueError(
            f"pictures of {height} × {width}: needs {wanted(smallest, largest)}, such as {instead[0]} × {instead[1]}: "
            "use architecture=mlp, or resize them"
        )
    return doubling_of(height, width)


def not_doubled(architecture: str, chosen: Chosen, smallest: int, largest: int) -> list[str]:
    """A line if the dataset of a config holds points, or pictures of a size that an architecture cannot make."""
    dataset = chosen.one("dataset")
    if isinstance(dataset, NoPictures):
        return [
            f"architecture={architecture}: makes pictures, but dataset={dataset.name} holds {dataset.holds}: "
            f"use architecture={dataset.fitting}"
        ]
    if not isinstance(dataset, ImageOptions) or can_double(*(sides := sides_of(dataset.size)), smallest, largest):
        return []
    return [
        f"dataset.size={dataset.shown_size}: architecture={architecture} needs {wanted(smallest, largest)}, "
        f"such as dataset.size={size_of(*nearest(*sides, smallest, largest))}"
    ]


def wanted(smallest: int, largest: int) -> str:
    """What sides must be, in words."""
    return f"sides of 4 to 7, the longer up to {LONG}, doubled as often, from {smallest} to {largest}"
