"""Square pictures whose side is a power of two, as networks need that double or halve it. Torch-free."""

from __future__ import annotations

from gan_cli.config.options import Chosen
from gan_cli.data.schemas import ImageOptions, PointOptions


def is_side(number: int, smallest: int, largest: int) -> bool:
    """Whether a number is a power of two within these limits."""
    return number & (number - 1) == 0 and smallest <= number <= largest


def require_squares(shape: tuple[int, ...], smallest: int, largest: int) -> None:
    """Raises ValueError for other shapes than (C, S, S), S a power of two within these limits."""
    if len(shape) != 3:
        raise ValueError(f"makes pictures, and these samples are points of {shape[0]} numbers: use architecture=mlp")
    height, width = shape[1:]
    if height != width or not is_side(height, smallest, largest):
        raise ValueError(
            f"pictures of {height} × {width}: needs squares whose side is a power of two from {smallest} to {largest}: "
            "use architecture=mlp, or resize them"
        )


def not_squares(architecture: str, chosen: Chosen, smallest: int, largest: int) -> list[str]:
    """A line if the dataset of a config holds points, or pictures of a size that an architecture cannot make."""
    dataset = chosen.one("dataset")
    if isinstance(dataset, PointOptions):
        return [
            f"architecture={architecture}: makes pictures, but dataset={dataset.name} holds points: "
            "use architecture=mlp"
        ]
    if not isinstance(dataset, ImageOptions) or is_side(dataset.size, smallest, largest):
        return []
    nearest = min(largest, max(smallest, 1 << (dataset.size - 1).bit_length()))
    return [
        f"dataset.size={dataset.size}: architecture={architecture} needs a power of two from {smallest} to {largest}, "
        f"such as dataset.size={nearest}"
    ]
