"""The names of classes above the columns of a grid."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

HEIGHT, SIZE = 18, 12  # pixels of the strip, and of the letters


def titles(labels: Sequence[int], columns: int, names: Sequence[str]) -> list[str]:
    """The title of each column in a grid of pictures with these labels: the name of its class.

    Empty if classes have no names or a column has several. A name that the font cannot draw is replaced by its number.
    """
    if not names or any(labels[i] != labels[i % columns] for i in range(len(labels))):
        return []
    return [names[label] if _can_be_drawn(names[label]) else str(label) for label in labels[:columns]]


def _can_be_drawn(name: str) -> bool:
    try:
        name.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def titled(sheet: Image.Image, above: Sequence[str]) -> Image.Image:
    """The grid under a strip with a title for each column, shortened where too long; the grid alone without titles."""
    if not above:
        return sheet
    made = Image.new(sheet.mode, (sheet.width, sheet.height + HEIGHT))
    made.paste(sheet, (0, HEIGHT))
    draw, font, pitch = ImageDraw.Draw(made), ImageFont.load_default(SIZE), sheet.width / len(above)
    for i, title in enumerate(above):
        text = title
        while len(text) > 1 and draw.textlength(text, font) > pitch - 4:
            text = f"{text.removesuffix('…')[:-1]}…"
        draw.text(((i + 0.5) * pitch, HEIGHT / 2), text, "white", font, anchor="mm")
    return made
