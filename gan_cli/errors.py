"""The errors that can end a run, each with its exit code."""

from __future__ import annotations

from pathlib import Path

from gan_cli.output.text import printable, shortened

LONGEST = 2000  # characters of a line about a mistake


class UserError(ValueError):
    """The user's command, config or data is wrong. One line for each problem: key, value and fix (exit code 2).

    Each is one line that can be read, whatever the value is made of.
    """

    def __init__(self, *problems: str) -> None:
        assert problems, "an error that says nothing"
        self.problems = tuple(shortened(printable(problem), LONGEST) for problem in problems)
        super().__init__("\n".join(self.problems))


class Diverged(ArithmeticError):
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

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"signal {signal_number}")
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number


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
    return said or next(iter(str(error).splitlines()), "") or type(error).__name__


def config_errors() -> tuple[type[Exception], ...]:
    """The error classes of Hydra and OmegaConf, which are imported only when this is called."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    return HydraException, OmegaConfBaseException
