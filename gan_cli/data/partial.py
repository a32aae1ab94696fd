"""A pack that is not finished: pictures, and a journal that says which of them are there. Torch-free."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

from gan_cli.data.canvas import Canvas
from gan_cli.data.contents import Repeated, Unreadable
from gan_cli.data.stretch import Extents, Stretch


class Partial:
    """The pictures of an import that is under way, ``.<name>.part``, and its journal, ``.<name>.done``.

    The first line of the journal says what is imported and how. Each further line is about one stretch, and holds a
    hash of itself and of the bytes of that stretch: after a kill, or a loss of power, what was written whole is kept.

    Args:
        canvas: of the pictures.
        facts: what must be the same for an import to go on: the number of pictures, the decoder.
    """

    def __init__(self, folder: Path, name: str, canvas: Canvas, facts: dict[str, object]) -> None:
        self.pixels, self.journal = folder / f".{name}.part", folder / f".{name}.done"
        self.canvas = canvas
        self.facts = json.loads(json.dumps({**facts, "canvas": canvas.marks()}))

    def size(self) -> int:
        """Bytes on the disk."""
        with suppress(OSError):
            return self.pixels.stat().st_size
        return 0

    def extents(self) -> Extents | None:
        """Lowest and highest values that an earlier process has found in the source, if it had to look."""
        try:
            with self.journal.open("rb") as lines:
                head = _unsealed(lines.readline(), b"")
        except (OSError, ValueError):
            return None
        if head is None or {key: head.get(key) for key in self.facts} != self.facts or head.get("extents") is None:
            return None
        return {mode: (low, high) for mode, (low, high) in head["extents"].items()}

    @contextmanager
    def opened(self, extents: Extents | None) -> Iterator[Writing]:
        """For one process alone: what is there, and room for more.

        Args:
            extents: what this import goes by; one that goes by something else is not gone on with.
        """
        for path in (self.pixels, self.journal):
            if path.is_symlink():  # that somebody left under this name must not lead out of the folder
                path.unlink()
        self.pixels.touch()  # before the journal, which would be about another file
        head = json.loads(json.dumps({**self.facts, "extents": extents}))
        with self.pixels.open("r+b") as pixels, self.journal.open("a+b") as journal:
            yield Writing(self, pixels, journal, head)

    def tidy(self) -> None:
        """Removes the journal of a pack that is whole, if a process was killed before it could."""
        if self.journal.exists() and not self.pixels.exists():
            self.drop()

    def drop(self) -> None:
        """Leaves nothing."""
        for path in (self.journal, self.pixels):
            with suppress(OSError):
                path.unlink()


class Writing:
    """An open ``Partial``."""

    def __init__(self, partial: Partial, pixels: BinaryIO, journal: BinaryIO, head: dict[str, object]) -> None:
        self._partial, self._pixels, self._journal, self._head = partial, pixels, journal, head

    def earlier(self) -> Iterator[Stretch]:
        """The stretches that are there, in order, up to the first that is torn; what comes after it is cut off."""
        self._journal.seek(0)
        self._pixels.seek(0)
        lines = iter(self._journal.readline, b"")
        whole = good = done = 0
        with suppress(ValueError, LookupError, TypeError):  # what is in a torn line can be anything
            if _unsealed(line := next(lines, b""), b"") == self._head:
                good = len(line)
                for line in lines:
                    said = json.loads(line)
                    data = self._pixels.read(int(said["kept"]) * self._partial.canvas.nbytes)
                    if (facts := _unsealed(line, data)) is None or facts["first"] != done:
                        break
                    yield self._stretch(facts, data)
                    good, whole, done = good + len(line), whole + len(data), facts["end"]
        self._journal.truncate(good)
        self._pixels.truncate(whole)
        self._pixels.seek(whole)
        if not good:
            self._journal.write(_sealed(self._head, b""))
            self._journal.flush()

    def _stretch(self, facts: dict, data: bytes) -> Stretch:
        return Stretch(
            facts["first"],
            facts["end"],
            np.frombuffer(data, self._partial.canvas.dtype).reshape(-1, *self._partial.canvas.shape),
            [Unreadable(*entry) for entry in facts["unreadable"]],
            [Repeated(*entry) for entry in facts["repeated"]],
            {mode: (low, high) for mode, (low, high) in facts["met"].items()},
            facts["moving"],
            facts["cut_short"],
        )

    def append(self, stretch: Stretch) -> None:
        """Writes one stretch, then the line that says so."""
        data = stretch.bytes()
        facts = {
            "first": stretch.first,
            "end": stretch.end,
            "kept": len(stretch.rows),
            "unreadable": [[entry.index, entry.why, entry.passing] for entry in stretch.unreadable],
            "repeated": [[entry.index, entry.of] for entry in stretch.repeated],
            "met": stretch.met,
            "moving": stretch.moving,
            "cut_short": stretch.cut_short,
        }
        self._pixels.write(data)
        self._pixels.flush()
        self._journal.write(_sealed(facts, data))
        self._journal.flush()

    def settle(self) -> None:
        """The pictures are on the disk, whatever happens to the machine."""
        self._pixels.flush()
        os.fsync(self._pixels.fileno())


def _sealed(facts: dict[str, object], data: bytes | memoryview) -> bytes:
    plain = json.loads(json.dumps(facts))
    return json.dumps({**plain, "hash": _hash(plain, data)}).encode() + b"\n"


def _unsealed(line: bytes, data: bytes) -> dict | None:
    """The facts of a line, if it is whole and about these bytes."""
    facts = json.loads(line) if line.endswith(b"\n") else {}
    if not isinstance(facts, dict):
        raise ValueError("no line of a journal")
    return facts if facts.pop("hash", None) == _hash(facts, data) else None


def _hash(facts: dict[str, object], data: bytes | memoryview) -> str:
    digest = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16)
    digest.update(data)
    return digest.hexdigest()
