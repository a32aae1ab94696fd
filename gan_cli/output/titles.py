"""The names of classes or conditions above the columns of a grid."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont
HEIGHT, LINE, SIZE = 18, 14, 12  # pixels of the strip, of each further line in it, and of the letters


def titles(labels: Sequence[int], columns: int, names: Sequence[str]) -> list[str]:
    """The title of each column in a grid of pictures with these labels: the name of its class.

    Empty if classes have no names or a column has several. A name that the font cannot draw is replaced by its number.
    """
    if not names or any(labels[i] != labels[i % columns] for i in range(len(labels))):
        return []
    return [drawable(label, names) for label in labels[:columns]]


def drawable(label: int, names: Sequence[str]) -> str:
    """The name of a class, or its number where it has none or the font cannot draw it."""
    try:
        return names[label].encode("latin-1").decode("latin-1") if names else str(label)
    except UnicodeEncodeError:
        return str(label)


def fitted(text: str, width: float, font: Font) -> str:
    """As much of a line as has room in so many pixels."""
    while len(text) > 1 and font.getlength(text) > width:
        text = f"{text.removesuffix('…')[:-1]}…"
    return text


def titled(sheet: Image.Image, above: Sequence[str]) -> Image.Image:
    """The grid under a strip with a title for each column, whose lines are shortened where too long.

    Without titles, the grid alone.
    """
    if not above:
        return sheet
    lines = [title.split("\n") for title in above]
    height = HEIGHT + LINE * (max(map(len, lines)) - 1)
    made = Image.new(sheet.mode, (sheet.width, sheet.height + height))
    made.paste(sheet, (0, height))
    draw, font, pitch = ImageDraw.Draw(made), ImageFont.load_default(SIZE), sheet.width / len(above)
    for i, title in enumerate(lines):
        for j, line in enumerate(title):
            place = ((i + 0.5) * pitch, HEIGHT / 2 + j * LINE)
            draw.text(place, fitted(line, pitch - 4, font), "white", font, anchor="mm")
    return made
