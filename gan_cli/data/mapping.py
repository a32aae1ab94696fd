"""Files as arrays that are read from the disk as needed, and may be larger than memory. Torch-free."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np

NO_RESERVE = 0x4000  # of Linux, which Python names from 3.13 on


def array_of_file(
    path: Path, dtype: Any, shape: tuple[int, ...], offset: int = 0, order: Literal["C", "F"] = "C"
) -> np.ndarray:
    """A file as an array; what is written into it stays in this process.

    Linux keeps memory free for all that could be written, and refuses a file that is larger than it has, unless it is
    told that nothing will be.

    Args:
        offset: bytes before the first number.
    """
    if sys.platform != "linux":
        return np.memmap(path, dtype, mode="c", offset=offset, shape=shape, order=order)
    with path.open("rb") as file:
        flags, rights = mmap.MAP_PRIVATE | NO_RESERVE, mmap.PROT_READ | mmap.PROT_WRITE
        held = mmap.mmap(file.fileno(), 0, flags=flags, prot=rights)
    return np.ndarray.__new__(np.memmap, shape, dtype, buffer=held, offset=offset, order=order)
