"""Points in the plane, over what the players make of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from gan_cli.output.pictures import DATA, HALF, PAPER, PULL, SAMPLES, Colour, frame, legend, scatter

SIDE, STRIP = 512, 22  # pixels
GRID = (205, 205, 205)
REACH = 0.07  # of the longest pull shown, as a share of the side


@dataclass(frozen=True)
class Landscape:
    """Seen in the plane.

    Attributes:
        surface: D(x) between 0 and 1, (R, R), the lowest row first; of a critic, its scores from the least to the
            largest; None where D does not judge points one by one.
        half: whether ½ means that D cannot tell.
        lines: the latent grid after G, (n, 2) each: the first two coordinates vary, the others are 0.
        pulls: samples (n, 2), and the directions (n, 2) in which J(G) falls there.
    """

    surface: np.ndarray | None
    half: bool
    lines: list[np.ndarray]
    pulls: tuple[np.ndarray, np.ndarray] | None


def plane(points: np.ndarray, real: np.ndarray, seen: Landscape) -> Image.Image:
    """Data and samples (n, 2) over D's surface, ½ as a line, the bent latent grid, and the pulls on samples.

    The surface is as blue as data where D takes points for data, as red as samples where it takes them for samples.
    """
    low, high = frame(real if len(real) else points)
    image = Image.new("RGB", (SIDE, SIDE), PAPER)
    if seen.surface is not None:
        image = _surface(seen.surface, line=seen.half)
    draw = ImageDraw.Draw(image)
    for line in seen.lines:
        for one, other in pairwise(_places(line, low, high)):
            if np.isfinite([one, other]).all() and np.abs(other - one).max() < 4 * SIDE:
                draw.line((*one, *other), fill=GRID)
    shown = [(values, colour) for values, colour in ((real, DATA), (points, SAMPLES)) if len(values)]
    image = scatter(image, shown, low, high)
    named: list[Colour] = [colour for _, colour in shown]
    if seen.surface is not None and seen.half:
        named.append(HALF)
    if seen.pulls is not None:
        _arrows(image, *seen.pulls, low, high)
        named.append(PULL)
    ImageDraw.Draw(image).rectangle((0, 0, SIDE, STRIP), fill=PAPER)
    legend(image, *named)
    return image


def _places(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Pixels (n, 2): columns from the left, rows from the top."""
    share = (points - low) / (high - low)
    return np.stack([share[:, 0], 1 - share[:, 1]], axis=1) * (SIDE - 1)


def _surface(surface: np.ndarray, *, line: bool) -> Image.Image:
    """Between white at ½ and half of a colour at 0 and 1; where ½ is crossed, a line."""
    coarse = Image.fromarray(surface[::-1].astype(np.float32), "F")
    fine = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)).clip(0, 1)[..., None]
    strength = np.abs(2 * fine - 1) / 2
    pixels = PAPER + strength * (np.where(fine > 0.5, DATA, SAMPLES) - np.array(PAPER))
    if line:
        above = fine[..., 0] >= 0.5
        crossed = np.zeros_like(above)
        crossed[:-1] |= above[:-1] != above[1:]
        crossed[:, :-1] |= above[:, :-1] != above[:, 1:]
        pixels[crossed] = HALF
    return Image.fromarray(pixels.round().astype(np.uint8))


def _arrows(image: Image.Image, starts: np.ndarray, ways: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Lines from each sample along its pull, the longest of nine tenths of them ``REACH`` of the side long."""
    draw = ImageDraw.Draw(image)
    pixels = ways / (high - low) * (1, -1) * SIDE
    lengths = np.linalg.norm(pixels, axis=1)
    if not np.isfinite(lengths).all() or not lengths.any():
        return
    longest = np.quantile(lengths, 0.9) or lengths.max()
    for start, way, length in zip(_places(starts, low, high), pixels, lengths, strict=True):
        if np.isfinite(start).all():
            end = start + way * (REACH * SIDE * min(1.0, longest / max(length, 1e-30)) / longest)
            draw.line((*start, *end), fill=PULL)
