"""One picture file of any kind, to the bytes of a canvas."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import PIL
from PIL import Image, ImageCms, ImageOps

from gan_cli.data.canvas import Canvas
from gan_cli.data.colours import grey_of
from gan_cli.data.opening import HEIF_IN_NAMES, ROOM

Range = tuple[float, float]  # the values that are black and white
SIXTEEN, TWELVE = (0.0, 65535.0), (0.0, 4095.0)
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
    """``pixels``: (H, W, C), uint8, or float32 in [−1, 1].

    ``depth``: the mode, lowest and highest value of a picture deeper than 8 bits, but for 12, whose white the file
    says; ``frames``: whether it has more; ``cut_short``: whether it is deeper than what is read of it, though full
    depth is asked for.
    """

    pixels: np.ndarray
    depth: tuple[str, float, float] | None = None
    frames: bool = False
    cut_short: bool = False


def decoder() -> str:
    """What decodes pictures here, with its version: another may round differently."""
    return "-heif-".join([f"pillow-{PIL.__version__}", *HEIF_IN_NAMES])


def decoded(image: Image.Image, canvas: Canvas, ranges: Mapping[str, Range]) -> Decoded:
    """The first frame of an opened picture, upright, on the canvas: over its background unless that keeps alpha.

    Args:
        ranges: which values are black and white, by mode, where it is not the mode that says it.

    Raises:
        Unranged: if neither says it.
        Exception: whatever the decoder raises for a damaged file.
    """
    frames = bool(getattr(image, "is_animated", False))
    if image.format == "JPEG":
        opaque = "RGB" if canvas.channels > 2 else "L"
        image.draft(
            opaque, (canvas.detail * canvas.width, canvas.detail * canvas.height)
        )  # lets the decoder skip detail
    twelve = is_deep(image) and known_range(image) == TWELVE
    with ROOM.of(image):
        if canvas.full_depth:
            from gan_cli.data.deep import decoded_deep

            found = decoded_deep(image, canvas, black_and_white(image, ranges) if is_deep(image) else None, frames)
        else:
            found = _decoded(image, canvas, ranges, frames)
        return replace(found, depth=None) if twelve else found


def _decoded(image: Image.Image, canvas: Canvas, ranges: Mapping[str, Range], frames: bool) -> Decoded:
    deep, depth = is_deep(image), None
    low, high = black_and_white(image, ranges) if deep else (0, 255)
    image = upright(image)
    if deep:
        depth, image = _grey(image, low, high, canvas)
    elif image.mode == "LAB":
        image = lab_to_rgb().apply(image)
    elif is_transparent(image):
        image = straight(image) if canvas.keeps_alpha else _over(image, canvas)
    image = image if image.mode == canvas.mode else image.convert(canvas.mode)
    pixels = np.asarray(laid(image, canvas)).reshape(canvas.shape)
    return Decoded(pixels, depth, frames)


def laid(image: Image.Image, canvas: Canvas) -> Image.Image:
    """A picture in the canvas' mode, fitted: around it and, if alpha is kept, under nothing there is background."""
    image = fitted(image, canvas, canvas.mode, fill_of(canvas))
    if not canvas.keeps_alpha:
        return image
    under = Image.new(canvas.mode, image.size, fill_of(canvas))
    return Image.composite(image, under, image.getchannel("A").point(lambda alpha: 255 * (alpha > 0)))


def fitted(image: Image.Image, canvas: Canvas, mode: str, fill: float | tuple[int, ...]) -> Image.Image:
    """A picture, of the canvas' size, with ``fill`` around it."""
    size, how = (canvas.width, canvas.height), Image.Resampling.LANCZOS
    if canvas.fit == "crop":
        return ImageOps.fit(image, size, how)
    top, left, height, width = canvas.place(image.height, image.width)
    image = image.resize((width, height), how)
    if canvas.fit == "stretch":
        return image
    whole = Image.new(mode, size, fill)
    whole.paste(image, (left, top))
    return whole


def fill_of(canvas: Canvas) -> tuple[int, ...]:
    """The background as a pixel of the canvas; transparent, where alpha is kept."""
    colour = canvas.background if canvas.channels > 2 else (grey_of(canvas.background),)
    return (*colour, 0) if canvas.keeps_alpha else colour


def is_transparent(image: Image.Image) -> bool:
    """Whether it has alpha, or a colour that stands for nothing."""
    return "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info


def straight(image: Image.Image) -> Image.Image:
    """A picture with transparency as RGBA."""
    return (image.convert("LA") if image.mode == "La" else image).convert("RGBA")


def _grey(image: Image.Image, low: float, high: float, canvas: Canvas) -> tuple[tuple[str, float, float], Image.Image]:
    """Mode, lowest and highest value of a deep picture, and it in bytes: ``low`` is black, ``high`` is white."""
    grey, lowest, highest = np.empty(image.size[::-1], np.uint8), np.inf, -np.inf
    opaque = np.full(image.size[::-1], 255, np.uint8) if canvas.keeps_alpha else None
    clear = image.info.get("transparency")
    for rows, values in numbers(image):
        lowest, highest = min(lowest, values.min()), max(highest, values.max())
        grey[rows] = ((values - low) / ((high - low) / 255)).round().clip(0, 255).astype(np.uint8)
        if clear is not None:
            grey[rows][values == clear] = grey_of(canvas.background)
            if opaque is not None:
                opaque[rows][values == clear] = 0
    found = Image.fromarray(grey)
    if opaque is not None:
        found = Image.merge("LA", (found, Image.fromarray(opaque)))
    return (kind(image), float(lowest), float(highest)), found


def _over(image: Image.Image, canvas: Canvas) -> Image.Image:
    """A picture that may be transparent, over the background."""
    flat = Image.new(canvas.mode, image.size)
    for box in bands(image):
        band = straight(image.crop(box))
        under = Image.new("RGBA", band.size, canvas.background)
        flat.paste(Image.alpha_composite(under, band).convert(canvas.mode), box)
    return flat


def bands(image: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    """Boxes of a few rows each: what is done with one at a time needs no memory for all."""
    for top in range(0, image.height, ROWS):
        yield 0, top, image.width, min(top + ROWS, image.height)


def lab_to_rgb() -> ImageCms.ImageCmsTransform:
    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(lab, rgb, "LAB", "RGB")


def upright(image: Image.Image) -> Image.Image:
    """The picture as it was held; a damaged note of the camera takes nothing from it."""
    image.load()  # some formats are turned by it, or have their note after the pixels
    turn = turn_of(image)
    return image if turn is None else image.transpose(turn)


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """What makes a loaded picture upright; None if it is, or nothing can be read of it."""
    try:
        return TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # what such a note says can be anything
        return None


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
        return TWELVE if tags.get(BITS_PER_SAMPLE) == (12,) else SIXTEEN
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
