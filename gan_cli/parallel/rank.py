"""The program of each process that trains a run together with others."""

from __future__ import annotations

import contextlib
import json
import logging.config
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch.distributed as dist

from gan_cli import distributed
from gan_cli.errors import Diverged, Interrupted, TimeUp, UserError, first_line
from gan_cli.exit_codes import exit_code
from gan_cli.output import lock, streams
from gan_cli.output.text import lines_of
from gan_cli.parallel.place import GRACE, LOST, Place, starts
from gan_cli.parallel.task import Report, Task
from gan_cli.runs import time_limit
from gan_cli.runs.observers.interrupts import ending_signals

TASK, ENDED, LEFT = "gan_cli/task", "gan_cli/ended", "gan_cli/left"  # keys in the store that torchrun or srun gives
_led = False


def main() -> None:
    """The process that ``gan_cli.parallel.launch`` starts; writes ``report-RANK.json`` for it."""
    streams.secure()
    if os.environ.get("GAN_TRAIN_TASK", "").count(":") < 2:
        sys.exit("gan_cli.parallel.rank: error: is started by gan-train devices=…, not by hand")
    folder, rank, world = os.environ["GAN_TRAIN_TASK"].rsplit(":", 2)
    place = Place(int(rank), int(world), int(rank))
    threading.Thread(target=_end_with_parent, args=(Path(folder),), daemon=True).start()
    task = json.loads(Path(folder, "task.json").read_text(encoding="utf-8"))
    if place.rank == 0:
        logging.config.dictConfig(task["logging"])
        time_limit.begin(task["began"])
        if (number := task.get("lock")) is not None:
            lock.adopt(Path(task["folder"]), number)
    report, code = _reported(lambda: train_part(task, place, dist.FileStore(f"{folder}/store", place.world)))
    Path(folder, f"report-{rank}.json").write_text(json.dumps(report), encoding="utf-8")
    if code == 0 and place.rank:
        threading.Event().wait()  # the first process may still be reading what we sent; it ends us when it is done
    sys.stdout.flush()
    os._exit(code)  # the backend may wait for a process that has ended


def _end_with_parent(folder: Path) -> None:
    """Ends this process when the one that started it is gone, and removes what that one could not: its folder."""
    sys.stdin.buffer.read()  # until the other end of the pipe is closed
    shutil.rmtree(folder, ignore_errors=True)  # both of several try
    os._exit(1)


def _reported(action: Callable[[], float | None]) -> tuple[Report, int]:
    """What an action returns or raises, and the exit code for it."""
    try:
        return {"value": action()}, 0
    except BaseException as error:
        report = _report_of(error)
        return report, LOST if "fault" in report and _lost(error) else exit_code(error)


def _report_of(error: BaseException) -> Report:
    """How a process ended that an error ended."""
    if isinstance(error, UserError):
        return {"problems": list(error.problems)}
    if isinstance(error, Diverged):
        return {"diverged": str(error)}
    if isinstance(error, TimeUp):
        return {"time_limit": error.limit}
    if isinstance(error, Interrupted | KeyboardInterrupt):
        return {"signal": exit_code(error) - 128}
    words = f"{type(error).__name__}: {first_line(error)}"
    return {"fault": f"failed: {words}", "trace": "".join(traceback.format_exception(error))}


def _lost(error: BaseException) -> bool:
    """Whether an error comes from the end of another process."""
    return isinstance(error, dist.DistError) or any(word in str(error) for word in ("gloo", "NCCL", "peer"))


def train_part(task: Task, place: Place, store: dist.Store) -> float | None:
    """Trains this process's part of a run.

    Returns:
        In the first process, the best value of the watched metric, if one is watched.
    """
    from gan_cli.config.library import Library
    from gan_cli.config.schema import from_saved
    from gan_cli.runs import checkpoint
    from gan_cli.runs.follow import follow
    from gan_cli.runs.observers.pruning import Pruner
    from gan_cli.runs.resume import Resumption
    from gan_cli.runs.run import run
    from gan_cli.training.devices import pick_device

    library = Library(*task["config_dirs"])
    config = from_saved(task["config"], library)
    folder, resumption = Path(task["folder"]), None
    if task["checkpoint"]:
        path = Path(task["checkpoint"])
        resumption = Resumption(folder, path, checkpoint.load(path), config, task["over"])
    if place.rank:
        logging.disable()
        for number in ending_signals():
            signal.signal(number, signal.SIG_IGN)  # the first process decides after which step all end
    device = pick_device(config.device, place.local)
    with distributed.joined(store, place.rank, place.world, place.local, device):
        if place.rank == 0:
            pruner = Pruner(**task["pruner"], folder=folder) if task["pruner"] else None
            return run(config, library, folder, resumption, live=task["live"], pruner=pruner)
        follow(config, library, folder, resumption)
    return None


def lead_or_follow(place: Place, command: Callable[[], int]) -> int:
    """The program of a process that torchrun or srun has started: the first runs the command, others wait for a task.

    Returns:
        The exit code.
    """
    if place.rank == 0:
        try:
            return command()
        finally:
            _dismiss(place)
    store = _meet(place)
    store.wait([TASK], distributed.LONGEST_WAIT)
    task = json.loads(store.get(TASK))
    if task is None:
        return 0
    threading.Thread(target=_end_with_first, args=(place,), daemon=True).start()
    report, code = _reported(lambda: train_part(task, place, dist.PrefixStore("gan_cli", store)))
    if code:
        print(lines_of(report.get("trace") or "\n".join(report["problems"])), file=sys.stderr, flush=True)
        os._exit(code)
    threading.Event().wait()
    return 0


def lead(task: Task, place: Place) -> float | None:
    """Sends the task to the other processes, and trains the first process's part."""
    global _led
    store, _led = _meet(place), True
    store.set(TASK, json.dumps(task))
    return train_part(task, place, dist.PrefixStore("gan_cli", store))


def _meet(place: Place) -> dist.Store:
    """The store that all processes share. torchrun keeps its entries when it restarts them, hence the prefix."""
    store = next(iter(dist.rendezvous("env://", rank=place.rank, world_size=place.world)))[0]
    return dist.PrefixStore(f"gan_cli/start-{starts()}", store)


def _dismiss(place: Place) -> None:
    """Tells the other processes that the first is done, and waits until they have read it."""
    store = _meet(place)
    if not _led:
        return store.set(TASK, "null")
    store.set(ENDED, "")
    deadline = time.monotonic() + GRACE
    while store.add(LEFT, 0) < place.world - 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    return None


def _end_with_first(place: Place) -> None:
    with contextlib.suppress(Exception):
        store = _meet(place)
        store.wait([ENDED], distributed.LONGEST_WAIT)
        store.add(LEFT, 1)
        os._exit(0)
    os._exit(LOST)  # the store is gone, and with it the first process


if __name__ == "__main__":
    main()
