"""Commands in processes of their own that start in a moment: forks of one that has imported everything."""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # conftest, own_games

import conftest  # noqa: F401  (one thread)
import hydra.core.utils  # noqa: F401
import matplotlib.figure  # noqa: F401
import torch
import torch._dynamo
import torch.utils.tensorboard.summary

import gan_cli.commands.dry_run.command
import gan_cli.ensemble.together
import gan_cli.metrics.evaluation
import gan_cli.runs.run  # noqa: F401
from gan_cli import cli
from gan_cli.commands.sampling.keys import SAMPLING
from gan_cli.commands.tool import EVALUATION

torch.set_num_threads(1)
FILE_EVENTS = ("open", "os.rename", "os.mkdir", "os.remove", "os.truncate", "shutil.rmtree")


@dataclass
class Ended:
    """How a process ended: its exit code, or minus the number of the signal that killed it; what it said on stderr."""

    code: int
    err: str

    @property
    def had_finished(self) -> bool:
        """Whether the run was whole before the fault, so that ``resume=`` has nothing to do."""
        return self.code == 2 and "nothing left to train" in self.err

    @property
    def errors(self) -> list[str]:
        return [line for line in self.err.splitlines() if ": error: " in line]


def writes(event: str, arguments: tuple) -> bool:
    """Whether an audit event changes the disk outside of the system's own files."""
    if event not in FILE_EVENTS or str(arguments[0]).startswith(("/dev", "/proc", "/sys")):
        return False
    if event != "open":
        return True
    _, mode, flags = arguments
    return bool(mode and set(mode) & set("wax+")) or bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def start(folder: Path, command: Sequence[str], before: Callable[[], None] = lambda: None) -> tuple[int, int]:
    """Starts ``gan-train …`` (or ``gan-sample``, ``gan-eval``, ``gan-report``) in a folder.

    Args:
        before: called in the new process.

    Returns:
        Its number, and the end of a pipe from which its stderr is to be read.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer Pythons do not like threads at a fork; those of torch do nothing yet
        pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        os.dup2(writing, 2)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.close(reading)
        sys.stdout, sys.stderr = (open(n, "w", encoding="utf-8", closefd=False) for n in (1, 2))  # noqa: SIM115
        sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        os.chdir(folder)
        sys.argv = list(command)
        doors = {
            "gan-train": cli.main,
            "gan-sample": lambda: cli.enter(lambda: SAMPLING.main(command[1:]), "gan-sample"),
            "gan-eval": lambda: cli.enter(lambda: EVALUATION.main(command[1:]), "gan-eval"),
            "gan-report": cli.report,
            "gan-bench": cli.bench,
        }
        before()
        logging.getLogger().handlers[:] = []  # of a test that calls this
        doors[command[0]]()
    except SystemExit as error:
        _leave(error.code if isinstance(error.code, int) else int(error.code is not None))
    except BaseException:
        import traceback

        traceback.print_exc()
        _leave(1)
    _leave(0)
    raise AssertionError


def _leave(code: int) -> None:
    sys.stderr.flush()
    os._exit(code)


def wait(started: tuple[int, int]) -> Ended:
    """Until the process has ended."""
    pid, reading = started
    with open(reading, encoding="utf-8", errors="replace") as said:  # noqa: PTH123  (a number)
        err = said.read()
    _, status = os.waitpid(pid, 0)
    return Ended(os.waitstatus_to_exitcode(status), err)


def run(folder: Path, *command: str, before: Callable[[], None] = lambda: None) -> Ended:
    return wait(start(folder, command, before))


def killed_at_event(number: int) -> Callable[[], None]:
    """For ``before``: ``kill -9`` when the process is about to change the disk for the ``number``-th time."""

    def arm() -> None:
        left = number

        def hook(event: str, arguments: tuple) -> None:
            nonlocal left
            if writes(event, arguments):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)

    return arm


def killed_after(seconds: float) -> Callable[[], None]:
    """For ``before``: ``kill -9`` after some time."""

    def arm() -> None:
        def kill() -> None:
            time.sleep(seconds)
            os.kill(os.getpid(), signal.SIGKILL)

        threading.Thread(target=kill, daemon=True).start()

    return arm


def events_of(folder: Path, *command: str) -> tuple[Ended, int, float]:
    """Runs a command to its end: how it ended, how often it changed the disk, and its seconds."""
    began = time.monotonic()
    counter_file = folder / ".events"
    counter_file.write_bytes(bytes(8))

    def counting() -> None:
        counter, seen = os.open(counter_file, os.O_RDWR), 0
        counter_file.unlink()

        def hook(event: str, arguments: tuple) -> None:
            nonlocal seen
            if writes(event, arguments):
                seen += 1
                os.pwrite(counter, seen.to_bytes(8, "little"), 0)

        sys.addaudithook(hook)

    with counter_file.open("rb") as counter:
        ended = run(folder, *command, before=counting)
        return ended, int.from_bytes(counter.read(8), "little"), time.monotonic() - began


def moment(draws: random.Random, events: int, seconds: float) -> tuple[str, Callable[[], None]]:
    """A random moment of a run that takes so long and changes the disk so often: by the clock, or at a change."""
    if draws.random() < 0.5:
        number = draws.randint(1, events)
        return f"at change {number} of the disk", killed_at_event(number)
    after = draws.uniform(0, seconds)
    return f"after {after:.3f} s", killed_after(after)
