"""A member of an ensemble: an ordinary run, except that the ensemble trains it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from gan_cli.config.library import Library
from gan_cli.config.schema import Config
from gan_cli.memory import enough
from gan_cli.output.screen import LogFile, OneLine
from gan_cli.runs.folder import RunFolder
from gan_cli.runs.resume import Resumption
from gan_cli.runs.running import Running
from gan_cli.runs.status import status_of
from gan_cli.training.setup import Loaded
from gan_cli.training.state import State


class Member(Running):
    """The run of one seed, with its own observers; the ensemble calls them and does the training.

    Args:
        like: the data of another member, which are shared.
        over: whether it was ended before, by divergence or early stopping.
    """

    def __init__(
        self,
        config: Config,
        library: Library,
        folder: RunFolder,
        resumption: Resumption | None,
        *,
        like: Loaded | None,
        over: bool,
    ) -> None:
        super().__init__(config, library, folder, resumption, live=False, like=like, together=True)
        self.record.listeners = (self.last.update, self.guard.record)
        self.over, self.hand_out = over, _nothing
        before = status_of(self.folder.path) if over else {}
        self.fate = before.get("status", "running")
        self.at = before.get("step", self.at)
        self.quality.update({key: before[key] for key in ("modes", "of_modes", "high_quality") if key in before})
        if self.evaluations and before.get("best"):
            self.evaluations.best, self.evaluations.best_step = before["best"]["value"], before["best"]["step"]
        self.lines = LogFile(self.folder.path / "train.log", delay=True)
        self.lines.setFormatter(OneLine("[%(asctime)s] %(message)s"))

    def state(self, step: int) -> State:
        """The state for a checkpoint, in memory of its own."""
        self.hand_out()
        return {key: _cloned(value) for key, value in super().state(step).items()}

    def write(self, step: int) -> None:
        """Writes a line of the log."""
        self.hand_out()
        self.record.write(step)

    def evaluate(self, step: int) -> None:
        if self.evaluations:
            with enough(f"evaluate_count={self.config.evaluate_count}", "use a smaller one"):
                self.evaluations.evaluate(step)

    def status(self, name: str, reason: str | None = None, **more: object) -> None:
        """As that of any run, and that it is trained together with others."""
        super().status(name, reason, **more, together=True)

    def leave(self, fate: str, reason: str | None = None) -> None:
        """Ends this member; the others continue."""
        self.over, self.fate = True, fate
        self.status(fate, reason)

    def complete_early(self) -> None:
        """What comes after the last checkpoint of a member that stopped early, if a kill ended it there."""
        if self.done and self.stopped and not self.over:
            self.complete()
            self.leave("finished", self.stopped)

    def results(self) -> dict[str, float | None]:
        """The values that are averaged over members."""
        found: dict[str, float | None] = {key: v for key, v in self.quality.items() if key != "of_modes"}
        if self.evaluations and self.config.watch:
            found["best"] = self.evaluations.best
        return found

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """In this context, messages are logged to this run's own ``train.log``."""
        root = logging.getLogger()
        before, root.handlers[:] = list(root.handlers), [self.lines]
        try:
            yield
        finally:
            root.handlers[:] = before


def _nothing() -> None:
    pass


def _cloned(node: object) -> object:
    """Copies every tensor: a view of the stacked matrix would write the whole matrix into the file."""
    if isinstance(node, Tensor):
        return node.detach().clone()
    if isinstance(node, dict):
        return {key: _cloned(value) for key, value in node.items()}
    return [_cloned(value) for value in node] if isinstance(node, list | tuple) else node
