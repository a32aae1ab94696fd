"""Where a run trains: in this process, in several that it starts, or in several that were started for it.

Torch-free: the process that only watches others needs none.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from gan_cli.errors import Diverged, Interrupted, ProcessFailed, TimeUp, UserError
from gan_cli.output import lock
from gan_cli.parallel.place import GRACE, LOST, given
from gan_cli.parallel.task import Report, Task
from gan_cli.processes import cores, program
from gan_cli.runs.names import CHECKPOINT, numbered
from gan_cli.runs.observers.interrupts import came_late, ending_signals
from gan_cli.runs.status import status_of, write_status
from gan_cli.runs.time_limit import began

if TYPE_CHECKING:
    from gan_cli.config.library import Library
    from gan_cli.config.schema import Config
    from gan_cli.runs.observers.pruning import Pruner
    from gan_cli.runs.resume import Resumption

MOST_ON_FEW, CROWD = 8, 2  # processes that any machine may start, and for each core


def train_in_processes(
    config: Config,
    library: Library,
    path: Path,
    resumption: Resumption | None = None,
    *,
    live: bool = True,
    pruner: Pruner | None = None,
) -> float | None:
    """Trains a run, or an ensemble, in as many processes as its config says; arguments as ``gan_cli.runs.run.run``.

    Raises:
        ProcessFailed: if one of the processes ended too early.
    """
    if config.ensemble:
        from gan_cli.ensemble.together import run_ensemble

        return run_ensemble(config, library, path, resumption, live=live)
    if config.devices == 1:
        from gan_cli.runs.run import run

        return run(config, library, path, resumption, live=live, pruner=pruner)
    require_cores(config)
    task: Task = {
        "config": config.saved(),
        "config_dirs": [str(folder) for folder in library.own],
        "folder": str(path),
        "checkpoint": str(resumption.checkpoint) if resumption else None,
        "over": bool(resumption and resumption.over),
        "began": began(),
        "live": live,
        "pruner": {"rule": pruner.rule, "startup": pruner.startup} if pruner else None,
    }
    if place := given():
        from gan_cli.parallel.rank import lead

        return lead(task, place)
    return _start({**task, "logging": _logging()}, config.devices)


def require_cores(config: Config) -> None:
    """Refuses more processes than a machine without as many GPUs could ever run.

    Raises:
        UserError: with how many it could.
    """
    most = max(MOST_ON_FEW, CROWD * cores())
    if config.devices > most and not given():
        import torch

        if config.device == "cpu" or config.devices > torch.cuda.device_count():
            raise UserError(
                f"devices={config.devices}: without as many GPUs they share this machine's {cores()} cores: "
                f"use at most {most}"
            )


def _logging() -> dict[str, object]:
    """The configuration of the logging that Hydra has set up here, for the first process."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    found = OmegaConf.to_container(HydraConfig.get().job_logging, resolve=True)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def _start(task: Task, world: int) -> float | None:
    """Starts the processes, waits for them, and returns or raises what the first does."""
    path = Path(task["folder"])
    path.mkdir(parents=True, exist_ok=True)
    lock.take(path, lock.TRAINING)  # and the first process takes part in it
    try:
        return _together({**task, "lock": lock.number_of(path)}, world)
    finally:
        lock.release(path)


def _together(task: Task, world: int) -> float | None:
    with tempfile.TemporaryDirectory(prefix="gan-train-") as temporary:
        folder = Path(temporary)
        (folder / "task.json").write_text(json.dumps(task), encoding="utf-8")
        processes: list[subprocess.Popen[bytes]] = []
        try:
            with _forwarding(processes) as received:
                for rank in range(world):
                    processes.append(_process(folder, rank, world, task.get("lock")))
                codes = _wait(processes)
        finally:
            for process in processes:
                process.kill()
                process.communicate()
        return _verdict(folder, codes, received, Path(task["folder"]))


