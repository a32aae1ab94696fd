"""How pictures were decoded at first: runs that began so go on so (``dataset.rules=1``)."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

from gan_cli.data.opening import ROOM


def decoded_at_first(image: Image.Image, size: int, channels: int) -> np.ndarray:
    """uint8 (size, size, channels); values of deep pictures are divided by 257 if one of them is above 255.

    Raises:
        OSError: if the file is damaged.
    """
    if image.format == "JPEG":
        image.draft("RGB" if channels == 3 else "L", (2 * size, 2 * size))
    with ROOM.of(image):
        return _decoded(image, size, channels)


def _decoded(image: Image.Image, size: int, channels: int) -> np.ndarray:
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "F"):
        deep = np.asarray(image, np.float64)
        image = Image.fromarray((deep / (257.0 if deep.max() > 255 else 1.0)).round().clip(0, 255).astype(np.uint8))
    elif "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB" if channels == 3 else "L")
    image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    return np.asarray(image).reshape(size, size, channels)
