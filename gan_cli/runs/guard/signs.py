"""Signs of trouble in what is logged, drawn and measured anyway."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gan_cli.games.game import Statistics

SEEN = 200  # samples that are compared with each other, at most
FEW = 16  # samples, of which nothing can be said
CLOSE = 0.1  # of the distance at which data lie to each other: a twin


class Kept:
    """The statistics since they were last looked at. They stay on the device until then, so that nobody waits."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, str, Tensor]] = []

    def __call__(self, step: int, statistics: Sequence[Statistics]) -> None:
        self._kept += [(step, name, value) for move in statistics for name, value in move.items()]

    def first_lost(self) -> list[tuple[int, list[str]] | None]:
        """The first step of which something is not finite, and what; of each run of an ensemble, or of the only one."""
        kept, self._kept = self._kept, []
        if not kept:
            return []
        fine = torch.stack([value.float() for _, _, value in kept]).isfinite().cpu().reshape(len(kept), -1)
        found: list[tuple[int, list[str]] | None] = []
        for run in fine.T:  # (values of all statistics,)
            lost = [kept[place][:2] for place in (~run).nonzero()[:, 0].tolist()]
            names = dict.fromkeys(name for step, name in lost if step == lost[0][0])
            found.append((lost[0][0], list(names)) if lost else None)
        return found


def variance(x: Tensor) -> float:
    """Of samples (n, …), the mean over their numbers."""
    return float(x.flatten(1).double().var(dim=0, correction=0).mean())


def nearest(x: Tensor) -> Tensor:
    """The distance of each of some samples (n, …) to the nearest other of them: (≤ SEEN,)."""
    flat = x[:SEEN].flatten(1).double()
    distances = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.fill_diagonal_(torch.inf).min(dim=1).values


class Variety:
    """How samples of a grid differ from each other, beside how data do.

    Args:
        real: as many samples of the data, (n, …).
    """

    def __init__(self, real: Tensor) -> None:
        enough = len(real) > 1
        self.variance = variance(real) if enough else 0.0
        self.apart = float(nearest(real).median()) if enough else 0.0

    def spread(self, samples: Tensor) -> float | None:
        """The samples' share of the data's variance; None where data do not differ."""
        return variance(samples) / self.variance if self.variance and len(samples) > 1 else None

    def duplicates(self, samples: Tensor) -> float | None:
        """The share of samples that have a twin; None where that cannot be said."""
        if not self.apart or len(samples) < FEW:
            return None
        return float((nearest(samples) < CLOSE * self.apart).double().mean())


def is_far(value: float, best: float, first: float, sign: int, times: float) -> bool:
    """Whether a value is ``times`` as bad as the best, and at least half of what was gained since the first is lost.

    Args:
        sign: 1 if high is better, -1 if low is.
    """
    lost = sign * (best - value)
    return lost > (times - 1) * min(abs(best), abs(value)) and lost > abs(best - first) / 2