def _process(folder: Path, rank: int, world: int, held: int | None) -> subprocess.Popen[bytes]:
    """Starts process ``rank``; it ends when the pipe to it is closed, so that no process outlives this one.

    Args:
        held: the open file of the lock on the run folder, for the first of them.
    """
    threads, task = str(max(1, cores() // world)), f"{folder}:{rank}:{world}"
    env = {"OMP_NUM_THREADS": threads, **os.environ, "GAN_TRAIN_TASK": task}
    if sys.platform == "linux":
        env.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all on this machine, whatever its name resolves to
    with (folder / f"said-{rank}").open("wb") as said:
        return subprocess.Popen(
            program("gan_cli.parallel.rank"),
            env=env,
            stdin=subprocess.PIPE,
            stdout=None if rank == 0 else said,
            stderr=None if rank == 0 else said,
            start_new_session=True,  # a Ctrl-C reaches them through this process alone
            pass_fds=(held,) if rank == 0 and held is not None else (),
        )


@contextmanager
def _forwarding(processes: Sequence[subprocess.Popen[bytes]]) -> Iterator[list[int]]:
    """Forwards ending signals to the first process, which finishes its step with the others and saves."""
    received: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        received.append(number)
        for process in processes[:1]:
            process.send_signal(number)

    numbers = ending_signals() if threading.current_thread() is threading.main_thread() else []
    before = {number: signal.signal(number, forward) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(processes: Sequence[subprocess.Popen[bytes]]) -> list[int | None]:
    """Waits until the first process has ended, or another has failed and the first has had time to report it.

    Returns:
        The exit codes, None for processes that are still running.
    """

    def until(done: Callable[[], bool], seconds: float = float("inf")) -> None:
        deadline = time.monotonic() + seconds
        while not done() and time.monotonic() < deadline:
            time.sleep(0.02)

    first, *others = processes
    until(lambda: first.poll() is not None or any(process.poll() for process in others))
    until(lambda: first.poll() is not None, GRACE)
    if first.returncode == LOST:  # because another has ended
        until(lambda: any(process.poll() not in (None, 0, LOST) for process in others), GRACE)
    return [process.poll() for process in processes]


def _verdict(folder: Path, codes: Sequence[int | None], received: Sequence[int], path: Path) -> float | None:
    """Returns or raises what the first process did; if it ended because of another process, what that one did."""
    guilty = [rank for rank, code in enumerate(codes) if code not in (None, 0, LOST)]
    rank = 0 if codes[0] == 0 or not guilty else guilty[0]
    file = folder / f"report-{rank}.json"
    report: Report = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if report.keys() & {"value", "problems", "diverged"}:
        came_late(received[-1] if received else None)
    if "value" in report:
        return report["value"]
    if "problems" in report:
        raise UserError(*report["problems"])
    if "diverged" in report:
        raise Diverged(report["diverged"])
    if "signal" in report or (received and rank == 0):
        raise Interrupted(report.get("signal") or received[-1])
    if "time_limit" in report:
        raise TimeUp(report["time_limit"])
    how = report.get("fault") or _ending(codes[rank], folder / f"said-{rank}")
    reason = f"process {rank} (of 0 to {len(codes) - 1}) {how}"
    _note(path, reason)
    saved = numbered(path / "checkpoints", CHECKPOINT)
    hint = f"; continue: gan-train resume={path}" if saved else ""
    raise ProcessFailed(reason + hint) from (RuntimeError(report["trace"]) if "trace" in report else None)


def _ending(code: int | None, said: Path) -> str:
    """How a process ended that left no report."""
    if code is not None and code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    lines = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"ended with exit code {code}" + (f": {lines[-1]}" if lines else "")


def _note(path: Path, reason: str) -> None:
    """Writes the reason into ``status.json``, where the first process could not."""
    if status := status_of(path):
        with suppress(UserError):  # of a full disk: it must not hide what happened
            write_status(path, **{**status, "status": "failed", "reason": reason})
