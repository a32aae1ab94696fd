"""Pictures decoded once, in parallel, and read back from one file by later runs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gan_cli import screen
from gan_cli.data.images import decoded
from gan_cli.errors import UserError
from gan_cli.replacing import replacing


@dataclass(frozen=True)
class CachedPictures:
    """``values``: uint8 (N, C, H, W), read from the disk as needed; ``unreadable``: positions that were left out."""

    values: np.ndarray
    unreadable: list[int]


def cached_pictures(
    root: Path,
    identity: Sequence[Any],
    count: int,
    picture: Callable[[int], Image.Image],
    size: int,
    channels: int,
) -> CachedPictures:
    """Decodes ``picture(0) … picture(count − 1)``, or reads what an earlier run decoded from the same ``identity``.

    Raises:
        UserError: if the cache cannot be written.
    """
    tag = hashlib.blake2b(json.dumps([1, *identity]).encode(), digest_size=8).hexdigest()
    folder = root.expanduser() / "cache"
    pixels, about = folder / f"{tag}.u8", folder / f"{tag}.json"
    if not about.is_file():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _decode(pixels, about, count, picture, size, channels)
        except OSError as error:
            raise UserError(f"dataset.root={root}: cannot keep decoded pictures there: {error.strerror}") from error
    facts = json.loads(about.read_text())
    shape = (facts["kept"], size, size, channels)
    if not facts["kept"]:
        return CachedPictures(np.empty((0, channels, size, size), np.uint8), facts["unreadable"])
    if pixels.stat().st_size != int(np.prod(shape)):
        raise UserError(f"dataset.root={root}: {pixels} is damaged: delete it and {about.name}")
    values = np.memmap(pixels, np.uint8, mode="c", shape=shape)
    return CachedPictures(values.transpose(0, 3, 1, 2), facts["unreadable"])


def _decode(
    pixels: Path, about: Path, count: int, picture: Callable[[int], Image.Image], size: int, channels: int
) -> None:
    def decode(index: int) -> bytes | None:
        try:
            with picture(index) as image:
                return decoded(image, size, channels).tobytes()
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # what PIL raises for damaged files
            return None

    unreadable = []
    with (
        replacing(pixels) as aside,
        aside.open("wb") as file,
        ThreadPoolExecutor() as pool,
        screen.progress("decoding pictures", count) as tick,
    ):
        indices = iter(range(count))
        while chunk := list(islice(indices, 512)):  # bounds how far decoding runs ahead of writing
            for index, row in zip(chunk, pool.map(decode, chunk), strict=True):
                if row is None:
                    unreadable.append(index)
                else:
                    file.write(row)
                tick()
        file.flush()
        os.fsync(file.fileno())
    with replacing(about) as aside:
        aside.write_text(json.dumps({"kept": count - len(unreadable), "unreadable": unreadable}))
