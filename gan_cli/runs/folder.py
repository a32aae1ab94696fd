"""The folder of a run: its lock, its status, and its repair after a kill."""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from gan_cli.errors import UserError
from gan_cli.output.replacing import replacing
from gan_cli.runs.checkpoint import BEST, checkpoints_in, load, step_of
from gan_cli.runs.names import ASIDE, GRID, MEMBER, numbered
from gan_cli.runs.records import BACK, Record, record_of, step_in
from gan_cli.runs.status import FILE, write_status

try:
    import fcntl
except ImportError:  # Windows has no advisory locks on folders
    fcntl = None  # type: ignore[assignment]


log = logging.getLogger(__name__)


class RunFolder:
    """Paths below a run folder, and its ``status.json``."""

    parts: ClassVar[tuple[str, ...]] = ("samples", "checkpoints")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metrics = path / "metrics.jsonl"
        self.samples = path / "samples"
        self.checkpoints = path / "checkpoints"
        self._lock: int | None = None

    def open(self, wait: float = 0.0) -> None:
        """Locks the folder for this process, until it ends or closes it.

        Args:
            wait: seconds to wait for another process to release it.

        Raises:
            UserError: if another process is training there or the folder cannot be written.
        """
        try:
            for part in ("", *self.parts):
                (self.path / part).mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path, os.O_RDONLY)
            until = time.monotonic() + wait
            while fcntl:
                try:
                    fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= until:
                        raise
                    time.sleep(0.1)
        except BlockingIOError:
            raise UserError(
                f"{self.path}: another process is training in this folder: wait for it, or end it"
            ) from None
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror}): choose hydra.run.dir=…") from error

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def rewind(self, step: int, notes: Sequence[Record] = ()) -> None:
        """Returns the folder to its state at a step. Later and unreadable lines of ``metrics.jsonl`` are removed.

        If an older checkpoint is resumed, later checkpoints and samples are moved to ``abandoned/``. Half-written
        files, and pictures drawn after the last checkpoint, are removed.

        Args:
            notes: the lines that say when the run went back; each stands after the other lines of its step.
        """
        for place in (self.path, self.samples, self.checkpoints):
            for torn in place.iterdir() if place.is_dir() else ():
                if ASIDE.fullmatch(torn.name) and torn.is_file():
                    torn.unlink()
        if self.metrics.exists() or notes:
            kept, unread, lost = [], 0, 0
            for line in self.metrics.read_bytes().splitlines() if self.metrics.exists() else ():
                if (record := record_of(line)) is None:
                    unread += 1
                elif step_in(record) <= step and BACK not in record:
                    kept.append((step_in(record), line + b"\n"))
                    lost, unread = lost + unread, 0  # what a kill tore is the end
            if lost:
                log.warning("%s: %d of its lines before step %d cannot be read and are gone", self.metrics, lost, step)
            kept += [(step_in(note), json.dumps(note).encode() + b"\n") for note in notes]
            with replacing(self.metrics) as aside:
                aside.write_bytes(b"".join(line for _, line in sorted(kept, key=lambda each: each[0])))
        later = [path for path in checkpoints_in(self.path) if step_of(path) > step]
        best = self.checkpoints / BEST
        if later and best.is_file() and _beyond(best, step):
            later.append(best)
        pictures = [path for number, path in numbered(self.samples, GRID).items() if number > step]
        if not later:
            for path in pictures:
                path.unlink()
            return
        names = ", ".join(path.name for path in later)
        log.info("%s: of later steps, or cannot be read: moved to %s", names, self.path / "abandoned")
        for path in [*later, *pictures]:
            place = self.path / "abandoned" / path.parent.name
            place.mkdir(parents=True, exist_ok=True)
            path.replace(place / path.name)

    def write_status(self, status: str, reason: str | None = None, **totals: object) -> None:
        """Writes the status; a failed write is ignored if the status is ``failed``."""
        try:
            write_status(self.path, status, reason, **totals)
        except OSError:
            if status != "failed":  # a full disk must not hide the fault that is being reported
                raise

    def discard(self) -> None:
        """Removes a folder in which nothing was trained, and parents under ``outputs`` that are then empty.

        Other files in it were there before, and are kept.
        """
        self.close()
        places = [self.path, *numbered(self.path, MEMBER).values()]
        if self.metrics.exists() or any(checkpoints_in(place) for place in places):
            return
        for place in reversed(places):
            shutil.rmtree(place / ".hydra", ignore_errors=True)
            for name in (FILE, "train.log", "samples/real.png", "wandb/run-id"):
                with suppress(OSError):
                    (place / name).unlink()
            for name in ("samples", "checkpoints", "wandb", ""):
                with suppress(OSError):  # not empty
                    (place / name).rmdir()
        for parent in self.path.parents[:2]:
            try:
                if parent.resolve().is_relative_to(Path("outputs").resolve()):
                    parent.rmdir()
            except OSError:
                return


def _beyond(best: Path, step: int) -> bool:
    """Whether this checkpoint is of a later step, or cannot be read."""
    try:
        return load(best)["step"] > step
    except UserError as error:
        log.warning("%s; it is moved away", error)
        return True
