"""Checkpoints at their interval and at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gan_cli import checkpoint
from gan_cli.game import Statistics


class Checkpoints:
    """Saves ``state(step)`` every ``every`` steps and at the end, and keeps the newest ``keep``.

    Args:
        state: returns everything the run is; raises Diverged rather than return weights that are not finite.
    """

    def __init__(
        self, folder: Path, state: Callable[[int], dict[str, Any]], *, every: int, steps: int, keep: int
    ) -> None:
        self.folder, self.state, self.every, self.steps, self.keep = folder, state, every, steps, keep

    def __call__(self, step: int, statistics: Sequence[Statistics]) -> None:
        if (self.every and step % self.every == 0) or step == self.steps:
            self.save(step)

    def save(self, step: int) -> Path:
        path = self.folder / "checkpoints" / checkpoint.name_of(step)
        checkpoint.save(self.state(step), path)
        checkpoint.prune(self.folder, self.keep)
        return path

    def save_best(self, step: int) -> None:
        """The best so far, whatever comes after it."""
        checkpoint.save(self.state(step), self.folder / "checkpoints" / checkpoint.BEST)
