"""Many picture files, in parallel, to rows of bytes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any

import numpy as np
from PIL import Image

from gan_cli.data.canvas import Canvas
from gan_cli.data.contents import Contents, Repeated, Unreadable
from gan_cli.data.decoders import Decoders, decoders
from gan_cli.data.formats import SIXTEEN, USUAL, Decoded, Range, extent, usual_range
from gan_cli.data.recipe import Recipe
from gan_cli.data.stretch import Extents, Stretch
from gan_cli.output.counting import counting

AHEAD = 512  # how far the search for black and white runs ahead
PIECE, PIECE_BYTES = 32, 2**20  # pictures that are decoded at a time by one process, and what they take
STRETCH_BYTES, STRETCH_SECONDS = 2**23, 2.0  # what is decoded before it is written
WORDS = {"I": "32-bit integers", "F": "floats", "I;16": "16 bits"}


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
        once: whether pictures that come again, byte for byte once decoded, are left out.
    """

    identity: Sequence[Any]
    items: Sequence[Any]
    whole: Sequence[Any]
    open: Callable[[Any], Image.Image]
    range: Range | None = None
    rules: int = 2
    once: bool = False


class Decoding:
    """One pass over the items of a source, and what was met in it.

    Args:
        ranges: black and white by mode, as the user says.
        extents: of the whole source; where its modes do not say what is black and white, this decides. None as long as
            nobody has looked: a picture that needs it is an error then.

    Attributes:
        done: how many items have been looked at; ``kept``: how many of them are kept.
    """

    def __init__(
        self,
        source: PictureSource,
        canvas: Canvas,
        ranges: Mapping[str, Range],
        extents: Extents | None,
    ) -> None:
        self.source, self.canvas, self.extents = source, canvas, extents
        self.guessed = {mode: usual_range(mode, *ends) for mode, ends in (extents or {}).items()}
        damaged = {} if extents is None else {mode: usual[0] for mode, usual in USUAL.items()}  # all that are left
        self.ranges = {**damaged, **self.guessed, **ranges}
        self.done = self.kept = self.moving = self.cut_short = 0
        self.unreadable: list[Unreadable] = []
        self.repeated: list[Repeated] = []
        self.met: Extents = {}
        self._seen: dict[bytes, int] = {}  # the position of each picture by its hash, to know those that come again

    def stretches(self) -> Iterator[Stretch]:
        """Decodes all items that are not done.

        Raises:
            Unranged: at a picture that needs a range and has none.
        """
        source, row = self.source, self.canvas.nbytes
        recipe = Recipe(source.open, self.canvas, self.ranges, source.rules)
        left, total = len(source.items) - self.done, len(source.items)
        with (
            decoders(recipe, left) as by,
            counting("decoding pictures", "decoded %s pictures", total, self.done, f", by {by.who}") as tick,
        ):
            most = max(1, min(PIECE, left // (4 * by.at_once), PIECE_BYTES // row))
            found: list[Decoded | Unreadable] = []
            began = time.monotonic()
            for piece in self._decoded(by, most):
                tick(len(piece))
                found += piece
                if len(found) * row >= STRETCH_BYTES or time.monotonic() - began >= STRETCH_SECONDS:
                    yield self._stretch(found)
                    found, began = [], time.monotonic()
            if found:
                yield self._stretch(found)

    def _decoded(self, by: Decoders, most: int) -> Iterator[list[Decoded | Unreadable]]:
        """What is found, in order, ``most`` items at a time, somewhat ahead of who asks."""
        pool, waiting = ThreadPoolExecutor(by.at_once), deque[Future[list[Decoded | Unreadable]]]()
        try:
            for start in range(self.done, len(self.source.items), most):
                piece = [(i, self.source.items[i]) for i in range(start, min(start + most, len(self.source.items)))]
                waiting.append(pool.submit(by.decode, piece))
                if len(waiting) > 3 * by.at_once:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _stretch(self, found: Sequence[Decoded | Unreadable]) -> Stretch:
        """What is found from the first item that is not done, which then is done."""
        rows, unreadable, repeated, met, moving, cut_short = [], [], [], dict[str, tuple[float, float]](), 0, 0
        for index, each in enumerate(found, self.done):
            if isinstance(each, Unreadable):
                unreadable.append(each)
                continue
            if each.depth:
                _widen(met, *each.depth)
            moving += each.frames
            cut_short += each.cut_short
            if self.source.once and (of := self._seen.setdefault(_hash(each.pixels), index)) != index:
                repeated.append(Repeated(index, of))
            else:
                rows.append(each.pixels)
        pixels = np.stack(rows) if rows else np.empty((0, *self.canvas.shape), self.canvas.dtype)
        stretch = Stretch(self.done, self.done + len(found), pixels, unreadable, repeated, met, moving, cut_short)
        self._count(stretch)
        return stretch

    def resume(self, stretch: Stretch) -> None:
        """Counts a stretch that an earlier process has decoded."""
        self._count(stretch)
        if self.source.once:
            self._seen |= dict(zip(map(_hash, stretch.rows), stretch.kept(), strict=True))

    def _count(self, stretch: Stretch) -> None:
        self.done, self.kept = stretch.end, self.kept + len(stretch.rows)
        self.unreadable += stretch.unreadable
        self.repeated += stretch.repeated
        self.moving += stretch.moving
        self.cut_short += stretch.cut_short
        for mode, ends in stretch.met.items():
            _widen(self.met, mode, *ends)

    def contents(self, digest: str) -> Contents:
        """What is to be known about the decoded pictures, of which this is the hash."""
        return Contents(self.kept, digest, self.unreadable, list(self._notes()), self.repeated)

    def _notes(self) -> Iterator[str]:
        for mode, (black, white) in self.guessed.items():
            low, high = (self.extents or {})[mode]
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
    total, did = len(source.whole), "looked at %s pictures for black and white"
    with ThreadPoolExecutor() as pool, counting("looking for black and white", did, total) as tick:
        items = iter(source.whole)
        while chunk := list(islice(items, AHEAD)):
            for found in pool.map(lambda item: extent(lambda: source.open(item)), chunk):
                tick(1)
                if found:
                    _widen(extents, *found)
    return extents


def _widen(extents: Extents, mode: str, low: float, high: float) -> None:
    """Adds what was met in one picture, or several."""
    before = extents.get(mode, (low, high))
    extents[mode] = min(low, before[0]), max(high, before[1])


def _hash(pixels: np.ndarray) -> bytes:
    return blake2b(np.ascontiguousarray(pixels).data, digest_size=16).digest()
