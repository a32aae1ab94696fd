"""Grids with a caption under each picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from gan_cli.output.pictures import enlarged, images_seen
from gan_cli.output.titles import SIZE, fitted

LINE, BORDER = 14, 2  # pixels of a line of letters, and around each picture
WIDEST = 96  # pixels of a column for the sake of its lines but the first


def captioned(pictures: Tensor, columns: int, captions: Sequence[Sequence[str]]) -> Image.Image:
    """Pictures (n, C, H, W) in [−1, 1], row by row, each over the lines of its caption; small ones are enlarged.

    Columns are as wide as the lines need. The first line of each caption is always whole, others up to ``WIDEST``.
    """
    images, font = [enlarged(image) for image in images_seen(pictures)], ImageFont.load_default(SIZE)
    first = [math.ceil(font.getlength(lines[0])) for lines in captions]
    others = [math.ceil(font.getlength(line)) for lines in captions for line in lines[1:]]
    width = max(images[0].width, *first, min(WIDEST, max(others, default=0))) + 2 * BORDER
    height = images[0].height + LINE * max(map(len, captions)) + 2 * BORDER
    sheet = Image.new(images[0].mode, (columns * width, -(-len(images) // columns) * height))
    draw = ImageDraw.Draw(sheet)
    for i, (image, lines) in enumerate(zip(images, captions, strict=True)):
        left, top = i % columns * width, i // columns * height
        sheet.paste(image, (left + (width - image.width) // 2, top + BORDER))
        for j, line in enumerate(lines):
            place = (left + width / 2, top + BORDER + image.height + (j + 0.5) * LINE)
            draw.text(place, fitted(line, width - 2 * BORDER, font), "white", font, anchor="mm")
    return sheet
