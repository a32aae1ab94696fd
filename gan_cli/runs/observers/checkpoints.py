"""Writes checkpoints at an interval and at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.errors import Diverged
from gan_cli.games.game import Statistics
from gan_cli.runs import checkpoint

if TYPE_CHECKING:
    from gan_cli.training.state import State

log = logging.getLogger(__name__)


class Checkpoints:
    """Saves ``state(step)`` every ``every`` steps and at the end, and keeps the newest ``keep``.

    Args:
        state: returns the state of the run; raises Diverged if the weights are not finite, which are then not saved.
        needed: the last step at which all was well; the newest checkpoint up to it is kept too.
    """

    def __init__(
        self,
        folder: Path,
        state: Callable[[int], State],
        *,
        every: int,
        steps: int,
        keep: int,
        needed: Callable[[], int],
    ) -> None:
        self.folder, self.state, self.every, self.steps, self.keep = folder, state, every, steps, keep
        self.needed = needed

    def __call__(self, step: int, statistics: Sequence[Statistics]) -> None:
        if self.due(step):
            self.save(step)

    def due(self, step: int) -> bool:
        return bool(self.every and step % self.every == 0) or step == self.steps

    def save(self, step: int) -> bool:
        """Whether there was something that could be saved."""
        saved = self.write(step)
        self.prune()
        return saved

    def write(self, step: int, name: str | None = None) -> bool:
        try:
            state = self.state(step)
        except Diverged as error:
            log.warning("step %d  not saved: %s", step, error)
            return False
        checkpoint.save(state, self.folder / "checkpoints" / (name or checkpoint.file_of(step)))
        return True

    def prune(self) -> None:
        checkpoint.prune(self.folder, self.keep, self.needed())

    def save_best(self, step: int) -> None:
        """The best so far, whatever comes after it."""
        self.write(step, checkpoint.BEST)
