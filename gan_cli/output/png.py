"""Reads back the pictures that this program writes, whoever has put others in their place."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

PIXELS = 150_000_000


def read_png(path: Path, most: int = 2**28) -> Image.Image:
    """A PNG file, decoded; no other decoder is asked, whatever the file is called.

    Args:
        most: bytes of the file.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no PNG, damaged, or so large that it is none of ours.
    """
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"has more than {most:,} bytes")
    try:
        image = Image.open(io.BytesIO(content), formats=("PNG",))
        if image.width * image.height > PIXELS:
            raise ValueError(f"has {image.width} × {image.height} pixels")
        image.load()
    except Exception as error:  # whatever the decoder raises, and what it warns of
        raise ValueError(f"is no PNG that can be read ({type(error).__name__})") from error
    return image
