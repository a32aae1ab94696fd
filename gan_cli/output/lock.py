"""One process at a time is at work in a folder, and the others are told which. Torch-free.

The lock is that of the system on the file ``.lock``, so a process that is killed leaves none behind, only the file: who
can lock it, is alone. Where a network file system keeps locks on one machine only, those of others are not seen.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname
from typing import Any

from gan_cli.errors import Busy, Unwritable

try:
    import fcntl
except ImportError:  # Windows has no advisory locks
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)
FILE = ".lock"
TRAINING = "training in this folder"  # what most locks are for
LOCK_WAIT = 10.0  # seconds that a killed process may still hold the lock of a folder
AT_LEAST = 0.5  # seconds to wait for somebody who only looks
NOT_HERE = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF)


@dataclass
class Lock:
    """Of one folder, held by this process; ``ours`` if it was not passed on by the one that started it."""

    file: Path
    number: int
    ours: bool


_held: dict[Path, Lock] = {}


def take(folder: Path, doing: str, wait: float = 0.0, name: str = FILE) -> None:
    """Takes a folder for this process, until it releases it or ends; nothing if it has it already.

    Args:
        doing: what another one would be doing there, for the error.
        wait: seconds for it to leave.
        name: of the file, where a folder has several locks.

    Raises:
        Busy: if another process has it.
        Unwritable: if the folder cannot be written.
    """
    file = folder.resolve() / name
    if fcntl is None or file in _held:
        return
    until = time.monotonic() + max(wait, AT_LEAST)
    try:
        while (number := _locked(file)) is None:
            if time.monotonic() >= until:
                raise Busy(f"{folder}: another process is {doing}{_who(file)}: wait for it, or end it")
            time.sleep(0.05)
        _held[file] = Lock(file, number, ours=True)
        _sign(number)
    except OSError as error:
        release(folder, name)
        raise Unwritable(folder, error, "or choose another folder") from error


def _locked(file: Path) -> int | None:
    """The locked file, or None if another process has it."""
    number = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        return None
    except OSError as error:
        if error.errno not in NOT_HERE:
            os.close(number)
            raise
        log.warning("%s: cannot be locked here (%s): nothing keeps a second process out", file.parent, error.strerror)
        return number
    with suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(number), file.stat()):
            _tell_of_another_machine(file)
            return number
    os.close(number)  # it was released, and its file removed, as we opened it
    return None


def _sign(number: int) -> None:
    """Says in the file who has it."""
    about = {"pid": os.getpid(), "host": gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    os.ftruncate(number, 0)
    os.pwrite(number, json.dumps(about).encode(), 0)


def _signed(file: Path) -> dict[str, Any]:
    try:
        about = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}


def _who(file: Path) -> str:
    about = _signed(file)
    if not about.keys() >= {"pid", "host", "since"}:
        return ""
    return f" (pid {about['pid']} on {about['host']} since {about['since']})"


def _tell_of_another_machine(file: Path) -> None:
    """A lock that is free was left by a process that is gone; of another machine, if its locks are seen here."""
    before = _signed(file)
    if before.get("host") not in (None, gethostname()):
        log.warning(
            "%s: was left by a process%s; if this file system does not share locks between machines, make sure that "
            "it has ended",
            *(file.parent, _who(file)),
        )


def adopt(folder: Path, number: int) -> None:
    """Takes part in the lock of the process that has started this one, which has passed on its open file."""
    file = folder.resolve() / FILE
    _held[file] = Lock(file, number, ours=False)


def number_of(folder: Path) -> int | None:
    """The open file of a lock that this process holds, to be passed on."""
    found = _held.get(folder.resolve() / FILE)
    return found.number if found else None


def release(folder: Path, name: str = FILE) -> None:
    """Leaves a folder to others, with nothing of the lock in it."""
    if found := _held.pop(folder.resolve() / name, None):
        if found.ours:
            with suppress(OSError):
                if os.path.samestat(os.fstat(found.number), found.file.stat()):  # else it is another's
                    found.file.unlink()
        os.close(found.number)


def release_all() -> None:
    """Leaves all folders that this process still holds."""
    for file in list(_held):
        release(file.parent, file.name)


def held(folder: Path) -> bool:
    """Whether a process is at work in a folder; where that cannot be known, a run that says so is believed."""
    if fcntl is None:
        return True
    try:
        number = os.open(folder / FILE, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(number)
    return False
