"""Sizes of pictures: a number for squares, or ``[height, width]``. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator

SMALLEST, LARGEST = 4, 1024
Size = int | Sequence[int]


def sides_of(size: Size) -> tuple[int, int]:
    """Height and width."""
    if isinstance(size, int):
        return size, size
    height, width = size
    return height, width


def size_of(height: int, width: int) -> str:
    """As it is typed: ``64``, ``[64,96]``."""
    return str(height) if height == width else f"[{height},{width}]"


def _picture_size(value: object) -> object:
    """A number, or two that differ; squares have one form, so that one config is one config."""
    sides = [value] if not isinstance(value, list | tuple) else list(value)
    whole = [int(side) for side in sides if type(side) is int or (isinstance(side, float) and side.is_integer())]
    if len(whole) != len(sides) or len(whole) not in (1, 2):
        raise ValueError("must be a number of pixels, or [height,width], such as [64,96]")
    for side in whole:
        if not SMALLEST <= side <= LARGEST:
            raise ValueError(f"must be at {f'least {SMALLEST}' if side < SMALLEST else f'most {LARGEST}'}")
    return whole[0] if len(set(whole)) == 1 else whole


def _size_if_any(value: object) -> object:
    return None if value is None else _picture_size(value)


PictureSize = Annotated[Any, BeforeValidator(_picture_size)]  # int, or list of two int
SizeIfAny = Annotated[Any, BeforeValidator(_size_if_any)]  # that, or None
