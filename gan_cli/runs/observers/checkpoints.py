"""Writes checkpoints at an interval, by the clock, and at the end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.errors import Diverged, UserError
from gan_cli.games.game import Statistics
from gan_cli.runs import checkpoint

if TYPE_CHECKING:
    from gan_cli.training.state import State

log = logging.getLogger(__name__)


class Checkpoints:
    """Saves ``state(step)`` every ``every`` steps, after ``minutes`` without one and at the end; keeps the newest.

    Args:
        state: returns the state of the run; raises Diverged if the weights are not finite, which are then not saved.
        minutes: 0 for never.
        keep: so many that can be read stay.
        needed: the last step at which all was well; the newest checkpoint up to it is kept too.
    """

    def __init__(
        self,
        folder: Path,
        state: Callable[[int], State],
        *,
        every: int,
        minutes: float,
        steps: int,
        keep: int,
        needed: Callable[[], int],
    ) -> None:
        self.folder, self.state, self.every, self.steps, self.keep = folder, state, every, steps, keep
        self.needed, self.minutes, self.last = needed, minutes, time.monotonic()
        self.seconds = 0.0  # that the last one took
        self._known: dict[Path, tuple[int, int]] = {}  # size and time of those that are good

    def __call__(self, step: int, statistics: Sequence[Statistics]) -> None:
        if self.due(step):
            self.save(step)

    def due(self, step: int) -> bool:
        by_the_clock = bool(self.minutes) and time.monotonic() - self.last >= 60 * self.minutes
        return bool(self.every and step % self.every == 0) or step == self.steps or by_the_clock

    def save(self, step: int) -> bool:
        """Whether there was something that could be saved."""
        saved = self.write(step)
        self.prune()
        return saved

    def write(self, step: int, name: str | None = None) -> bool:
        began = time.monotonic()
        try:
            state = self.state(step)
        except Diverged as error:
            log.warning("step %d  not saved: %s", step, error)
            return False
        path = self.folder / "checkpoints" / (name or checkpoint.file_of(step))
        checkpoint.save(state, path)
        self.trust(path)
        if name is None:
            self.last = time.monotonic()
            self.seconds = self.last - began
        return True

    def require(self, step: int) -> None:
        """Writes the checkpoint of a step unless it is there and can be read."""
        path = self.folder / "checkpoints" / checkpoint.file_of(step)
        if not (path.is_file() and self._good(path)):
            self.write(step)

    def trust(self, path: Path) -> None:
        """This checkpoint was written or read just now: it is good as long as nobody changes it."""
        self._known[path] = _stamp(path)

    def prune(self) -> None:
        checkpoint.prune(self.folder, self.keep, self.needed(), self._good)

    def _good(self, path: Path) -> bool:
        if self._known.get(path) == _stamp(path):
            return True
        try:
            checkpoint.load(path)
        except UserError:
            return False
        self.trust(path)
        return True

    def save_best(self, step: int) -> None:
        """Saves the best checkpoint so far, which is kept."""
        self.write(step, checkpoint.BEST)


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
