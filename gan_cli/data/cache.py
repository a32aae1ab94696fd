"""A cache of decoded pictures: decoded once, in parallel, and read from one file by later runs."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gan_cli.config.paths import expanded
from gan_cli.data.canvas import Canvas
from gan_cli.data.decoding import Decoding, PictureSource, extents_of
from gan_cli.data.formats import Unranged, decoder
from gan_cli.data.pack import Contents, Pack, Unreadable
from gan_cli.data.sizes import size_of
from gan_cli.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CachedPictures:
    """Decoded pictures.

    Attributes:
        values: (N, C, H, W), uint8, or float32 at full depth, read from the disk as needed.
        unreadable: the pictures that were left out.
        digest: a hash of the values.
        decoder: the decoder with its version.
    """

    values: np.ndarray
    unreadable: list[Unreadable]
    digest: str
    decoder: str | None


def cached_pictures(root: Path, source: PictureSource, canvas: Canvas) -> CachedPictures:
    """The pictures of a source, from the cache of an earlier run, or decoded now.

    If the cache under ``root`` cannot be written, the pictures are decoded into memory, with a warning.

    Raises:
        UserError: if there is not enough memory for that.
    """
    pack = _pack(root, source, canvas, decoder())
    found = pack.read()
    if found and any(_opens(source, entry.index) for entry in found[1].unreadable if entry.passing):
        log.info("pictures that could not be read before can be read now: all are decoded again")
        found = None
    if found is None:
        with pack.alone() as waited:
            found = (pack.read() if waited else None) or _decode(source, canvas, pack)
    values, contents = found
    for note in contents.notes:
        log.warning("%s", note)
    return CachedPictures(values, contents.unreadable, contents.digest, decoder() if source.rules > 1 else None)


def decoded_by_others(root: Path, source: PictureSource, canvas: Canvas) -> Iterator[CachedPictures]:
    """The same pictures, as decoded by other versions of the decoder in the cache."""
    own = _pack(root, source, canvas, decoder())
    tag, dash, _ = own.about.stem.partition("-")
    for about in sorted(own.about.parent.glob(f"{tag}-*.json")) if dash else []:
        other = about.stem.removeprefix(f"{tag}-")
        if about != own.about and (found := _pack(root, source, canvas, other).read()):
            yield CachedPictures(found[0], found[1].unreadable, found[1].digest, other)


def _pack(root: Path, source: PictureSource, canvas: Canvas, decoded_by: str) -> Pack:
    stands_for = [source.rules, *source.identity, *canvas.marks(), *(source.range or ())]
    name = hashlib.blake2b(json.dumps(stands_for).encode(), digest_size=8).hexdigest()
    if source.rules > 1:
        name = f"{name}-{decoded_by}"
    return Pack(expanded(root, "dataset.root=") / "cache", name, len(source.items), canvas)


def _decode(source: PictureSource, canvas: Canvas, pack: Pack) -> tuple[np.ndarray, Contents]:
    """Decodes all pictures into the pack, or into memory if the pack cannot be written."""
    told = dict.fromkeys(("I;16", "I", "F"), source.range) if source.range else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the decoder; what it cannot read is named
        try:
            work = Decoding(source, canvas, told, None)
            return _kept(pack, work) or _held(work)
        except Unranged:
            work = Decoding(source, canvas, {}, extents_of(source))
            return _kept(pack, work) or _held(work)


def _kept(pack: Pack, work: Decoding) -> tuple[np.ndarray, Contents] | None:
    try:
        values = pack.mapped(pack.write(work.rows()))
        contents = work.contents(values)
        pack.describe(contents)
    except OSError as error:
        log.warning(
            "decoded pictures cannot be kept in %s (%s): they are decoded into memory, again in each run",
            *(pack.pixels.parent, error.strerror),
        )
        return None
    return values, contents


def _held(work: Decoding) -> tuple[np.ndarray, Contents]:
    canvas = work.canvas
    try:
        values = np.frombuffer(bytearray().join(row.data.cast("B") for row in work.rows()), canvas.dtype)
        values = values.reshape(-1, *canvas.shape)
    except MemoryError as error:
        needed = len(work.source.items) * canvas.nbytes / 2**20
        raise UserError(
            f"dataset.size={size_of(canvas.height, canvas.width)}: {needed:,.0f} MiB of pictures do not fit into "
            "memory: mend what keeps them from the disk, or ask for fewer or smaller ones"
        ) from error
    values = values.transpose(0, 3, 1, 2)
    return values, work.contents(values)


def _opens(source: PictureSource, index: int) -> bool:
    try:
        with source.open(source.items[index]):
            return True
    except Exception:
        return False
