"""A file of decoded pictures, and what is known about it in a JSON file beside it."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gan_cli.data.samples import digest_of
from gan_cli.errors import reason_of
from gan_cli.output.replacing import replacing

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unreadable:
    """A picture that was left out: its position, why, and whether another try may find it readable."""

    index: int
    why: str
    passing: bool


@dataclass(frozen=True)
class Contents:
    """How many pictures there are and what hash they have; what was left out; what the user is told."""

    kept: int
    digest: str
    unreadable: list[Unreadable] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Pack:
    """Pictures as bytes, (N, size, size, channels), in ``<name>.u8``; their ``Contents`` in ``<name>.json``.

    A file of the size and the time stamp it was written with is trusted; any other is hashed before it is used.
    """

    def __init__(self, folder: Path, name: str, count: int, shape: tuple[int, int, int]) -> None:
        self.pixels, self.about = folder / f"{name}.u8", folder / f"{name}.json"
        self.count, self.shape = count, shape

    def read(self) -> tuple[np.ndarray, Contents] | None:
        """Pictures (N, channels, size, size) and contents; None if there are none, with a warning if all is damaged."""
        if not self.about.exists():
            return None
        try:
            saved = json.loads(self.about.read_text(encoding="utf-8"))
            contents = Contents(
                int(saved["kept"]),
                str(saved.get("digest", "")),
                [_unreadable(entry) for entry in saved["unreadable"]],
                [str(note) for note in saved.get("notes", [])],
            )
            left_out = {entry.index for entry in contents.unreadable}
            if not left_out <= set(range(self.count)) or contents.kept != self.count - len(left_out):
                raise ValueError(f"{self.about.name} is about other pictures")
            values = self.mapped(contents.kept)
            if saved.get("stamp") != self._stamp():
                contents = self._examined(values, contents)
        except Exception as error:  # what a damaged file holds can be anything
            log.warning("%s is damaged (%s): its pictures are decoded again", self.pixels, reason_of(error))
            return None
        return values, contents

    def write(self, rows: Iterable[np.ndarray]) -> int:
        """Writes the pictures, (size, size, channels) each, and returns their number."""
        kept = 0
        self.pixels.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.pixels) as aside, aside.open("wb") as file:
            for row in rows:
                file.write(row.data)
                kept += 1
            file.flush()
            os.fsync(file.fileno())
        return kept

    def describe(self, contents: Contents) -> None:
        """Says what was written: from here on there is a pack."""
        with replacing(self.about) as aside:
            aside.write_text(json.dumps({**asdict(contents), "stamp": self._stamp()}), encoding="utf-8")

    def mapped(self, kept: int) -> np.ndarray:
        """The pictures in the file, (N, channels, size, size), read from the disk as needed."""
        shape = (kept, *self.shape)
        if (size := self.pixels.stat().st_size) != math.prod(shape):
            raise ValueError(f"{size} bytes and not {math.prod(shape)}")
        values = np.memmap(self.pixels, np.uint8, mode="c", shape=shape) if kept else np.empty(shape, np.uint8)
        return values.transpose(0, 3, 1, 2)

    def _stamp(self) -> list[int]:
        found = self.pixels.stat()
        return [found.st_size, found.st_mtime_ns]

    def _examined(self, values: np.ndarray, contents: Contents) -> Contents:
        """A file that was copied, or written by an older version, if it holds the bytes that it should."""
        digest = digest_of(values)
        if contents.digest and digest != contents.digest:
            raise ValueError("other bytes than were written")
        contents = replace(contents, digest=digest)
        with suppress(OSError):  # where nothing can be written it is hashed each time
            self.describe(contents)
        return contents


def _unreadable(entry: Any) -> Unreadable:
    return Unreadable(**entry) if isinstance(entry, dict) else Unreadable(int(entry), "", False)
