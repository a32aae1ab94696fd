"""The names of classes above the columns of a grid."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

HEIGHT, SIZE = 18, 12  # pixels of the strip, and of the letters


def titles(labels: Sequence[int], columns: int, names: Sequence[str]) -> list[str]:
    """What stands above each column of a grid of pictures with these labels: the name of its class.

    Nothing, if classes have no names or a column has several. A number stands for a name that the font cannot write.
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
    """The grid under a strip with a title for each column, cut off where it is too long; as it is without any."""
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
