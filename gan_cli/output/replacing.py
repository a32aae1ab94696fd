"""Writes files so that no reader sees a part of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A context with a temporary path, which replaces ``path`` at its end, and is removed if it fails."""
    aside = path.with_name(f".{os.getpid()}.{path.name}")  # keeps the ending, which some writers go by
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
