"""How each picture of an import is decoded, whichever process does it. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image, UnidentifiedImageError

from gan_cli.data.canvas import Canvas
from gan_cli.data.contents import Unreadable
from gan_cli.data.first_rules import decoded_at_first
from gan_cli.data.formats import Decoded, Range, Unranged, decoded
from gan_cli.data.opening import NOT_READ, NoRoom, kinds
from gan_cli.errors import first_line
from gan_cli.output.text import printable


@dataclass(frozen=True)
class Recipe:
    """What a process must know besides the pictures.

    Args:
        open: opens one.
        ranges: black and white by mode.
        rules: 1 for a run that began when pictures were decoded by the first rules.
    """

    open: Callable[[Any], Image.Image]
    canvas: Canvas
    ranges: Mapping[str, Range]
    rules: int

    def decode(self, index: int, item: Any) -> Decoded | Unreadable:
        """The picture at a position, or why it cannot be read.

        Raises:
            Unranged: if it needs a range and has none.
            NoRoom: if this process may not decode one as large.
        """
        try:
            with self.open(item) as image:
                if self.rules == 1:
                    return Decoded(decoded_at_first(image, self.canvas.height, self.canvas.channels))
                return decoded(image, self.canvas, self.ranges)
        except (Unranged, NoRoom):
            raise
        except Exception as error:  # decoders of damaged files raise anything
            passing = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None)
            return Unreadable(index, _why(error), passing)


def _why(error: Exception) -> str:
    """In a few words, without paths or addresses in memory."""
    if isinstance(error, UnidentifiedImageError):
        return f"{NOT_READ} ({', '.join(kinds())})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = printable(first_line(error))
    return f"{type(error).__name__} {said}" if isinstance(error, LookupError) and error.args else said
