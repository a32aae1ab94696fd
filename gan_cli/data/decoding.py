"""Many picture files, in parallel, to rows of bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from gan_cli.data.canvas import Canvas
from gan_cli.data.first_rules import decoded_at_first
from gan_cli.data.formats import SIXTEEN, USUAL, Decoded, Range, Unranged, decoded, extent, usual_range
from gan_cli.data.opening import NOT_READ, kinds
from gan_cli.data.pack import Contents, Unreadable
from gan_cli.data.samples import digest_of
from gan_cli.output import screen
from gan_cli.output.text import printable

AHEAD = 512  # how far decoding runs ahead of writing
WORDS = {"I": "32-bit integers", "F": "floats", "I;16": "16 bits"}
Extents = dict[str, tuple[float, float]]  # lowest and highest value, by mode


@dataclass(frozen=True)
class PictureSource:
    """Pictures that lie in files.

    Args:
        identity: what tells them from others: names, order, sizes and time stamps.
        items: those to decode, in order.
        whole: all that the source has: pictures of 32 bits share one range whatever part of them is asked for.
        open: opens one.
        range: black and white of pictures deeper than 8 bits, where the user says it.
        rules: 1 for a run that began when pictures were decoded by the first rules.
    """

    identity: Sequence[Any]
    items: Sequence[Any]
    whole: Sequence[Any]
    open: Callable[[Any], Image.Image]
    range: Range | None = None
    rules: int = 2


class Decoding:
    """One pass over the items of a source, and what was met in it.

    Args:
        ranges: black and white by mode, as the user says.
        extents: of the whole source; where its modes do not say what is black and white, this decides. None as long as
            nobody has looked: a picture that needs it is an error then.
    """

    def __init__(
        self,
        source: PictureSource,
        canvas: Canvas,
        ranges: Mapping[str, Range],
        extents: Mapping[str, tuple[float, float]] | None,
    ) -> None:
        self.source, self.canvas = source, canvas
        self.extents = extents or {}
        self.guessed = {mode: usual_range(mode, *extent) for mode, extent in self.extents.items()}
        damaged = {} if extents is None else {mode: usual[0] for mode, usual in USUAL.items()}  # all that are left
        self.ranges = {**damaged, **self.guessed, **ranges}
        self.unreadable: list[Unreadable] = []
        self.met: Extents = {}
        self.moving = self.cut_short = 0

    def rows(self) -> Iterator[np.ndarray]:
        """(H, W, C) of each picture that can be read, in order.

        Raises:
            Unranged: at a picture that needs a range and has none.
        """
        self.unreadable, self.met, self.moving, self.cut_short = [], {}, 0, 0
        items = iter(enumerate(self.source.items))
        with ThreadPoolExecutor() as pool, screen.progress("decoding pictures", len(self.source.items)) as tick:
            while chunk := list(islice(items, AHEAD)):
                for found in pool.map(self._decode, chunk):
                    tick()
                    if isinstance(found, Unreadable):
                        self.unreadable.append(found)
                        continue
                    if found.depth:
                        mode, low, high = found.depth
                        before = self.met.get(mode, (low, high))
                        self.met[mode] = min(low, before[0]), max(high, before[1])
                    self.moving += found.frames
                    self.cut_short += found.cut_short
                    yield found.pixels

    def _decode(self, entry: tuple[int, Any]) -> Decoded | Unreadable:
        index, item = entry
        try:
            with self.source.open(item) as image:
                if self.source.rules == 1:
                    return Decoded(decoded_at_first(image, self.canvas.height, self.canvas.channels))
                return decoded(image, self.canvas, self.ranges)
        except Unranged:
            raise
        except Exception as error:  # decoders of damaged files raise anything
            passing = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None)
            return Unreadable(index, _why(error), passing)

    def contents(self, values: np.ndarray) -> Contents:
        """What is to be known about the decoded pictures, (N, C, H, W)."""
        return Contents(len(values), digest_of(values), self.unreadable, list(self._notes()))

    def _notes(self) -> Iterator[str]:
        for mode, (black, white) in self.guessed.items():
            low, high = self.extents[mode]
            yield (
                f"pictures of {WORDS[mode]} hold {low:g} to {high:g}: {black:g} is taken for black and {white:g} for "
                "white, which is a guess; the dataset's key range=[black,white] says it"
            )
        low, high = self.met.get("I;16", (0, SIXTEEN[1]))
        if high < SIXTEEN[1] / 16 and "I;16" not in self.ranges:
            yield (
                f"pictures of 16 bits hold {low:g} to {high:g} of 65535 and come out dark: "
                f"the dataset's key range=[0,{high:g}] makes {high:g} white"
            )
        if self.moving:
            yield f"{self.moving} of {len(self.source.items)} pictures have several frames: the first is used"
        if self.cut_short:
            yield (
                f"{self.cut_short} of {len(self.source.items)} pictures have colours of 16 bits that are read in 8: "
                "as PNG they are read at full depth"
            )


def extents_of(source: PictureSource) -> Extents:
    """Lowest and highest value, over the whole source, of pictures whose modes do not say what is black and white."""
    extents: Extents = {}
    with ThreadPoolExecutor() as pool, screen.progress("looking for black and white", len(source.whole)) as tick:
        items = iter(source.whole)
        while chunk := list(islice(items, AHEAD)):
            for found in pool.map(lambda item: extent(lambda: source.open(item)), chunk):
                tick()
                if found:
                    mode, low, high = found
                    before = extents.get(mode, (low, high))
                    extents[mode] = min(low, before[0]), max(high, before[1])
    return extents


def _why(error: Exception) -> str:
    """In a few words, without paths or addresses in memory."""
    if isinstance(error, UnidentifiedImageError):
        return f"{NOT_READ} ({', '.join(kinds())})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = printable(str(error).splitlines()[0]) if str(error) else ""
    return said if said and not isinstance(error, LookupError) else f"{type(error).__name__} {said}".strip()
