"""Small pictures side by side: how each column of a table is distributed, and how columns go together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_cli.output.pictures import DATA, PAPER, SAMPLES, Colour, frame, legend
from gan_cli.output.titles import fitted

WIDTH, HEIGHT, TITLE, GAP, STRIP = 190, 130, 16, 10, 24  # pixels
BINS, MOST, LETTERS = 32, 24, 11  # of a histogram; panels, and values of a category
INK, FAINT = (60, 60, 60), (225, 225, 225)


@dataclass(frozen=True)
class Panel:
    """The values of a column.

    Attributes:
        data, samples: numbers, NaN where there is none; or the numbers of ``values``.
        values: of a category.
    """

    title: str
    data: np.ndarray
    samples: np.ndarray
    values: Sequence[str] = ()


def panels(shown: Sequence[Panel], correlations: tuple[np.ndarray, np.ndarray] | None = None) -> Image.Image:
    """Data as filled bars and samples as lines, a panel for each column; either may have no rows.

    Args:
        correlations: of the data and of the samples, (k, k) each: shown in one square, the data's above its diagonal.
    """
    left_out, shown = max(0, len(shown) - MOST), shown[:MOST]
    count = len(shown) + (correlations is not None)
    columns = min(count, max(1, math.isqrt(count - 1) + 1))
    rows = -(-count // columns)
    size = columns * (WIDTH + GAP) + GAP, rows * (HEIGHT + TITLE + GAP) + GAP + STRIP
    image = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(image)
    colours = [colour for colour, part in ((DATA, "data"), (SAMPLES, "samples")) if _there(shown, part)]
    legend(image, *colours)
    font = ImageFont.load_default(LETTERS)
    if left_out:
        draw.text((size[0] - GAP, 5), f"and {left_out} columns more", INK, font, anchor="ra")
    for i in range(count):
        left = GAP + i % columns * (WIDTH + GAP)
        top = STRIP + GAP + i // columns * (HEIGHT + TITLE + GAP)
        if i < len(shown):
            title = shown[i].title
            part = _categories(shown[i]) if shown[i].values else _numbers(shown[i])
        else:
            assert correlations is not None
            title, part = "correlations: data / samples", _correlations(*correlations)
        draw.text((left, top), fitted(_drawable(title), WIDTH, font), INK, font)
        image.paste(part, (left, top + TITLE))
    return image


def _there(shown: Sequence[Panel], part: str) -> bool:
    return any(len(panel.data if part == "data" else panel.samples) for panel in shown)


def _drawable(text: str) -> str:
    """What the font can draw of a text."""
    return text.encode("latin-1", "replace").decode("latin-1")


def _empty() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    part = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(part)
    draw.line((0, HEIGHT - LETTERS - 4, WIDTH, HEIGHT - LETTERS - 4), fill=FAINT)
    return part, draw


def _bars(draw: ImageDraw.ImageDraw, shares: Sequence[tuple[np.ndarray, Colour]]) -> None:
    """Bars of the shares of data, and a line at those of samples."""
    floor, room = HEIGHT - LETTERS - 5, HEIGHT - LETTERS - 14
    top = max(1e-9, *(float(share.max()) for share, _ in shares))
    edges = np.linspace(0, WIDTH - 1, len(shares[0][0]) + 1).round().astype(int)
    for share, colour in shares:
        for height, left, right in zip(share / top, edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            level = floor - round(float(height) * room)
            if colour == DATA:
                draw.rectangle((left + 1, level, max(left + 1, right - 1), floor), fill=colour)
            else:
                draw.rectangle((left, level - 1, right, level + 1), fill=colour)


def _numbers(panel: Panel) -> Image.Image:
    part, draw = _empty()
    both = [(x[np.isfinite(x)], colour) for x, colour in ((panel.data, DATA), (panel.samples, SAMPLES))]
    both = [(x, colour) for x, colour in both if len(x)]
    if not both:
        return part
    low, high = (float(end[0]) for end in frame(both[0][0][:, None]))
    edges = np.linspace(low, high, BINS + 1)
    _bars(draw, [(np.histogram(x, edges)[0] / len(x), colour) for x, colour in both])
    font = ImageFont.load_default(LETTERS)
    draw.text((0, HEIGHT - 1), f"{low:.4g}", INK, font, anchor="ls")
    draw.text((WIDTH, HEIGHT - 1), f"{high:.4g}", INK, font, anchor="rs")
    return part


def _categories(panel: Panel) -> Image.Image:
    part, draw = _empty()
    count, font = len(panel.values), ImageFont.load_default(LETTERS)
    shares = [
        (np.bincount(x, minlength=count)[:MOST] / len(x), colour)
        for x, colour in ((panel.data, DATA), (panel.samples, SAMPLES))
        if len(x)
    ]
    if not shares:
        return part
    _bars(draw, shares)
    places = np.linspace(0, WIDTH - 1, len(shares[0][0]) + 1)
    for i, value in enumerate(panel.values[:MOST]):
        text = fitted(_drawable(value or "(none)"), places[1] - 2, font)
        draw.text(((places[i] + places[i + 1]) / 2, HEIGHT - 1), text, INK, font, anchor="ms")
    return part


def _correlations(data: np.ndarray, samples: np.ndarray) -> Image.Image:
    """A square of r: −1 as blue as data, +1 as red as samples, 0 white."""
    r = np.where(np.triu(np.ones(data.shape, bool), 1), data, samples)
    np.fill_diagonal(r, 0.0)
    end = np.where(r[..., None] < 0, DATA, SAMPLES)
    pixels = PAPER + np.abs(r).clip(0, 1)[..., None] * (end - np.array(PAPER))
    side = HEIGHT - 4
    square = Image.fromarray(pixels.round().astype(np.uint8)).resize((side, side), Image.Resampling.NEAREST)
    part = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    part.paste(square, (0, 2))
    ImageDraw.Draw(part).rectangle((0, 2, side - 1, side + 1), outline=FAINT)
    return part
