"""Samples as PNG files: grids of pictures, plots of points."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from gan_cli.replacing import replacing

INK, PAPER, GRAY = (200, 60, 40), (255, 255, 255), (150, 165, 190)


def save_png(image: Image.Image, path: Path) -> None:
    with replacing(path) as aside:
        image.save(aside, "PNG")


def as_bytes(pictures: Tensor) -> Tensor:
    """[−1, 1] → uint8, rounded to the nearest."""
    return ((pictures.clamp(-1, 1) + 1) * 127.5).round().byte()


def grid(pictures: Tensor, columns: int) -> Image.Image:
    """Pictures (n, C, H, W) in [−1, 1], row by row with a border of 2 pixels; small ones are enlarged."""
    pixels = as_bytes(pictures).permute(0, 2, 3, 1).numpy()  # (n, H, W, C)
    n, height, width, channels = pixels.shape
    rows = -(-n // columns)
    sheet = np.zeros((rows * (height + 2) + 2, columns * (width + 2) + 2, channels), np.uint8)
    for i, picture in enumerate(pixels):
        top, left = 2 + i // columns * (height + 2), 2 + i % columns * (width + 2)
        sheet[top : top + height, left : left + width] = picture
    image = Image.fromarray(sheet[..., 0] if channels == 1 else sheet)
    scale = max(1, 64 // height)
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)


def plot(points: np.ndarray, real: np.ndarray, size: int = 512) -> Image.Image:
    """Points (n, d) in red over the data in grey: a histogram if d is 1, else the first two coordinates.

    The frame follows the data alone, so that all plots of a run can be compared; the points, if ``real`` is empty.
    """
    framed = real if len(real) else points
    low, high = np.quantile(framed, 0.001, axis=0), np.quantile(framed, 0.999, axis=0)
    margin = 0.15 * np.maximum(high - low, 1e-6)
    low, high = low - margin, high + margin
    return (_histogram if points.shape[1] == 1 else _scatter)(points, real, low, high, size)


def _scatter(points: np.ndarray, real: np.ndarray, low: np.ndarray, high: np.ndarray, size: int) -> Image.Image:
    canvas = np.full((size, size, 3), PAPER, np.uint8)
    for values, colour in ((real, GRAY), (points, INK)):
        place = (values[:, :2] - low[:2]) / (high[:2] - low[:2])
        place = place[np.isfinite(place).all(axis=1) & (place >= 0).all(axis=1) & (place < 1).all(axis=1)]
        x, y = (place * (size - 1)).astype(int).T
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            canvas[np.clip(size - 1 - y + dy, 0, size - 1), np.clip(x + dx, 0, size - 1)] = colour
    return Image.fromarray(canvas)


def _histogram(points: np.ndarray, real: np.ndarray, low: np.ndarray, high: np.ndarray, size: int) -> Image.Image:
    canvas = np.full((size, size, 3), PAPER, np.uint8)
    edges = np.linspace(low[0], high[0], 65)
    heights = [np.histogram(v[np.isfinite(v)], edges)[0] / max(1, len(v)) for v in (real[:, 0], points[:, 0])]
    top = max(1.5 * heights[0 if len(real) else 1].max(), 1e-9)
    bars = np.linspace(0, size, 65).astype(int)
    for i, (left, right) in enumerate(pairwise(bars)):
        canvas[size - round(min(1.0, heights[0][i] / top) * (size - 1)) :, left:right] = GRAY
        level = size - 1 - round(min(1.0, heights[1][i] / top) * (size - 2))
        canvas[max(0, level - 1) : level + 2, left:right] = INK
    return Image.fromarray(canvas)
