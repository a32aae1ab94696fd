"""One picture file of any kind at full depth: every level that it has, resized in floats."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFile

from gan_cli.data.canvas import Canvas
from gan_cli.data.colours import grey_of
from gan_cli.data.formats import (
    Decoded,
    Range,
    fitted,
    is_transparent,
    kind,
    lab_to_rgb,
    numbers,
    straight,
    turn_of,
)

GREY = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue (ITU-R 601-2)


def decoded_deep(image: Image.Image, canvas: Canvas, ends: Range | None, frames: bool) -> Decoded:
    """As ``formats.decoded``, in floats.

    Args:
        ends: black and white of a picture of one deep channel.

    Raises:
        Exception: whatever the decoder raises for a damaged file.
    """
    file = _file_of(image) if ends is None and _is_sixteen(image) else None
    image.load()
    depth, whole = None, None
    if ends is not None:
        depth, planes = _of_numbers(image, *ends)
    else:
        whole = None if file is None else _of_sixteen_bits(file)
        planes = _of_bytes(image) if whole is None else whole
    turn = turn_of(image)
    laid = np.stack([*_laid(_on_canvas(planes, canvas), canvas, turn)], axis=-1)
    if canvas.keeps_alpha:
        alpha = laid[..., -1:]
        colour = np.divide(laid[..., :-1], alpha, out=np.zeros_like(laid[..., :-1]), where=alpha > 0)
        laid[..., :-1] = np.where(alpha > 0, colour, _background(canvas))
    pixels = (laid.clip(0, 1) * 2 - 1).astype(np.float32).reshape(canvas.shape)
    return Decoded(np.ascontiguousarray(pixels), depth, frames, file is not None and whole is None)


def _of_numbers(image: Image.Image, black: float, white: float) -> tuple[tuple[str, float, float], np.ndarray]:
    """Mode, lowest and highest value, and grey with alpha in [0, 1], (H, W, 2)."""
    planes, lowest, highest = np.ones((*image.size[::-1], 2), np.float32), np.inf, -np.inf
    clear = image.info.get("transparency")
    for rows, values in numbers(image):
        lowest, highest = min(lowest, values.min()), max(highest, values.max())
        planes[rows, :, 0] = ((values - black) / (white - black)).clip(0, 1)
        if clear is not None:
            planes[rows, :, 1] = values != clear
    return (kind(image), float(lowest), float(highest)), planes


def _of_bytes(image: Image.Image) -> np.ndarray:
    """Colour or grey, with alpha, in [0, 1]: (H, W, 2 or 4)."""
    if image.mode == "LAB":
        image = lab_to_rgb().apply(image)
    if is_transparent(image):
        image = straight(image)
    elif image.mode in ("1", "L"):
        image = image.convert("LA")
    else:
        image = image.convert("RGBA")
    return np.asarray(image, np.float32) / 255


def _is_sixteen(image: Image.Image) -> bool:
    """Whether each colour has 16 bits, of which Pillow keeps 8."""
    return isinstance(image, ImageFile.ImageFile) and any(";16" in str(tile) for tile in image.tile)


def _file_of(image: Image.Image) -> bytes:
    """The file of a picture that is opened and not decoded yet."""
    assert isinstance(image, ImageFile.ImageFile)
    assert image.fp is not None
    at = image.fp.tell()
    image.fp.seek(0)
    data = image.fp.read()
    image.fp.seek(at)
    return data


def _of_sixteen_bits(png: bytes) -> np.ndarray | None:
    """The colours of a PNG of 16 bits each, with alpha, in [0, 1]: (H, W, 2 or 4); None where nothing here reads it."""
    if not png.startswith(b"\x89PNG"):
        return None
    try:
        import torch  # seconds: only here
        from torchvision.io import ImageReadMode, decode_png
    except ImportError:  # it is to go from there one day
        return None
    values = decode_png(torch.frombuffer(bytearray(png), dtype=torch.uint8), ImageReadMode.UNCHANGED)  # (C, H, W)
    planes = values.permute(1, 2, 0).numpy().astype(np.float32) / 65535
    if planes.shape[2] in (1, 3):
        planes = np.concatenate([planes, np.ones_like(planes[..., :1])], axis=2)
    return planes


def _background(canvas: Canvas) -> np.ndarray:
    """In [0, 1], (1 or 3,)."""
    colour = canvas.background if canvas.channels > 2 else (grey_of(canvas.background),)
    return np.array(colour, np.float32) / 255


def _on_canvas(planes: np.ndarray, canvas: Canvas) -> np.ndarray:
    """In as many channels as the canvas has: colours times alpha, or over the background."""
    colour, alpha = planes[..., :-1], planes[..., -1:]
    if canvas.channels > 2 and colour.shape[2] == 1:
        colour = colour.repeat(3, axis=2)
    elif canvas.channels <= 2 and colour.shape[2] == 3:
        colour = colour @ GREY[:, None]
    if canvas.keeps_alpha:
        return np.concatenate([colour * alpha, alpha], axis=2)
    return colour * alpha + _background(canvas) * (1 - alpha)


def _laid(planes: np.ndarray, canvas: Canvas, turn: Image.Transpose | None) -> Iterator[np.ndarray]:
    """Each channel, upright and fitted: (H, W) of the canvas."""
    around = np.zeros(canvas.channels) if canvas.keeps_alpha else _background(canvas)
    for channel, fill in enumerate(around):
        plane = Image.fromarray(np.ascontiguousarray(planes[..., channel]))
        plane = plane if turn is None else plane.transpose(turn)
        yield np.asarray(fitted(plane, canvas, "F", float(fill)))
