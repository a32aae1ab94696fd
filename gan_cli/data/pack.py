"""A file of decoded pictures, and what is known about it in a JSON file beside it."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from gan_cli.data.canvas import Canvas
from gan_cli.data.samples import digest_of
from gan_cli.errors import Busy, Unwritable, reason_of
from gan_cli.output import lock, sealed_json
from gan_cli.output.replacing import replacing

log = logging.getLogger(__name__)
DOING, LONGEST_WAIT = "decoding these pictures", 86400.0
BLOCK, THREADS = 2**24, 8  # bytes of a file that are hashed at a time, by so many at most


@dataclass(frozen=True)
class Unreadable:
    """A picture that was left out: its position, why, and whether another try may find it readable."""

    index: int
    why: str
    passing: bool


@dataclass(frozen=True)
class Contents:
    """The number of pictures, their hash, the pictures that were left out, and notes for the user."""

    kept: int
    digest: str
    unreadable: list[Unreadable] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Pack:
    """Pictures (N, H, W, C), in ``<name>.u8``, or ``.f32`` at full depth; their ``Contents`` in ``<name>.json``.

    Every byte of both is held against a hash before it is used. A file that an older version wrote, without hashes of
    its blocks, is so once: from then on it has them.
    """

    def __init__(self, folder: Path, name: str, count: int, canvas: Canvas) -> None:
        self.pixels = folder / f"{name}.{'f32' if canvas.full_depth else 'u8'}"
        self.about, self.count, self.canvas = folder / f"{name}.json", count, canvas

    def read(self) -> tuple[np.ndarray, Contents] | None:
        """Pictures (N, C, H, W) and contents; None if there are none, with a warning if all is damaged."""
        if not self.about.exists():
            return None
        try:
            saved, as_written = sealed_json.read(self.about.read_text(encoding="utf-8"))
            if as_written is False or (as_written is None and "blocks" in saved):
                raise ValueError(f"{self.about.name} is altered")
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
            if "blocks" not in saved:
                contents = self._examined(values, contents)
            elif saved["blocks"] != self._blocks():
                raise ValueError("altered: not what its checksum says was written")
        except Exception as error:  # what a damaged file holds can be anything
            log.warning("%s is damaged (%s): its pictures are decoded again", self.pixels, reason_of(error))
            return None
        return values, contents

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """One process at a time writes a pack; true if this one has waited for another, which may have written it.

        Where nothing can be written nobody need be kept out.
        """
        name, waited = f".{self.about.stem}.lock", False
        with suppress(OSError, Unwritable):
            self.pixels.parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.take(self.pixels.parent, DOING, name=name)
            except Busy as error:
                waited = True
                log.info("%s", str(error).replace("wait for it, or end it", "this one waits for it"))
                lock.take(self.pixels.parent, DOING, LONGEST_WAIT, name)
        try:
            yield waited
        finally:
            lock.release(self.pixels.parent, name)

    def write(self, rows: Iterable[np.ndarray]) -> int:
        """Writes the pictures, (H, W, C) each, and returns their number."""
        kept = 0
        self.pixels.parent.mkdir(parents=True, exist_ok=True)
        for torn in self.pixels.parent.glob(f".*.{self.pixels.name}"):  # by processes that are gone: this one is alone
            torn.unlink(missing_ok=True)
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
            aside.write_text(sealed_json.written({**asdict(contents), "blocks": self._blocks()}), encoding="utf-8")

    def mapped(self, kept: int) -> np.ndarray:
        """The pictures in the file, (N, C, H, W), read from the disk as needed."""
        shape, kind = (kept, *self.canvas.shape), self.canvas.dtype
        if (size := self.pixels.stat().st_size) != kept * self.canvas.nbytes:
            raise ValueError(f"{size} bytes and not {kept * self.canvas.nbytes}")
        values = np.memmap(self.pixels, kind, mode="c", shape=shape) if kept else np.empty(shape, kind)
        return values.transpose(0, 3, 1, 2)

    def _blocks(self) -> list[str]:
        """A hash of each block of the file."""

        def digest(start: int) -> str:
            with self.pixels.open("rb") as file:
                file.seek(start)
                return hashlib.sha256(file.read(BLOCK)).hexdigest()

        with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as threads:
            return list(threads.map(digest, range(0, self.pixels.stat().st_size, BLOCK)))

    def _examined(self, values: np.ndarray, contents: Contents) -> Contents:
        """A file that an older version wrote, if it holds the bytes that it should."""
        digest = digest_of(values)
        if contents.digest and digest != contents.digest:
            raise ValueError("other bytes than were written")
        contents = replace(contents, digest=digest)
        with suppress(OSError):  # where nothing can be written it is hashed each time
            self.describe(contents)
        return contents


def _unreadable(entry: dict[str, Any] | int) -> Unreadable:
    return Unreadable(**entry) if isinstance(entry, dict) else Unreadable(entry, "", False)
