"""The names of classes above the columns of a grid."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont
HEIGHT, SIZE = 18, 12  # pixels of the strip, and of the letters


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
    """The grid under a strip with a title for each column, shortened where too long; the grid alone without titles."""
    if not above:
        return sheet
    made = Image.new(sheet.mode, (sheet.width, sheet.height + HEIGHT))
    made.paste(sheet, (0, HEIGHT))
    draw, font, pitch = ImageDraw.Draw(made), ImageFont.load_default(SIZE), sheet.width / len(above)
    for i, title in enumerate(above):
        draw.text(((i + 0.5) * pitch, HEIGHT / 2), fitted(title, pitch - 4, font), "white", font, anchor="mm")
    return made
