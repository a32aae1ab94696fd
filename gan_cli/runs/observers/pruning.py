"""Which runs of a search to end early: judged by what the others' ``metrics.jsonl`` say of the same step.

Nothing is stored for it, so it works with any launcher and after any kill.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from gan_cli.runs.records import records_in

REDUCTION = 3  # of halving: the share of runs that go on


@dataclass(frozen=True)
class Pruner:
    """Ends runs by a rule.

    Args:
        rule: ``median`` or ``halving``.
        startup: so many other runs must have got as far.
        folder: of the run that may be ended; the others lie beside it.
    """

    rule: str
    startup: int
    folder: Path

    def verdict(self, step: int, every: int, best: float | None, metric: str, sign: int) -> str | None:
        """Why the run is to end after this evaluation; None if it is to go on.

        Args:
            every: steps between evaluations.
            best: the run's best value of ``metric`` so far; None if none was finite.
            sign: 1 if high is better, -1 if low is.
        """
        others = [sign * value for value in self._others(step, metric, sign)]
        if len(others) < self.startup:
            return None
        ours = float("-inf") if best is None else sign * best
        shown = "not finite" if best is None else f"{best:.4g}"
        if self.rule == "median":
            middle = median(others)
            return f"{metric} {shown} by step {step}; the median is {sign * middle:.4g}" if ours < middle else None
        rung, number = 1, step // every if every else 0
        while rung < number:
            rung *= REDUCTION
        ahead = sum(value > ours for value in others)
        if rung != number or ahead < max(1, (len(others) + 1) // REDUCTION):
            return None
        return f"{metric} {shown} by step {step}; {ahead} of {len(others)} others were better"

    def _others(self, step: int, metric: str, sign: int) -> list[float]:
        """The best values by this step of the other runs that were measured at it."""
        found = []
        for file in self.folder.parent.glob("*/metrics.jsonl"):
            if file.parent.name == self.folder.name:
                continue
            values, reached = [], False
            for record in records_in(file)[0]:
                if f"metric/{metric}" in record and record["step"] <= step:
                    reached = reached or record["step"] == step
                    values.append(record[f"metric/{metric}"])
            if reached and (finite := [value for value in values if value is not None]):
                found.append(sign * max(sign * value for value in finite))
        return found


def pruner(options: Mapping[str, Any], folder: Path) -> Pruner | None:
    """The pruner that a sweeper's options ask for, for the run in ``folder``."""
    rule = options.get("pruner")
    return Pruner(rule, options["startup"], folder) if rule else None
