"""Signals: after the first, the step is finished and saved; the second ends the process at once.

SIGHUP never counts as a second one, because the kernel and the shell each send one when a terminal is closed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType

from gan_cli.errors import Ended, Interrupted, TimeUp
from gan_cli.runs.time_limit import TimeLimit

ALWAYS = ("SIGINT", "SIGTERM")
UNLESS_IGNORED = ("SIGHUP", "SIGUSR1", "SIGUSR2")  # Slurm sends the last two before the end; nohup ignores the first
HANG_UP = signal.Signals.__members__.get("SIGHUP")  # the terminal was closed or the connection lost; Windows has none
_late: int | None = None


def ending_signals() -> list[int]:
    """SIGINT and SIGTERM; SIGHUP, SIGUSR1 and SIGUSR2 unless they are ignored, as the first is under ``nohup``."""
    known = signal.Signals.__members__
    heard = [
        known[name] for name in UNLESS_IGNORED if name in known and signal.getsignal(known[name]) != signal.SIG_IGN
    ]
    return [*(known[name] for name in ALWAYS), *heard]


def unwind_at_the_end() -> None:
    """Makes the other signals end a command like Ctrl-C where no training listens: half-written files are removed.

    A second signal ends it at once.
    """

    def unwind(number: int, frame: FrameType | None) -> None:
        for other in listened:
            signal.signal(other, signal.SIG_IGN if other == HANG_UP else signal.SIG_DFL)
        raise Ended(number)

    listened = [number for number in ending_signals() if signal.getsignal(number) == signal.SIG_DFL]
    for number in listened:
        signal.signal(number, unwind)


def deaf() -> None:
    """From here on the command ends with the code that it has, whoever tells it to end."""
    for number in ending_signals():
        signal.signal(number, signal.SIG_IGN)


def launchers_signal() -> list[int]:
    """The signal on which a launcher (submitit's) requeues its job, if this process is such a job."""
    number = signal.Signals.__members__.get("SIGUSR2")  # Windows has none
    return [number] if number is not None and callable(signal.getsignal(number)) else []


def came_late(number: int | None) -> None:
    """Keeps a signal that no longer interrupted the run to which it came: nothing else is to begin after it."""
    global _late
    _late = number


def late() -> Interrupted | None:
    """The signal that came too late to interrupt the run before, if one did; it is told once."""
    number = _late
    came_late(None)
    return Interrupted(number) if number is not None else None


class Interrupts:
    """Handles ending signals and the end of the time during a run; a context manager, and the last observer.

    Args:
        limit: of time, or None.
    """

    def __init__(self, steps: int, limit: TimeLimit | None = None) -> None:
        self.steps, self.limit = steps, limit
        self.received: int | None = None
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Interrupts:
        came_late(None)
        if threading.current_thread() is threading.main_thread():
            for number in ending_signals():
                if signal.getsignal(number) != signal.SIG_IGN or multiprocessing.parent_process() is None:
                    self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            again = self.received is not None and number == HANG_UP  # the kernel's, then the shell's
            signal.signal(number, signal.SIG_IGN if again else handler)
        if not isinstance(error, Interrupted):
            came_late(self.received)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            if number == HANG_UP:
                return
            os._exit(128 + number)
        self.received = number

    def __call__(self, step: int, statistics: object) -> None:
        """Raises Interrupted if a signal has come or the time is up; after the last step nothing is interrupted."""
        if step >= self.steps:
            return
        if self.received is not None:
            raise Interrupted(self.received)
        if self.limit is not None and self.limit.is_near():
            raise TimeUp(self.limit.limit)


def told_of(stop: Interrupted, step: int, folder: Path, *, saved: bool = True) -> str:
    """What a run says that was interrupted."""
    why = f" ({stop.reason})" if isinstance(stop, TimeUp) else ""
    return f"interrupted at step {step}{why}, {'saved' if saved else 'not saved'}; continue: gan-train resume={folder}"
