"""Runs of a sweep in processes of their own: they end with their parent, share the GPUs, and save before they stop.

The launchers divide the threads: joblib gives each worker its part of the cores unless ``OMP_NUM_THREADS`` is set,
Slurm the cores that were requested.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from gan_cli.errors import Interrupted, UserError
from gan_cli.output import screen, streams
from gan_cli.runs import time_limit
from gan_cli.runs.observers.interrupts import HANG_UP, ending_signals, launchers_signal
from gan_cli.runs.status import folders_below, status_of

SAVES_WITHIN = 60.0  # seconds for the runs to finish their step and save
_stopped: Interrupted | None = None


def runs_at_once() -> int:
    """The number of parallel runs on this machine: one per GPU, or one per core, at most 8 because of their memory."""
    from joblib import cpu_count  # type: ignore[import-untyped]

    return len(_gpu_files()) or min(8, cpu_count())


def _gpu_files() -> list[str]:
    """The NVIDIA GPUs that this process may use, found without the driver's library."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name for name in chosen.split(",") if name.strip() not in ("", "-1")]
    return [file.name for file in Path("/dev").glob("nvidia[0-9]*")]


def python_first() -> None:
    """Makes the processes of launchers import Python's own modules before files in the current folder.

    Raises:
        UserError: if this Python cannot do that, and a file there has the name of one of Python's own modules.
    """
    os.environ["PYTHONSAFEPATH"] = "1"
    if sys.version_info < (3, 11):
        names = {path.stem for path in Path().glob("*.py")} & sys.stdlib_module_names
        if names:
            raise UserError(f"{min(names)}.py: hides Python's own module from the runs of this launcher: rename it")


def guard() -> None:
    """Makes joblib's workers end with this process, busy or idle, and leave the terminal's signals to it."""
    from joblib import parallel, register_parallel_backend

    backend: Any = parallel.BACKENDS["loky"]

    class Guarded(backend):
        def configure(self, *arguments: object, **options: object) -> int:
            options |= {"initializer": _begin_worker, "initargs": (os.getpid(),)}
            return super().configure(*arguments, **options)

    register_parallel_backend("loky", Guarded)


def _begin_worker(parent: int) -> None:
    streams.secure()
    for number in ending_signals():
        if number != signal.SIGTERM:  # that is what the parent says
            signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), name="end-with-parent", daemon=True).start()


def begin(name: str, device: str, began: float) -> Interrupted | None:
    """Prepares a launcher's process for a run; a worker of joblib's takes its GPU.

    Args:
        name: the name of the run, which begins each line on the screen.
        device: the device in the run's config.
        began: when the sweep did, whose runs share its ``time_limit``.

    Returns:
        Why it is not to begin, if an earlier run in this process was interrupted.
    """
    time_limit.begin(began)
    if multiprocessing.parent_process() is not None:
        take_gpu(device, multiprocessing.current_process().name)
        screen.begin_lines_with(name)
    return _stopped


def begin_no_more(interrupted: Interrupted) -> None:
    """After a signal: no other run begins here."""
    global _stopped
    _stopped = interrupted


def stop(interrupted: Interrupted) -> None:
    """After an interrupted run: begins no other here, and repeats the signal if a launcher waits for it."""
    begin_no_more(interrupted)
    if interrupted.signal_number in launchers_signal():
        signal.raise_signal(interrupted.signal_number)


def _end_with(parent: int) -> None:
    """Ends this process like ``kill -9`` when its parent is gone, so that it does not keep its run folder locked."""
    while os.getppid() == parent:
        time.sleep(0.1)
    os._exit(1)


def take_gpu(device: str, worker: str) -> None:
    """Assigns one of several GPUs to this worker, in turn, as the one that ``cuda`` means.

    Args:
        device: the device in the config; ``cuda:1`` is not changed.
        worker: the name of this process, which ends in its number, from 1.
    """
    if device not in ("auto", "cuda"):
        return
    import torch

    if (count := torch.cuda.device_count()) > 1:
        torch.cuda.set_device((int(worker.rpartition("-")[2]) - 1) % count)


@contextmanager
def stopped_together(folder: Path) -> Iterator[None]:
    """In this context, signals to this process are forwarded to the workers that train in ``folder``.

    They finish their step and save; then the sweep ends. A second signal ends it at once.

    Raises:
        Interrupted: after that.
    """

    def leave(number: int, frame: FrameType | None) -> None:
        os._exit(128 + number)

    def pass_on(number: int, frame: FrameType | None) -> None:
        children = {child.pid for child in multiprocessing.active_children()}
        if not children:  # the run is in this process, between two handlers
            raise Interrupted(number)
        for name in numbers:
            signal.signal(name, signal.SIG_IGN if name == HANG_UP else leave)
        told: set[int] = set()
        until = time.monotonic() + SAVES_WITHIN
        while (busy := _training(folder) & children) and time.monotonic() < until:
            for pid in busy - told:
                os.kill(pid, signal.SIGTERM)
                told.add(pid)
            time.sleep(0.05)
        raise Interrupted(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = ending_signals()
    before = {number: signal.signal(number, pass_on) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _training(folder: Path) -> set[int]:
    """The process ids of the runs below a folder that are training."""
    statuses = map(status_of, folders_below(folder))
    return {status["pid"] for status in statuses if status.get("status") == "running" and "pid" in status}
