"""One picture file of any kind, to bytes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import PIL
from PIL import Image, ImageCms, ImageOps

from gan_cli.data.opening import ROOM

Range = tuple[float, float]  # the values that are black and white
SIXTEEN = (0.0, 65535.0)
USUAL: dict[str, tuple[Range, ...]] = {  # of modes that say nothing about their values, in the order they are tried
    "F": ((0, 1), (-1, 1), (0, 255), SIXTEEN),
    "I": ((0, 255), SIXTEEN),
}
ROWS = 64
BITS_PER_SAMPLE, ORIENTATION = 258, 274  # tags of TIFF and EXIF
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Unranged(Exception):
    """A picture whose mode does not say which values are black and white: all such pictures together must tell."""


@dataclass(frozen=True)
class Decoded:
    """``pixels``: uint8 (size, size, channels).

    ``depth``: the mode, lowest and highest value of a picture deeper than 8 bits; ``frames``: whether it has more.
    """

    pixels: np.ndarray
    depth: tuple[str, float, float] | None = None
    frames: bool = False


def decoder() -> str:
    """What decodes pictures here, with its version: another may round differently."""
    heif = sys.modules.get("pillow_heif")
    return f"pillow-{PIL.__version__}" + (f"-heif-{heif.__version__}" if heif else "")


def decoded(image: Image.Image, size: int, channels: int, ranges: Mapping[str, Range]) -> Decoded:
    """The first frame of an opened picture: upright, over white where it is transparent, its centre square, resized.

    Args:
        ranges: which values are black and white, by mode, where it is not the mode that says it.

    Raises:
        Unranged: if neither says it.
        Exception: whatever the decoder raises for a damaged file.
    """
    frames = bool(getattr(image, "is_animated", False))
    if image.format == "JPEG":
        image.draft("RGB" if channels == 3 else "L", (2 * size, 2 * size))  # lets the decoder skip detail
    with ROOM.of(image):
        return _decoded(image, size, channels, ranges, frames)


def _decoded(image: Image.Image, size: int, channels: int, ranges: Mapping[str, Range], frames: bool) -> Decoded:
    deep, depth = is_deep(image), None
    low, high = black_and_white(image, ranges) if deep else (0, 255)
    image = upright(image)
    mode = "RGB" if channels == 3 else "L"
    if deep:
        depth, image = _grey(image, low, high)
    elif image.mode == "LAB":
        image = _lab_to_rgb().apply(image)
    elif "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        image = _over_white(image, mode)
    image = image if image.mode == mode else image.convert(mode)
    image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
    return Decoded(np.asarray(image).reshape(size, size, channels), depth, frames)


def _grey(image: Image.Image, low: float, high: float) -> tuple[tuple[str, float, float], Image.Image]:
    """Mode, lowest and highest value of a deep picture, and it in bytes: ``low`` is black, ``high`` is white."""
    grey, lowest, highest = np.empty(image.size[::-1], np.uint8), np.inf, -np.inf
    clear = image.info.get("transparency")
    for rows, values in numbers(image):
        lowest, highest = min(lowest, values.min()), max(highest, values.max())
        grey[rows] = ((values - low) / ((high - low) / 255)).round().clip(0, 255).astype(np.uint8)
        if clear is not None:
            grey[rows][values == clear] = 255
    return (kind(image), float(lowest), float(highest)), Image.fromarray(grey)


def _over_white(image: Image.Image, mode: str) -> Image.Image:
    """A picture that may be transparent, in ``mode``."""
    flat = Image.new(mode, image.size)
    for box in bands(image):
        band = image.crop(box)
        band = (band.convert("LA") if image.mode == "La" else band).convert("RGBA")
        flat.paste(Image.alpha_composite(Image.new("RGBA", band.size, "white"), band).convert(mode), box)
    return flat


def bands(image: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    """Boxes of a few rows each: what is done with one at a time needs no memory for all."""
    for top in range(0, image.height, ROWS):
        yield 0, top, image.width, min(top + ROWS, image.height)


def _lab_to_rgb() -> ImageCms.ImageCmsTransform:
    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(lab, rgb, "LAB", "RGB")


def upright(image: Image.Image) -> Image.Image:
    """The picture as it was held; a damaged note of the camera takes nothing from it."""
    image.load()  # some formats are turned by it, or have their note after the pixels
    try:
        turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # what such a note says can be anything
        turn = None
    return image if turn is None else image.transpose(turn)


def is_deep(image: Image.Image) -> bool:
    """Whether its values are more than bytes: one channel of 16 or 32 bits."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def kind(image: Image.Image) -> str:
    """``I;16``, ``I`` or ``F``: the mode without the order of its bytes."""
    return "I;16" if image.mode.startswith("I;16") else image.mode


def known_range(image: Image.Image) -> Range | None:
    """Black and white, where the mode or the format says it: 0 to 65535 of 16 bits, 0 to 4095 of 12."""
    tags = getattr(image, "tag_v2", {})
    if kind(image) == "I;16":
        return (0.0, 4095.0) if tags.get(BITS_PER_SAMPLE) == (12,) else SIXTEEN
    return SIXTEEN if image.mode == "I" and image.format in ("PNG", "PPM") else None  # 16 bits, widened by Pillow


def black_and_white(image: Image.Image, ranges: Mapping[str, Range]) -> Range:
    """What was found for the mode, or what the mode says.

    Raises:
        Unranged: if there is neither.
    """
    if found := ranges.get(kind(image)) or known_range(image):
        return found
    raise Unranged(kind(image))


def numbers(image: Image.Image) -> Iterator[tuple[slice, np.ndarray]]:
    """Its values, float64 (rows, W), some rows at a time.

    Raises:
        ValueError: if some are not numbers.
    """
    for box in bands(image):
        values = np.asarray(image.crop(box), np.float64)
        if not np.isfinite(values).all():
            raise ValueError("holds values that are not finite")
        yield slice(box[1], box[3]), values


def extent(open_picture: Callable[[], Image.Image]) -> tuple[str, float, float] | None:
    """Mode, lowest and highest value of a picture whose mode does not say what is black and white; else None."""
    try:
        with open_picture() as image:
            if not is_deep(image) or known_range(image):
                return None
            with ROOM.of(image):
                ends = [(values.min(), values.max()) for _, values in numbers(image)]
            return kind(image), float(min(low for low, _ in ends)), float(max(high for _, high in ends))
    except Exception:  # it is named among the unreadable when it is decoded
        return None


def usual_range(mode: str, low: float, high: float) -> Range:
    """The narrowest usual range that holds these values, give or take a hundredth; else they themselves."""
    for black, white in USUAL[mode]:
        if low >= black - 0.01 * (white - black) and high <= white + 0.01 * (white - black):
            return black, white
    return low, high if high > low else low + 1
