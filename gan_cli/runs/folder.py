"""The folder of a run: its lock, its status, and its repair after a kill."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from gan_cli.errors import UserError, reason_of
from gan_cli.output import lock
from gan_cli.output.replacing import replacing, written
from gan_cli.runs.checkpoint import BEST, checkpoints_in, load, step_of
from gan_cli.runs.names import ASIDE, GRID, MEMBER, numbered
from gan_cli.runs.records import BACK, Record, record_of, step_in
from gan_cli.runs.status import FILE, write_status

log = logging.getLogger(__name__)


class RunFolder:
    """Paths below a run folder, and its ``status.json``."""

    parts: ClassVar[tuple[str, ...]] = ("samples", "checkpoints")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metrics = path / "metrics.jsonl"
        self.samples = path / "samples"
        self.checkpoints = path / "checkpoints"
        self._place: os.stat_result | None = None  # while this process has it
        self._told = False  # that its status cannot be written

    def open(self) -> None:
        """Locks the folder for this process, until it ends or closes it.

        Raises:
            UserError: if another process is training there or the folder cannot be written.
        """
        try:
            for part in ("", *self.parts):
                (self.path / part).mkdir(parents=True, exist_ok=True)
            self._place = self.path.stat()
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({reason_of(error)}): choose hydra.run.dir=…") from error
        lock.take(self.path, lock.TRAINING)

    def require_same(self) -> None:
        """Refuses to write into another folder than the one in which the run began.

        Raises:
            UserError: if it was moved, removed or replaced; nothing more is written there.
        """
        if not self._is_same():
            raise UserError(
                f"{self.path}: was moved, removed or replaced while it was trained in: put it back, then continue with "
                f"resume={self.path}"
            )

    def _is_same(self) -> bool:
        try:
            return self._place is None or os.path.samestat(self._place, self.path.stat())
        except OSError:
            return False

    def close(self) -> None:
        lock.release(self.path)

    def rewind(self, step: int, notes: Sequence[Record] = (), *, forget: bool = False, logged: int = 0) -> None:
        """Makes the folder what it was at a step: later lines of ``metrics.jsonl`` go, and those that cannot be read.

        Checkpoints and samples of later steps, left when an older checkpoint is resumed, are moved to ``abandoned/``.
        What a kill left, half written or drawn after the last checkpoint, goes too. Checkpoints go first: as long as
        one is there, its lines are.

        Args:
            notes: the lines that say when the run went back; each stands after the other lines of its step.
            forget: later checkpoints are what a kill left too.
            logged: the step of the last line that was written before.

        Raises:
            Unwritable: if it cannot be done.
        """
        with written(self.path, f"then continue with resume={self.path}"):
            self.sweep()
            self._turn_back(step, forget=forget)
            last = self._cut(step, notes) if self.metrics.exists() or notes else 0
        if last < logged:
            log.warning("%s: was cut off: its lines from step %d to %d are gone", self.metrics, last + 1, logged)

    def sweep(self) -> None:
        """Removes what a kill left half written."""
        for place in (self.path, self.samples, self.checkpoints):
            for torn in place.iterdir() if place.is_dir() else ():
                if ASIDE.fullmatch(torn.name) and torn.is_file():
                    torn.unlink()

    def _turn_back(self, step: int, *, forget: bool) -> None:
        """Takes away what is of later steps, the last first."""
        later = [path for path in checkpoints_in(self.path) if step_of(path) > step]
        pictures = [path for number, path in numbered(self.samples, GRID).items() if number > step]
        if forget or not later:
            for path in [*later, *pictures]:
                path.unlink()
            later, pictures = [], []
        best = self.checkpoints / BEST
        if best.is_file() and beyond(best, step):
            later.append(best)
        if not later:
            return
        names = ", ".join(path.name for path in later)
        log.info("%s: of later steps, or cannot be read: moved to %s", names, self.path / "abandoned")
        for path in [*later, *pictures]:
            place = self.path / "abandoned" / path.parent.name
            place.mkdir(parents=True, exist_ok=True)
            path.replace(place / path.name)

    def _cut(self, step: int, notes: Sequence[Record]) -> int:
        """Leaves the lines up to a step; returns the step of the last of the log."""
        kept, unread, lost, last = [], 0, 0, 0
        for line in self.metrics.read_bytes().splitlines() if self.metrics.exists() else ():
            if (record := record_of(line)) is None:
                unread += 1
            elif step_in(record) <= step and BACK not in record:
                kept.append((step_in(record), line + b"\n"))
                lost, unread = lost + unread, 0  # what a kill tore is the end
                last = max(last, step_in(record)) if "seconds" in record else last
        if lost:
            log.warning("%s: %d of its lines before step %d cannot be read and are gone", self.metrics, lost, step)
        kept += [(step_in(note), json.dumps(note).encode() + b"\n") for note in notes]
        with replacing(self.metrics) as aside:
            aside.write_bytes(b"".join(line for _, line in sorted(kept, key=lambda each: each[0])))
        return last

    def write_status(self, status: str, reason: str | None = None, **totals: object) -> None:
        """As ``gan_cli.runs.status`` does; what cannot be written must not hide why a run ended.

        Raises:
            Unwritable: at its beginning and where it would finish.
        """
        try:
            self.require_same()
            write_status(self.path, status, reason, **totals)
        except UserError as error:
            told, self._told = self._told, True
            if status in ("running", "finished"):
                raise
            if not told:
                log.warning("%s; until then it says how the run stood before", error)

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
            for name in (FILE, "train.log", "samples/real.png", "samples/augmented.png", "wandb/run-id"):
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


def beyond(best: Path, step: int) -> bool:
    """Whether this checkpoint is of a later step, or cannot be read."""
    try:
        return load(best)["step"] > step
    except UserError as error:
        log.warning("%s; it is taken away", error)
        return True
