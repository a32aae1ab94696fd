"""How much room a disk has. Torch-free."""

from __future__ import annotations

import shutil
from pathlib import Path


def free(folder: Path) -> int:
    """Bytes that are free where a folder is, or will be."""
    return shutil.disk_usage(next(place for place in (folder, *folder.absolute().parents) if place.exists())).free
