"""Writes checkpoints at an interval and at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.games.game import Statistics
from gan_cli.runs import checkpoint

if TYPE_CHECKING:
    from gan_cli.training.state import State


class Checkpoints:
    """Saves ``state(step)`` every ``every`` steps and at the end, and keeps the newest ``keep``.

    Args:
        state: returns the state of the run; raises Diverged if the weights are not finite.
    """

    def __init__(self, folder: Path, state: Callable[[int], State], *, every: int, steps: int, keep: int) -> None:
        self.folder, self.state, self.every, self.steps, self.keep = folder, state, every, steps, keep

    def __call__(self, step: int, statistics: Sequence[Statistics]) -> None:
        if self.due(step):
            self.save(step)

    def due(self, step: int) -> bool:
        return bool(self.every and step % self.every == 0) or step == self.steps

    def save(self, step: int) -> None:
        self.write(step)
        self.prune()

    def write(self, step: int) -> None:
        checkpoint.save(self.state(step), self.folder / "checkpoints" / checkpoint.file_of(step))

    def prune(self) -> None:
        checkpoint.prune(self.folder, self.keep)

    def save_best(self, step: int) -> None:
        """Saves the best checkpoint so far, which is kept."""
        checkpoint.save(self.state(step), self.folder / "checkpoints" / checkpoint.BEST)
