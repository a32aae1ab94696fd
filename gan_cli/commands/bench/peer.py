"""Another program's training script, run as it is and timed by the line it prints for each batch. Torch-free."""

from __future__ import annotations

import os
import queue
import re
import shlex
import signal
import statistics
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType

from gan_cli.config.paths import expanded
from gan_cli.errors import UserError

# [epoch/epochs][batch/batches], as pytorch/examples and PyTorch-GAN print them
BATCH = re.compile(rb"\[(Epoch )?\d+/\d+\] ?\[(Batch )?\d+/\d+\]")
SIZE = re.compile(r"--batch[-_]?size[= ](\d+)", re.IGNORECASE)
WARM_UP = 3  # batches
FEWEST = 3  # batches in a turn
SILENT_FOR = 300  # seconds without a batch after which the script counts as failed


@dataclass(frozen=True)
class PeerCommand:
    """A script with its arguments; ``batch`` is its batch size, which converts batches into images."""

    script: Path
    arguments: list[str]
    batch: int

    @classmethod
    def parse(cls, text: str) -> PeerCommand:
        """``"main.py --dataset fake --batchSize 64"``.

        Raises:
            UserError: if there is no such script, or the arguments do not say the size of a batch.
        """
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise UserError(f"--peer {text}: cannot be read ({error}): quote the whole: --peer 'main.py …'") from error
        script = expanded(words[0] if words else "", "--peer ")
        if not script.is_file():
            raise UserError(f"--peer {text}: no such script: --peer 'PATH/main.py --batchSize 64 …'")
        size = SIZE.search(" ".join(words[1:]))
        if not size or size[1] == "0":
            raise UserError(f"--peer {text}: images per batch? Add its own argument, such as --batchSize 64")
        return cls(script.resolve(), words[1:], int(size[1]))

    @property
    def name(self) -> str:
        return f"{self.script.parent.name}/{self.script.name}"


@dataclass(frozen=True)
class BatchTime:
    """Seconds from batch to batch: the median on the clock, and the mean of all its processes on the processors."""

    seconds: float
    processor_seconds: float | None  # None where the system does not tell


class Peer:
    """The script as a process in its own folder, stopped (SIGSTOP) whenever it is not its turn.

    Args:
        threads: for OpenMP and MKL, the same as ours.
        gpu: whether it may see one.
    """

    def __init__(self, command: PeerCommand, *, threads: int, gpu: bool) -> None:
        self.command, self.name, self.batch = command, command.name, command.batch
        environment = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "OMP_NUM_THREADS": str(threads),
            "MKL_NUM_THREADS": str(threads),
        }
        environment.pop("PYTHONPATH", None)
        if not gpu:
            environment["CUDA_VISIBLE_DEVICES"] = ""
        self._said = ""  # its last line
        self._process = subprocess.Popen(
            [sys.executable, str(command.script), *command.arguments],
            cwd=command.script.parent,  # such scripts find their data from there
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=os.setpgrp,  # its loader's processes stop with it, and all die if we do
        )
        self._batches: queue.SimpleQueue[float | None] = queue.SimpleQueue()  # when each was done; None: no more
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Peer:
        try:
            for _ in range(WARM_UP):
                self._next()
        except BaseException:
            self.close()
            raise
        self._signal(signal.SIGSTOP)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._reader.join()

    def turn(self, seconds: float) -> float:
        """Images per second by the median time from batch to batch, over at least ``seconds``."""
        return self.batch / self.batches(seconds).seconds

    def batches(self, seconds: float) -> BatchTime:
        """The time of a batch, over at least ``seconds``.

        The median leaves out what the script does at times beside training, such as to write pictures.

        Raises:
            UserError: if the script ends, or prints nothing for each batch.
        """
        while not self._batches.empty():
            self._next()
        self._signal(signal.SIGCONT)
        done = [self._next()]  # the batch that was interrupted
        worked = self._worked()
        while done[-1] - done[0] < seconds or len(done) <= FEWEST:
            done.append(self._next())
        now = self._worked()
        self._signal(signal.SIGSTOP)
        processor = None if worked is None or now is None else (now - worked) / (len(done) - 1)
        return BatchTime(statistics.median(b - a for a, b in pairwise(done)), processor)

    def _worked(self) -> float | None:
        """Seconds that its processes have spent on the processors so far; None where there is no /proc."""
        ticks = 0
        try:
            for stat in Path("/proc").glob("[0-9]*/stat"):
                with suppress(FileNotFoundError, ProcessLookupError):  # one that has just ended
                    fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                    ticks += int(fields[11]) + int(fields[12]) if int(fields[2]) == self._process.pid else 0
            return ticks / os.sysconf("SC_CLK_TCK") if ticks else None
        except (OSError, ValueError):
            return None

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                now = time.perf_counter()
                self._said = line.decode(errors="replace").strip() or self._said
                if BATCH.search(line):
                    self._batches.put(now)
        self._batches.put(None)

    def _next(self) -> float:
        try:
            done = self._batches.get(timeout=SILENT_FOR)
        except queue.Empty:
            raise UserError(
                f"--peer {self.name}: no line [epoch/epochs][batch/batches] in {SILENT_FOR} seconds"
            ) from None
        if done is None:
            code = self._process.wait()
            why = f"exit code {code}: {self._said}" if code else "too few batches: let it train for more epochs"
            raise UserError(f"--peer {self.name}: ended before it was timed ({why})")
        return done

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
