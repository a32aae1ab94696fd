"""Lengths of signals, as networks need that double or halve them. Torch-free."""

from __future__ import annotations

from gan_cli.config.options import Chosen
from gan_cli.data.number_schemas import SignalOptions
from gan_cli.data.schemas import ImageOptions, NoPictures

SMALLEST, LARGEST = 4, 15  # values at the start


def halvings(length: int) -> tuple[int, int]:
    """The start of a length, and how often it is doubled: 96 = 6 · 2⁴."""
    start, stages = length, 0
    while start % 2 == 0 and start // 2 >= SMALLEST:
        start, stages = start // 2, stages + 1
    return start, stages


def fits(length: int) -> bool:
    """Whether a length is a small start that is doubled once or more."""
    start, stages = halvings(length)
    return start <= LARGEST and stages > 0


def nearest(length: int) -> int:
    """The largest length that fits and is not longer."""
    return next((n for n in range(length, 2 * SMALLEST - 1, -1) if fits(n)), 2 * SMALLEST)


def require_length(shape: tuple[int, ...]) -> None:
    """Raises ValueError for other shapes than (C, L) with a length that fits."""
    if len(shape) != 2:
        raise ValueError(
            "makes signals, and these samples are none: use architecture=dcgan for pictures, mlp for points"
        )
    if not fits(shape[1]):
        raise ValueError(
            f"signals of {shape[1]} values: needs {SMALLEST} to {LARGEST} values doubled once or more, such as "
            f"{nearest(shape[1])}"
        )


def not_signals(architecture: str, chosen: Chosen) -> list[str]:
    """A line if the dataset of a config holds no signals, or such of a length that cannot be made."""
    dataset = chosen.one("dataset")
    if isinstance(dataset, SignalOptions):
        if fits(dataset.length):
            return []
        return [
            f"dataset.length={dataset.length}: architecture={architecture} needs {SMALLEST} to {LARGEST} values "
            f"doubled once or more, such as dataset.length={nearest(dataset.length)}"
        ]
    if isinstance(dataset, NoPictures):
        return [
            f"architecture={architecture}: makes signals, but dataset={dataset.name} holds {dataset.holds}: use mlp"
        ]
    if isinstance(dataset, ImageOptions):
        return [f"architecture={architecture}: makes signals, but dataset={dataset.name} holds pictures: use dcgan"]
    return []
