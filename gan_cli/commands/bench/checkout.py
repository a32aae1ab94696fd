"""Commands in processes of their own, and what they take. Torch-free."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from gan_cli.errors import UserError

COMMAND = "import sys; from gan_cli import cli; sys.argv[0] = sys.argv.pop(1); getattr(cli, sys.argv.pop(1))()"
ENTRIES = {"gan-train": "main", "gan-eval": "evaluate", "gan-sample": "sample", "gan-report": "report"}
POLL = 0.01  # seconds


@dataclass(frozen=True)
class Spent:
    """Seconds on the clock and on the processors."""

    seconds: float
    processor_seconds: float


@dataclass(frozen=True)
class Checkout:
    """A checkout of this program, whose commands are run.

    Args:
        folder: in which they are run; ``run`` in it is a run of a few steps, ``many`` holds copies of it.
        tree: the folder of another checkout; None: this one.
    """

    folder: Path
    tree: str | None = None

    def take(self, *words: str, until: str = "") -> Spent:
        """Runs Python with some words to its end, or until a file has something in it.

        Raises:
            UserError: if it fails.
        """
        environment = {**os.environ, "PYTHONPATH": self.tree or str(Path(__file__).parents[3])}
        environment["PYTHONPYCACHEPREFIX"] = str(self.folder / "compiled")
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is compiled is kept, as where it is installed
        watched, began = self.folder / until, time.perf_counter()
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
            ended = 0
            while not ended:
                ended, status, used = os.wait4(process.pid, os.WNOHANG if until else 0)
                if not ended and watched.is_file() and watched.stat().st_size:
                    break
                if not ended:
                    time.sleep(POLL)
            took = time.perf_counter() - began
            if not ended:
                process.kill()
                _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if ended and (until or process.returncode):
                said.seek(0)
                last = said.read().decode(errors="replace").strip().splitlines()[-1:]
                raise UserError(f"--waits: {' '.join(words[2:])}: ended with {process.returncode}: {' '.join(last)}")
        return Spent(took, used.ru_utime + used.ru_stime)

    def command(self, program: str, *words: str, until: str = "") -> Spent:
        """The same of one of this program's commands."""
        return self.take("-c", COMMAND, program, ENTRIES[program], *words, until=until)
