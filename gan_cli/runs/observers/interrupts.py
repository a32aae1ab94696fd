"""Signals: the first lets the step finish and be saved, the second leaves at once.

A SIGHUP is never a second one: of a terminal that is closed, the kernel and the shell each send one.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from gan_cli.errors import Ended, Interrupted

HANG_UP = signal.Signals.__members__.get("SIGHUP")  # the terminal was closed or the connection lost; Windows has none


def ending_signals() -> list[int]:
    """SIGINT, SIGTERM, and SIGHUP unless it is ignored, as under ``nohup``."""
    heard = HANG_UP is not None and signal.getsignal(HANG_UP) != signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([HANG_UP] if HANG_UP is not None and heard else [])]


def unwind_at_the_end() -> None:
    """Where no training listens, SIGTERM and SIGHUP end a command as Ctrl-C does: what is half written is removed.

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
    """The signal on which a launcher queues its job again (submitit's), if this process is such a job."""
    number = signal.Signals.__members__.get("SIGUSR2")  # Windows has none
    return [number] if number is not None and callable(signal.getsignal(number)) else []


class Interrupts:
    """A context manager around the training and its last observer.

    Those that end a program; and the one by which Slurm says that the time is up, where a launcher waits for it.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.received: int | None = None
        self._before: dict[int, Any] = {}

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

    def __call__(self, step: int, statistics: Any) -> None:
        if self.received is not None and step < self.steps:  # after the last step there is nothing left to interrupt
            raise Interrupted(self.received)
