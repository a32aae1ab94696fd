"""Signals: after the first, the step is finished and saved; the second ends the process at once.

SIGHUP never counts as a second one, because the kernel and the shell each send one when a terminal is closed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

from gan_cli.errors import Ended, Interrupted

HANG_UP = signal.Signals.__members__.get("SIGHUP")  # the terminal was closed or the connection lost; Windows has none


def ending_signals() -> list[int]:
    """SIGINT, SIGTERM, and SIGHUP unless it is ignored, as under ``nohup``."""
    heard = HANG_UP is not None and signal.getsignal(HANG_UP) != signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([HANG_UP] if HANG_UP is not None and heard else [])]


def unwind_at_the_end() -> None:
    """Makes SIGTERM and SIGHUP end a command like Ctrl-C, so that half-written files are removed.

    A second signal ends it at once.
    """

    def unwind(number: int, frame: FrameType | None) -> None:
        for other in listened:
            signal.signal(other, signal.SIG_IGN if other == HANG_UP else signal.SIG_DFL)
        raise Ended(number)

    listened = [number for number in ending_signals() if signal.getsignal(number) == signal.SIG_DFL]
    for number in listened:
        signal.signal(number, unwind)


def launchers_signal() -> list[int]:
    """The signal on which a launcher (submitit's) requeues its job, if this process is such a job."""
    number = signal.Signals.__members__.get("SIGUSR2")  # Windows has none
    return [number] if number is not None and callable(signal.getsignal(number)) else []


class Interrupts:
    """Handles ending signals during training; a context manager, and the last observer.

    If a launcher waits for it, so is the signal that Slurm sends when the time is up.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.received: int | None = None
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (*ending_signals(), *launchers_signal()):
                if signal.getsignal(number) != signal.SIG_IGN or multiprocessing.parent_process() is None:
                    self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            again = self.received is not None and number == HANG_UP  # while the run is saved
            signal.signal(number, signal.SIG_IGN if again else handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            if number == HANG_UP:
                return
            os._exit(128 + number)
        self.received = number

    def __call__(self, step: int, statistics: object) -> None:
        if self.received is not None and step < self.steps:  # after the last step there is nothing left to interrupt
            raise Interrupted(self.received)
