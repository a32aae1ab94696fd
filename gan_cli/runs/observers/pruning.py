"""Ends runs of a search early, by comparison with the other runs' ``metrics.jsonl`` at the same step.

Nothing else is stored, so it works with any launcher and after any kill.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from gan_cli.runs.records import records_in, step_in

REDUCTION = 3  # of halving: the share of runs that go on


@dataclass(frozen=True)
class Pruner:
    """Ends runs by a rule.

    Args:
        rule: ``median`` or ``halving``.
        startup: the number of other runs that must have reached the same step.
        folder: the folder of the run that may be ended; the other runs are beside it.
    """

    rule: str
    startup: int
    folder: Path

    def verdict(self, step: int, every: int, best: float | None, metric: str, sign: int) -> str | None:
        """Why the run should end after this evaluation; None if it should continue.

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
        """The best values, up to this step, of the other runs that were evaluated at this step."""
        found = []
        for file in self.folder.parent.glob("*/metrics.jsonl"):
            if file.parent.name == self.folder.name:
                continue
            values, reached = [], False
            for record in records_in(file)[0]:
                if f"metric/{metric}" in record and step_in(record) <= step:
                    reached = reached or step_in(record) == step
                    values.append(record[f"metric/{metric}"])
            if reached and (finite := [value for value in values if value is not None]):
                found.append(sign * max(sign * value for value in finite))
        return found


def pruner(options: Mapping[str, object], folder: Path) -> Pruner | None:
    """The pruner for the run in ``folder``, if a sweeper's options name one."""
    rule, startup = options.get("pruner"), options.get("startup")
    return Pruner(rule, startup, folder) if isinstance(rule, str) and isinstance(startup, int) else None
