"""A file of decoded pictures, and what is known about it in a JSON file beside it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from gan_cli.data.canvas import Canvas
from gan_cli.data.contents import Contents, Repeated, Unreadable
from gan_cli.data.decoding import Decoding
from gan_cli.data.mapping import array_of_file
from gan_cli.data.partial import Partial
from gan_cli.errors import Busy, Unwritable, reason_of
from gan_cli.output import lock, sealed_json
from gan_cli.output.replacing import replacing
from gan_cli.processes import cores

log = logging.getLogger(__name__)
DOING, LONGEST_WAIT = "decoding these pictures", 86400.0
BLOCK, THREADS = 2**24, 8  # bytes of a file that are hashed at a time, by so many at most


class Pack:
    """Pictures (N, H, W, C), in ``<name>.u8``, or ``.f32`` at full depth; their ``Contents`` in ``<name>.json``.

    Every byte of both is held against a hash before it is used. A file that an older version wrote, without hashes of
    its blocks, is so once: from then on it has them.
    """

    def __init__(self, folder: Path, name: str, count: int, canvas: Canvas, decoder: str) -> None:
        self.pixels = folder / f"{name}.{'f32' if canvas.full_depth else 'u8'}"
        self.about, self.count, self.canvas = folder / f"{name}.json", count, canvas
        self.partial = Partial(folder, name, canvas, {"count": count, "decoder": decoder})

    def read(self) -> tuple[np.ndarray, Contents] | None:
        """Pictures (N, C, H, W) and contents; None if there are none, with a warning if all is damaged."""
        if not self.about.exists() or (self.partial.pixels.exists() and not self.pixels.exists()):
            return None  # or it is about to be there: see ``write``
        try:
            saved, as_written = sealed_json.read(self.about.read_text(encoding="utf-8"))
            if as_written is False or (as_written is None and "blocks" in saved):
                raise ValueError(f"{self.about.name} is altered")
            contents = Contents(
                int(saved["kept"]),
                str(saved.get("digest", "")),
                [_unreadable(entry) for entry in saved["unreadable"]],
                [str(note) for note in saved.get("notes", [])],
                [Repeated(**entry) for entry in saved.get("repeated", [])],
            )
            left_out = set(contents.left_out)
            if not left_out <= set(range(self.count)) or contents.kept != self.count - len(left_out):
                raise ValueError(f"{self.about.name} is about other pictures")
            values = self.mapped(contents.kept)
            if "blocks" not in saved:
                contents = self._examined(contents)
            elif saved["blocks"] != _blocks(self.pixels):
                raise ValueError("altered: not what its checksum says was written")
        except Exception as error:  # what a damaged file holds can be anything
            log.warning("%s is damaged (%s): its pictures are decoded again", self.pixels, reason_of(error))
            return None
        return values, contents

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One process at a time writes a pack, and the others wait.

        Where nothing can be written nobody need be kept out.
        """
        name = f".{self.about.stem}.lock"
        with suppress(OSError, Unwritable):
            self.pixels.parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.take(self.pixels.parent, DOING, name=name)
            except Busy as error:
                log.info("%s", str(error).replace("wait for it, or end it", "this one waits for it"))
                lock.take(self.pixels.parent, DOING, LONGEST_WAIT, name)
        try:
            yield
        finally:
            lock.release(self.pixels.parent, name)

    def stamp(self) -> tuple[int, int] | None:
        """Changes whenever somebody has written the pack."""
        with suppress(OSError):
            facts = self.about.stat()
            return facts.st_ino, facts.st_mtime_ns
        return None

    def needs(self) -> int:
        """Bytes that are still to be written, if all pictures can be read."""
        return self.count * self.canvas.nbytes - self.partial.size()

    def write(self, work: Decoding) -> Contents:
        """Decodes the pictures and writes them; goes on where an earlier process was interrupted.

        If the disk cannot be written, nothing of it stays. Whenever this ends, either the pack is whole or the next
        process can go on: what is known about the pictures is written before they get their name.
        """
        self.pixels.parent.mkdir(parents=True, exist_ok=True)
        for torn in self.pixels.parent.glob(f".*.{self.pixels.name}"):  # by older versions that were interrupted
            torn.unlink(missing_ok=True)
        partial = self.partial
        try:
            with partial.opened(work.extents) as file:
                for stretch in file.earlier():
                    work.resume(stretch)
                if work.done:
                    log.info(
                        "goes on with an import that was interrupted: %s of %s pictures are there",
                        *(f"{work.done:,}", f"{self.count:,}"),
                    )
                for stretch in work.stretches():
                    file.append(stretch)
                file.settle()
            contents = work.contents(self._digest(partial.pixels, work.kept))
            self.pixels.unlink(missing_ok=True)
            self._describe(contents, partial.pixels)
            partial.pixels.replace(self.pixels)
        except OSError:
            partial.drop()
            raise
        partial.drop()
        return contents

    def _describe(self, contents: Contents, pixels: Path) -> None:
        """Says what is in the file of the pictures."""
        with replacing(self.about) as aside:
            facts = {**asdict(contents), "blocks": _blocks(pixels)}
            aside.write_text(sealed_json.written(facts), encoding="utf-8")

    def mapped(self, kept: int) -> np.ndarray:
        """The pictures in the file, (N, C, H, W), read from the disk as needed."""
        shape, kind = (kept, *self.canvas.shape), self.canvas.dtype
        if (size := self.pixels.stat().st_size) != kept * self.canvas.nbytes:
            raise ValueError(f"{size} bytes and not {kept * self.canvas.nbytes}")
        values = array_of_file(self.pixels, kind, shape) if kept else np.empty(shape, kind)
        return values.transpose(0, 3, 1, 2)

    def _digest(self, pixels: Path, kept: int) -> str:
        """``digest_of`` the pictures in a file, none of which is mapped or kept in memory."""
        digest = hashlib.blake2b(
            f"{np.dtype(self.canvas.dtype).str} {(kept, *self.canvas.shape)}".encode(), digest_size=16
        )
        with pixels.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
        return digest.hexdigest()

    def _examined(self, contents: Contents) -> Contents:
        """A file that an older version wrote, if it holds the bytes that it should."""
        digest = self._digest(self.pixels, contents.kept)
        if contents.digest and digest != contents.digest:
            raise ValueError("other bytes than were written")
        contents = replace(contents, digest=digest)
        with suppress(OSError):  # where nothing can be written it is hashed each time
            self._describe(contents, self.pixels)
        return contents


def _blocks(pixels: Path) -> list[str]:
    """A hash of each block of a file."""

    def digest(start: int) -> str:
        with pixels.open("rb") as file:
            file.seek(start)
            return hashlib.sha256(file.read(BLOCK)).hexdigest()

    with ThreadPoolExecutor(min(THREADS, cores())) as threads:
        return list(threads.map(digest, range(0, pixels.stat().st_size, BLOCK)))


def _unreadable(entry: dict[str, Any] | int) -> Unreadable:
    return Unreadable(**entry) if isinstance(entry, dict) else Unreadable(entry, "", False)
