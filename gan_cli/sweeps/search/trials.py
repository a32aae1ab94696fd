"""The trials of a search, and their source."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gan_cli.sweeps.search.space import Dimension

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trial:
    """One run of a search: its number, and the overrides that make it."""

    number: int
    overrides: list[str]


class Trials(Protocol):
    """A source of trials.

    Attributes:
        before: trials that an earlier call has finished, and that do not come again.
    """

    before: int

    def next(self) -> list[Trial]:
        """The trials to run now, in parallel if the launcher can; empty when there are no more."""

    def tell(self, trial: Trial, folder: Path) -> None:
        """Learns from the run folder of a trial."""


class RandomTrials:
    """Independent draws. Trial k depends on the seed and k alone, except that repeated values are drawn again."""

    before = 0  # finished ones come again, and say so

    def __init__(self, dimensions: Sequence[Dimension], n_trials: int, seed: int) -> None:
        drawn: dict[tuple[str, ...], None] = {}
        for number in range(n_trials):
            for attempt in range(100):  # a space of few values may hold fewer than asked for
                overrides = tuple(
                    dimension.text(dimension.draw(random.Random(f"{seed}/{number}/{attempt}/{dimension.key}")))
                    for dimension in dimensions
                )
                if overrides not in drawn:
                    drawn[overrides] = None
                    break
        if len(drawn) < n_trials:
            log.warning("the space holds no more than these: %d of %d trials", len(drawn), n_trials)
        self.waiting = [Trial(number, list(overrides)) for number, overrides in enumerate(drawn)]

    def next(self) -> list[Trial]:
        trials, self.waiting = self.waiting, []
        return trials

    def tell(self, trial: Trial, folder: Path) -> None:
        pass
