"""Files that somebody has published, and what is wrong with those that are there."""

from __future__ import annotations

import codecs
import hashlib
import io
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

RECONSTRUCT = np.zeros(0).__reduce__()[0]
CONTAINERS = {  # all that a pickle of arrays, lists and texts asks for
    ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): codecs.encode,
}


class Damaged(ValueError):
    """A file of a dataset that is not what was published."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} {why}")
        self.path, self.why = path, why


class Part(NamedTuple):
    """A file of a dataset, and its MD5 where one is published."""

    path: Path
    md5: str | None = None


def require_published(parts: Iterable[Part]) -> None:
    """Raises Damaged if one of the files that are there has another checksum than the published one."""
    for path, md5 in parts:
        if md5 and path.is_file():
            with path.open("rb") as file:
                _compare(path, _digest(file), md5)


def unpickled(part: Part) -> dict[str, Any]:
    """What a pickle of the published bytes holds: those bytes are read once, and no others are ever unpickled.

    It is given arrays, lists and texts, whatever else it may ask for.

    Raises:
        Damaged: if the file has another checksum, or holds something else.
    """
    path, md5 = part
    assert md5
    data = path.read_bytes()
    _compare(path, _digest(io.BytesIO(data)), md5)
    try:
        found = _Containers(io.BytesIO(data), encoding="latin1").load()
    except Exception as error:  # what a pickle of other things does can be anything
        raise Damaged(path, f"is no table of pictures ({error})") from error
    if not isinstance(found, dict):
        raise Damaged(path, "is no table of pictures")
    return found


class _Containers(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in CONTAINERS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}"[:80])
        return CONTAINERS[module, name]


def _digest(file: io.BufferedIOBase) -> str:
    digest = hashlib.md5(usedforsecurity=False)  # it is what was published
    while block := file.read(2**20):
        digest.update(block)
    return digest.hexdigest()


def _compare(path: Path, found: str, md5: str) -> None:
    if found != md5:
        raise Damaged(path, f"is not the published file (MD5 {found}, not {md5})")
