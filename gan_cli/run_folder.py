"""The folder of a run: who may write there, how it stands, and how it goes on after a kill."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any, ClassVar

from gan_cli.checkpoint import BEST, checkpoints_in, load, step_of
from gan_cli.errors import UserError
from gan_cli.replacing import replacing
from gan_cli.status import write_status

try:
    import fcntl
except ImportError:  # Windows has no advisory locks on folders
    fcntl = None  # type: ignore[assignment]


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
        """Takes the folder for this process, until it ends or closes it.

        Args:
            wait: seconds for another process to leave it.

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

    def rewind(self, step: int) -> None:
        """Makes the folder what it was at a step: later lines of ``metrics.jsonl`` go, and with them a torn one.

        Checkpoints and samples of later steps, left when an older checkpoint is resumed, are moved to ``abandoned/``.
        What a kill left, half written or drawn after the last checkpoint, goes too.
        """
        for place in (self.path, self.samples, self.checkpoints):
            for torn in place.glob(".*.*"):
                if torn.is_file():
                    torn.unlink()
        if self.metrics.exists():
            kept = []
            for line in self.metrics.read_text().splitlines():
                try:
                    record = json.loads(line)
                except json.JSONDecodeError:
                    break
                if record["step"] > step:
                    break
                kept.append(line + "\n")
            with replacing(self.metrics) as aside:
                aside.write_text("".join(kept))
        later = [path for path in checkpoints_in(self.path) if step_of(path) > step]
        best = self.checkpoints / BEST
        if later and best.exists() and load(best)["step"] > step:
            later.append(best)
        pictures = [p for p in self.samples.glob("step-*.png") if int(p.stem.removeprefix("step-")) > step]
        if not later:
            for path in pictures:
                path.unlink()
            return
        for path in [*later, *pictures]:
            place = self.path / "abandoned" / path.parent.name
            place.mkdir(parents=True, exist_ok=True)
            path.replace(place / path.name)

    def write_status(self, status: str, reason: str | None = None, **totals: Any) -> None:
        """As ``gan_cli.status`` does, wherever there is room."""
        try:
            write_status(self.path, status, reason, **totals)
        except OSError:
            if status != "failed":  # a full disk must not hide the fault that is being reported
                raise

    def discard(self) -> None:
        """Removes a folder in which nothing was trained, and parents under ``outputs`` that are left empty."""
        self.close()
        if any(self.path.rglob("step-*.pt")) or self.metrics.exists():
            return
        shutil.rmtree(self.path, ignore_errors=True)
        for parent in self.path.parents[:2]:
            try:
                if parent.resolve().is_relative_to(Path("outputs").resolve()):
                    parent.rmdir()
            except OSError:
                return
