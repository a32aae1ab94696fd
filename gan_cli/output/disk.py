"""How much room a disk has, and sizes for people. Torch-free."""

from __future__ import annotations

import shutil
from pathlib import Path


def free(folder: Path) -> int:
    """Bytes that are free where a folder is, or will be."""
    return shutil.disk_usage(next(place for place in (folder, *folder.absolute().parents) if place.exists())).free


def shown(size: float) -> str:
    """Bytes for people."""
    for unit, factor in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20)):
        if size >= 10 * factor or (unit == "MiB" and size >= factor):
            return f"{size / factor:,.0f} {unit}"
    return f"{size / 2**10:,.0f} KiB"
