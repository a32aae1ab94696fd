"""The idx files of MNIST and its kin: sizes, then numbers."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np

from gan_cli.data.published import Damaged

KINDS: dict[int, np.dtype[Any]] = {8: np.dtype(np.uint8), 12: np.dtype(">i4")}
BYTES = 2**30  # of a file; the largest published one has 316 MB


def read_idx(path: Path, kind: int, dimensions: int) -> np.ndarray:
    """The array in a file.

    Args:
        kind: 8 for bytes, 12 for whole numbers of 32 bits.

    Raises:
        Damaged: if the file is not what it should be; nothing is allocated then.
    """
    size = path.stat().st_size
    length = 4 + 4 * dimensions
    with path.open("rb") as file:
        head = file.read(length)
        if len(head) < length:
            raise Damaged(path, f"ends after {size} bytes")
        if head[:4] != bytes([0, 0, kind, dimensions]):
            raise Damaged(path, f"begins with {head[:4].hex()} and not with 0000{kind:02x}{dimensions:02x}")
        shape = struct.unpack(f">{dimensions}I", head[4:])
        whole = length + math.prod(shape) * KINDS[kind].itemsize
        if whole != size or size > BYTES:
            raise Damaged(path, f"holds {' × '.join(f'{n:,}' for n in shape)} by its head, and has {size:,} bytes")
    return np.fromfile(path, KINDS[kind], offset=length).reshape(shape)


def read_pair(pictures: Path, labels: Path, kind: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Pictures, uint8 (N, H, W), and their classes from 0 to 9, int64 (N,): of labels with columns, the first.

    Raises:
        Damaged: if one of the files is not what it should be, or the two do not belong together.
    """
    values = read_idx(pictures, 8, 3)
    found = read_idx(labels, kind, 1 if kind == 8 else 2).astype(np.int64)
    found = found if found.ndim == 1 else found[:, :1].reshape(-1)
    if len(found) != len(values):
        raise Damaged(labels, f"holds {len(found):,} labels for {len(values):,} pictures")
    if not len(values) or not all(values.shape):
        raise Damaged(pictures, "holds no pictures")
    if found.min() < 0 or found.max() > 9:
        raise Damaged(labels, f"holds the label {found[(found < 0) | (found > 9)][0]}, which is no digit")
    return values, found
