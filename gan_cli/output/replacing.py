"""Files that are never seen half written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write to, which takes the place of ``path`` when all is written: nobody ever sees half of one."""
    aside = path.with_name(f".{os.getpid()}.{path.name}")  # keeps the ending, which some writers go by
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
