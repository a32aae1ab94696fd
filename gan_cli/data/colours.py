"""Colours by name, by hexadecimal number, or by their grey. Torch-free."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Annotated, Any

from pydantic import BeforeValidator

Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)
SIX_DIGITS = re.compile("[0-9a-fA-F]{6}")  # Hydra reads no #


def colour_of(value: object) -> Colour:
    """Red, green and blue of a colour as it is typed.

    Raises:
        ValueError: if it is none.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255:
        return value, value, value
    if value == "white":
        return WHITE
    if isinstance(value, str):
        from PIL import ImageColor

        with suppress(ValueError):
            found = ImageColor.getrgb(f"#{value}" if SIX_DIGITS.fullmatch(value) else value)
            if len(found) == 3:  # else it is transparent itself
                return found
    raise ValueError("must be a colour: a name such as black, six digits such as ff8800, or a grey from 0 to 255")


def _colour(value: object) -> object:
    colour_of(value)
    return value


ColourName = Annotated[Any, BeforeValidator(_colour)]  # str or int, as typed


def grey_of(colour: Colour) -> int:
    """Its grey, as Pillow rounds it."""
    red, green, blue = colour
    return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
