"""Samples as PNG files: grids of pictures, plots of points. One colour for the data and one for samples, everywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from gan_cli.output.replacing import replacing

Colour = tuple[int, int, int]
DATA, SAMPLES, PAPER = (110, 130, 165), (200, 60, 40), (255, 255, 255)
FIELDS = 204, 255  # greys of the chequerboard behind transparent pictures
HALF, PULL = (70, 70, 70), (120, 20, 10)
TITLED = 20  # classes, at most, of which each has a column of its own
NAMES: dict[Colour, str] = {DATA: "data", SAMPLES: "samples", HALF: "D = 1/2", PULL: "pull on samples"}


def save_png(image: Image.Image, path: Path, **text: str) -> None:
    """Writes a picture, with ``text`` by keyword in the file, such as the seeds it shows."""
    options = {}
    if text:
        options["pnginfo"] = info = PngInfo()
        for key, value in text.items():
            info.add_itxt(key, value)
    with replacing(path) as aside:
        image.save(aside, "PNG", **options)


def hexadecimal(colour: Colour) -> str:
    """As matplotlib takes it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def legend(image: Image.Image, *colours: Colour) -> None:
    """Draws a legend at the top left: a square and a name in each colour."""
    draw, x = ImageDraw.Draw(image), 8
    draw.fontmode = "1"  # no antialiasing, which would add colours
    for colour in colours:
        draw.rectangle((x, 7, x + 9, 16), fill=colour)
        draw.text((x + 15, 4), NAMES[colour], fill=colour, font=ImageFont.load_default(14))
        x += 30 + round(draw.textlength(NAMES[colour], ImageFont.load_default(14)))


def pairs(samples: Tensor, data: Tensor) -> Image.Image:
    """A row of samples (n, C, H, W) above a row of as many data, each under its legend."""
    rows = [grid(row, columns=len(row)).convert("RGB") for row in (samples, data)]
    strip = 22
    sheet = Image.new("RGB", (max(120, rows[0].width), 2 * (rows[0].height + strip)), PAPER)
    for i, (row, colour) in enumerate(zip(rows, (SAMPLES, DATA), strict=True)):
        part = Image.new("RGB", (sheet.width, row.height + strip), PAPER)
        legend(part, colour)
        part.paste(row, (0, strip))
        sheet.paste(part, (0, i * part.height))
    return sheet


def as_bytes(pictures: Tensor) -> Tensor:
    """Converts pixels in [−1, 1] to uint8, rounded to the nearest."""
    return ((pictures.clamp(-1, 1) + 1) * 127.5).round().byte()


