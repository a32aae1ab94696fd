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
from gan_cli.data.contents import Contents
from gan_cli.data.decoding import Decoding, PictureSource, extents_of
from gan_cli.data.formats import Unranged, decoder
from gan_cli.data.pack import Pack
from gan_cli.data.samples import digest_of
from gan_cli.data.sizes import size_of
from gan_cli.data.stretch import Extents
from gan_cli.errors import UserError
from gan_cli.output import disk
from gan_cli.output.amounts import size

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CachedPictures:
    """Decoded pictures.

    Attributes:
        values: (N, C, H, W), uint8, or float32 at full depth, read from the disk as needed.
        decoder: the decoder with its version.
    """

    values: np.ndarray
    contents: Contents
    decoder: str | None


def cached_pictures(root: Path, source: PictureSource, canvas: Canvas) -> CachedPictures:
    """The pictures of a source, from the cache of an earlier run, or decoded now.

    If the cache under ``root`` cannot be written, the pictures are decoded into memory, with a warning.

    Raises:
        UserError: if there is not enough memory for that, or the disk is too full.
    """
    pack = pack_of(root, source, canvas)
    seen, found = pack.stamp(), pack.read()
    if found and any(_opens(source, entry.index) for entry in found[1].unreadable if entry.passing):
        log.info("pictures that could not be read before can be read now: all are decoded again")
        found = None
    if found:
        pack.partial.tidy()
    else:
        with pack.alone():  # another process may have written it meanwhile
            found = pack.read() if pack.stamp() != seen else None
            if found is None:
                require_room(root, pack)
                found = decoded_now(source, canvas, pack)
    values, contents = found
    for note in contents.notes:
        log.warning("%s", note)
    return CachedPictures(values, contents, decoder() if source.rules > 1 else None)


def pack_of(root: Path, source: PictureSource, canvas: Canvas) -> Pack:
    """Where the decoded pictures of a source are, or will be."""
    return _pack(root, source, canvas, decoder())


def require_room(root: Path, pack: Pack) -> None:
    """Refuses an import that the disk cannot hold.

    Raises:
        UserError: with what it takes, and what is free.
    """
    needed, free = pack.needs(), disk.free(pack.pixels.parent)
    if needed > free:
        raise UserError(
            f"dataset.root={root}: {size(needed)} more are needed for {pack.count:,} decoded pictures, and "
            f"{size(free)} are free: make room, choose another dataset.root, or ask for fewer (dataset.limit) or "
            "smaller ones (dataset.size)"
        )


def decoded_by_others(root: Path, source: PictureSource, canvas: Canvas) -> Iterator[CachedPictures]:
    """The same pictures, as decoded by other versions of the decoder in the cache."""
    own = pack_of(root, source, canvas)
    tag, dash, _ = own.about.stem.partition("-")
    for about in sorted(own.about.parent.glob(f"{tag}-*.json")) if dash else []:
        other = about.stem.removeprefix(f"{tag}-")
        if about != own.about and (found := _pack(root, source, canvas, other).read()):
            yield CachedPictures(*found, other)


def _pack(root: Path, source: PictureSource, canvas: Canvas, decoded_by: str) -> Pack:
    stands_for = [source.rules, *source.identity, *canvas.marks(), *(source.range or ())]
    stands_for += ["once"] * source.once
    name = hashlib.blake2b(json.dumps(stands_for).encode(), digest_size=8).hexdigest()
    if source.rules > 1:
        name = f"{name}-{decoded_by}"
    return Pack(expanded(root, "dataset.root=") / "cache", name, len(source.items), canvas, decoded_by)


def decoded_now(source: PictureSource, canvas: Canvas, pack: Pack | None = None) -> tuple[np.ndarray, Contents]:
    """The pictures of a source, decoded into the pack, or into memory without one or if it cannot be written."""
    told = dict.fromkeys(("I;16", "I", "F"), source.range) if source.range else {}

    def work(extents: Extents | None) -> tuple[np.ndarray, Contents]:
        kept = _kept(pack, Decoding(source, canvas, told, extents)) if pack else None
        return kept or _held(Decoding(source, canvas, told, extents))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the decoder; what it cannot read is named
        try:
            return work(pack.partial.extents() if pack else None)
        except Unranged:
            return work(extents_of(source))


def _kept(pack: Pack, work: Decoding) -> tuple[np.ndarray, Contents] | None:
    try:
        contents = pack.write(work)
        return pack.mapped(contents.kept), contents
    except OSError as error:
        log.warning(
            "decoded pictures cannot be kept in %s (%s): they are decoded into memory, again in each run",
            *(pack.pixels.parent, error.strerror),
        )
        return None


def _held(work: Decoding) -> tuple[np.ndarray, Contents]:
    canvas = work.canvas
    try:
        rows = bytearray().join(stretch.bytes() for stretch in work.stretches())
        values = np.frombuffer(rows, canvas.dtype).reshape(-1, *canvas.shape)
    except MemoryError as error:
        needed = size(len(work.source.items) * canvas.nbytes)
        raise UserError(
            f"dataset.size={size_of(canvas.height, canvas.width)}: {needed} of pictures do not fit into "
            "memory: mend what keeps them from the disk, or ask for fewer or smaller ones"
        ) from error
    values = values.transpose(0, 3, 1, 2)
    return values, work.contents(digest_of(values))


def _opens(source: PictureSource, index: int) -> bool:
    try:
        with source.open(source.items[index]):
            return True
    except Exception:
        return False
