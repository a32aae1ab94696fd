"""The errors that can end a run, each with its exit code."""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Iterator
from pathlib import Path

from gan_cli.output.text import printable, shortened

LONGEST = 2000  # characters of a line about a mistake
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
GONE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.ESTALE)


class Said:
    """An error that says all that its reader needs: a notebook shows no trace of it, but for HYDRA_FULL_ERROR=1."""

    def _render_traceback_(self) -> list[str]:
        assert isinstance(self, BaseException)
        if os.environ.get("HYDRA_FULL_ERROR"):
            return "".join(traceback.format_exception(self)).splitlines()
        return [f"{type(self).__name__}: {line}" for line in str(self).splitlines()]


class UserError(Said, ValueError):
    """The user's command, config or data is wrong. One line for each problem: key, value and fix (exit code 2).

    Each is one line that can be read, whatever the value is made of.
    """

    def __init__(self, *problems: str) -> None:
        assert problems, "an error that says nothing"
        self.problems = tuple(shortened(printable(problem), LONGEST) for problem in problems)
        super().__init__("\n".join(self.problems))


class Busy(UserError):
    """Another process is at work where this one would write."""


class Unwritable(UserError):
    """A file or a folder cannot be written.

    Args:
        then: what to do when the cause is mended.
    """

    def __init__(self, path: object, error: OSError, then: str) -> None:
        super().__init__(f"{path}: cannot be written ({reason_of(error)}): {_remedy(error)}, {then}")


class Diverged(Said, ArithmeticError):
    """Training has gone wrong (exit code 3).

    Attributes:
        reason: what is wrong and since when; the whole message says what can be done too.
    """

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(f"{reason}: {remedy}" if remedy else reason)
        self.reason = reason


class WentBack(Exception):
    """Training has gone wrong, and goes on from an earlier checkpoint."""

    def __init__(self, checkpoint: Path) -> None:
        super().__init__(f"goes on from {checkpoint}")
        self.checkpoint = checkpoint


class EarlyStop(Exception):
    """The watched metric has stopped improving, or other runs are better: the run is finished (exit code 0)."""


class Interrupted(Exception):
    """A signal arrived during training: the step is finished and saved (exit code 128 + signal)."""

    reason = "by a signal"

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"signal {signal_number}")
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number


class TimeUp(Interrupted):
    """The time limit is near: the step is finished and saved (exit code 124, as of ``timeout``)."""

    code = 124

    def __init__(self, limit: str) -> None:
        super().__init__(0)
        self.limit, self.exit_code, self.reason = limit, self.code, f"time_limit={limit} is up"


class Ended(KeyboardInterrupt):
    """A signal arrived outside of training: the command cleans up and ends (exit code 128 + signal)."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"signal {signal_number}")
        self.exit_code = 128 + signal_number


class ProcessFailed(RuntimeError):
    """One of the processes that train a run together ended before its time (exit code 1)."""


def reason_of(error: Exception) -> str:
    """The reason of an error in one line: the system's message, or the first line of the error, or its type."""
    said = error.strerror if isinstance(error, OSError) else None
    return said or first_line(error)


def first_line(error: BaseException) -> str:
    """The first line of an error, or its type."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def of_storage(error: BaseException) -> UserError | None:
    """The line for an error that a full, failing or forbidden disk is at the bottom of; None for any other.

    One that is told already is returned as it is.
    """
    for cause in _chain(error):
        if isinstance(cause, UserError):
            return cause
        if isinstance(cause, OSError) and cause.errno in (*FULL, *FORBIDDEN, errno.EIO, errno.ESTALE):
            return Unwritable(cause.filename or "a file", cause, "then try again")
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it, the first cause last."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _remedy(error: OSError) -> str:
    if error.errno in FULL:
        return "make room"
    if error.errno in FORBIDDEN:
        return "allow it"
    return "put the folder back as it was" if error.errno in GONE else "see to the disk"


def config_errors() -> tuple[type[Exception], ...]:
    """The error classes of Hydra and OmegaConf, which are imported only when this is called."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    return HydraException, OmegaConfBaseException
