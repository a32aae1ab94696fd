"""Signals: the first lets the step finish and be saved, the second leaves at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from gan_cli.errors import Interrupted


def launchers_signal() -> list[int]:
    """The signal on which a launcher queues its job again (submitit's), if this process is such a job."""
    number = getattr(signal, "SIGUSR2", None)  # Windows has none
    return [number] if number is not None and callable(signal.getsignal(number)) else []


class Interrupts:
    """A context manager around the training and its last observer.

    SIGINT and SIGTERM; and the signal by which Slurm says that the time is up, where a launcher waits for it.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, *launchers_signal()):
                if signal.getsignal(number) != signal.SIG_IGN or multiprocessing.parent_process() is None:
                    self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            os._exit(128 + number)
        self.received = number

    def __call__(self, step: int, statistics: Any) -> None:
        if self.received is not None and step < self.steps:  # after the last step there is nothing left to interrupt
            raise Interrupted(self.received)
