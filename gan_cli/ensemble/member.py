"""A member of an ensemble: an ordinary run that somebody else trains."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from gan_cli.runs.run import Run
from gan_cli.runs.status import status_of


class Member(Run):
    """The run of one seed: its observers, around a training that is not its own."""

    def __init__(self, *args: Any, over: bool, **options: Any) -> None:
        super().__init__(*args, **options, live=False, together=True)
        self.record.listeners = (self.last.update, self.guard.record)
        self.over, self.hand_out = over, _nothing
        before = status_of(self.folder.path) if over else {}
        self.fate = before.get("status", "running")
        self.quality.update({key: before[key] for key in ("modes", "of_modes", "high_quality") if key in before})
        if self.evaluations and before.get("best"):
            self.evaluations.best, self.evaluations.best_step = before["best"]["value"], before["best"]["step"]
        log = self.folder.path / "train.log"
        self.lines = logging.FileHandler(log, delay=True, encoding="utf-8", errors="backslashreplace")
        self.lines.setFormatter(logging.Formatter("[%(asctime)s] %(message)s"))

    def state(self, step: int) -> dict[str, Any]:
        """What a checkpoint holds, in memory of its own."""
        self.hand_out()
        return _cloned(super().state(step))

    def write(self, step: int) -> None:
        """The line of the log that is due."""
        self.hand_out()
        self.record.write(step)

    def evaluate(self, step: int) -> None:
        if self.evaluations:
            self.evaluations.evaluate(step)

    def leave(self, fate: str, reason: str | None = None) -> None:
        """The end of this member, whatever the others do."""
        self.over, self.fate = True, fate
        self.status(fate, reason)

    def results(self) -> dict[str, float | None]:
        """What is compared between members."""
        found: dict[str, float | None] = {key: v for key, v in self.quality.items() if key != "of_modes"}
        if self.evaluations and self.config.watch:
            found["best"] = self.evaluations.best
        return found

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """What is logged meanwhile goes into this run's own ``train.log``."""
        root = logging.getLogger()
        before, root.handlers[:] = list(root.handlers), [self.lines]
        try:
            yield
        finally:
            root.handlers[:] = before


def _nothing() -> None:
    pass


def _cloned(node: Any) -> Any:
    """Tensors that are views of a matrix would take the whole of it into a file."""
    if isinstance(node, Tensor):
        return node.detach().clone()
    if isinstance(node, dict):
        return {key: _cloned(value) for key, value in node.items()}
    return [_cloned(value) for value in node] if isinstance(node, list | tuple) else node
