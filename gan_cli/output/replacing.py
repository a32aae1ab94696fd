"""Writes files so that no reader sees a part of one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from gan_cli.errors import Unwritable, UserError, reason_of


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A context with a temporary path, which replaces ``path`` at its end, and is removed if it fails."""
    aside = path.with_name(f".{os.getpid()}.{path.name}")  # keeps the ending, which some writers go by
    aside.unlink(missing_ok=True)  # a link that somebody left under this name must not lead out of the folder
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def flush_names(folder: Path) -> None:
    """Has the names of the files in a folder, such as that of one that was replaced, on the disk.

    Where a folder cannot be opened, as on Windows, that is left to the system.
    """
    try:
        number = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(number)
    finally:
        os.close(number)


def is_free(folder: Path) -> bool:
    """Whether a folder can be made under this name: nothing is there, or an empty folder."""
    return not os.path.lexists(folder) or (folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()))


@contextmanager
def making(folder: Path) -> Iterator[Path]:
    """A context with a temporary folder, which becomes ``folder`` at its end, and is removed if it fails.

    Raises:
        OSError: if ``folder`` is there, and not empty.
    """
    aside = folder.with_name(f".{os.getpid()}.{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)  # of a process of this number that was killed
    aside.mkdir()
    try:
        yield aside
        if folder.is_dir():
            folder.rmdir()
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def written(path: Path, then: str) -> Iterator[None]:
    """What keeps ``path`` from being written in this context is one line that names it.

    Args:
        then: what to do when the cause is mended.

    Raises:
        Unwritable: if it cannot be.
    """
    try:
        yield
    except OSError as error:
        raise Unwritable(path, error, then) from error


def require_writable(path: Path, typed: str) -> None:
    """Refuses a file, or the folder of one, before the work that it is to hold; makes neither.

    Args:
        typed: what the user types before it: ``out=``.

    Raises:
        UserError: if it cannot be written.
    """
    with _named(path, typed):
        folder = path if path.is_dir() else next(place for place in path.absolute().parents if place.exists())
        with TemporaryFile(dir=folder):
            pass


def put_text(path: Path, text: str, typed: str) -> None:
    """Writes a file that the user has named, and the folders around it.

    Args:
        typed: as of ``require_writable``.

    Raises:
        UserError: if it cannot be written.
    """
    with _named(path, typed):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as aside:
            aside.write_text(text, encoding="utf-8")


@contextmanager
def _named(path: Path, typed: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # a text of letters that no file holds, or a name that no file has
        raise UserError(f"{typed}{path}: cannot be written ({reason_of(error)}): give another file") from error