def columns_of(count: int, classes: int = 0) -> int:
    """Columns of a sheet of so many pictures that is about as wide as high.

    Up to ``TITLED`` classes in turn have columns of their own, so that there are a multiple of as many: a sheet of 100
    pictures of two classes has ten.
    """
    near = math.isqrt(count - 1) + 1
    if not 1 < classes <= TITLED:
        return near

    def stretched(columns: int) -> float:
        rows = -(-count // columns)
        return max(columns / rows, rows / columns)

    low = max(1, near // classes)
    return min(count, *sorted((classes * low, classes * (low + 1)), key=stretched)[:1])


def grid(pictures: Tensor, columns: int) -> Image.Image:
    """Pictures (n, C, H, W) in [−1, 1], row by row with a border of 2 pixels; small ones are enlarged."""
    pixels = visible(as_bytes(pictures)).permute(0, 2, 3, 1).numpy()  # (n, H, W, C)
    n, height, width, channels = pixels.shape
    rows = -(-n // columns)
    sheet = np.zeros((rows * (height + 2) + 2, columns * (width + 2) + 2, channels), np.uint8)
    for i, picture in enumerate(pixels):
        top, left = 2 + i // columns * (height + 2), 2 + i % columns * (width + 2)
        sheet[top : top + height, left : left + width] = picture
    image = Image.fromarray(sheet[..., 0] if channels == 1 else sheet)
    return _times(image, 64 // height)


def visible(pixels: Tensor) -> Tensor:
    """Pictures as they are seen, uint8 (n, C, H, W) → (n, 1 or 3, H′, W′).

    Two and four channels are grey and colour with alpha, over a chequerboard. More are shown one beside the other, each
    as grey.
    """
    channels, height, width = pixels.shape[1:]
    if channels in (1, 3):
        return pixels
    if channels in (2, 4):
        field = max(2, min(height, width) // 8)
        rows, columns = (torch.arange(size) // field for size in (height, width))
        under = torch.where((rows[:, None] + columns) % 2 == 1, *FIELDS)
        colour, alpha = pixels[:, :-1].int(), pixels[:, -1:].int()
        return ((colour * alpha + under * (255 - alpha) + 127) // 255).byte()
    across = math.isqrt(channels - 1) + 1
    down = -(-channels // across)
    blank = pixels.new_zeros(len(pixels), across * down - channels, height, width)
    tiles = torch.cat([pixels, blank], dim=1).unflatten(1, (down, across))  # (n, down, across, H, W)
    return tiles.transpose(2, 3).reshape(len(pixels), 1, down * height, across * width)


def image_of(pixels: Tensor) -> Image.Image:
    """Converts a picture, uint8 (C, H, W), for a file of its own, which keeps alpha."""
    if len(pixels) > 4:
        (pixels,) = visible(pixels[None])
    array = pixels.permute(1, 2, 0).numpy()
    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else np.ascontiguousarray(array))


def deep_image_of(picture: Tensor) -> Image.Image:
    """Converts a grey picture (1, H, W) in [−1, 1], for a file of its own of 16 bits."""
    levels = ((picture[0].double().clamp(-1, 1) + 1) * 32767.5).round()
    return Image.fromarray(levels.numpy().astype(np.uint16))


def images_seen(pictures: Tensor) -> list[Image.Image]:
    """Pictures (n, C, H, W) in [−1, 1], each as it is seen."""
    return [image_of(pixels) for pixels in visible(as_bytes(pictures))]


def enlarged(image: Image.Image, side: int = 64) -> Image.Image:
    """A small picture, each pixel a square, so large that it is no more than twice too low for ``side``."""
    return _times(image, side // image.height)


def _times(image: Image.Image, scale: int) -> Image.Image:
    return image.resize((image.width * max(1, scale), image.height * max(1, scale)), Image.Resampling.NEAREST)


def plot(points: np.ndarray, real: np.ndarray, size: int = 512) -> Image.Image:
    """Samples (n, d) over the data (m, d): histograms if d is 1, else the first two coordinates; either may be empty.

    The frame depends on the data alone, so that all plots of a run can be compared; without data, on the samples.
    """
    framed = real if len(real) else points
    low, high = frame(framed)
    shown = [(values, colour) for values, colour in ((real, DATA), (points, SAMPLES)) if len(values)]
    if framed.shape[1] == 1:
        image = _histogram(shown, low, high, size)
    else:
        image = scatter(Image.new("RGB", (size, size), PAPER), shown, low, high)
    legend(image, *(colour for _, colour in shown))
    return image


def frame(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two corners (d,) between which nearly all points (n, d) lie, with a margin."""
    low, high = np.quantile(points, 0.001, axis=0), np.quantile(points, 0.999, axis=0)
    margin = 0.15 * np.maximum(high - low, 1e-6)
    return low - margin, high + margin


Shown = Sequence[tuple[np.ndarray, Colour]]  # points (n, d) and the colour they are drawn in, the lowest first


def scatter(image: Image.Image, shown: Shown, low: np.ndarray, high: np.ndarray) -> Image.Image:
    """Draws points, by their first two coordinates, over a square picture."""
    canvas, size = np.array(image), image.width
    for values, colour in shown:
        place = (values[:, :2] - low[:2]) / (high[:2] - low[:2])
        place = place[np.isfinite(place).all(axis=1) & (place >= 0).all(axis=1) & (place < 1).all(axis=1)]
        x, y = (place * (size - 1)).astype(int).T
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            canvas[np.clip(size - 1 - y + dy, 0, size - 1), np.clip(x + dx, 0, size - 1)] = colour
    return Image.fromarray(canvas)


def _histogram(shown: Shown, low: np.ndarray, high: np.ndarray, size: int) -> Image.Image:
    """Draws bars for the data, and a line at the level of the samples in each bin."""
    canvas = np.full((size, size, 3), PAPER, np.uint8)
    edges = np.linspace(low[0], high[0], 65)
    heights = [np.histogram(v[np.isfinite(v)], edges)[0] / len(v) for v in (values[:, 0] for values, _ in shown)]
    top = max(1.5 * heights[0].max(), 1e-9)
    bars = np.linspace(0, size, 65).astype(int)
    for height, (_, colour) in zip(heights, shown, strict=True):
        for share, (left, right) in zip(height, pairwise(bars), strict=True):
            level = size - 1 - round(min(1.0, share / top) * (size - 2))
            if colour == DATA:
                canvas[level + 1 :, left:right] = colour
            else:
                canvas[max(0, level - 1) : level + 2, left:right] = colour
    return Image.fromarray(canvas)
