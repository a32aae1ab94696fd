"""What a training is timed until: ``frechet<=30,10,5``. Torch-free."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gan_cli.config.numbers import finite
from gan_cli.errors import UserError

HOLDS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
EXPRESSION = re.compile(r"\s*([A-Za-z_][\w./-]*?)\s*(<=|>=|<|>)(?!=)\s*(.*?)\s*")
SUCH = "--until 'frechet<=10'"


@dataclass(frozen=True)
class Goal:
    """A measured value and the threshold that it is to reach."""

    value: str
    relation: str
    threshold: float

    def __str__(self) -> str:
        return f"{self.value}{self.relation}{self.threshold:g}"

    def held_by(self, value: float | None) -> bool:
        """Whether it holds; of a value that is not finite, it does not."""
        return value is not None and HOLDS[self.relation](value, self.threshold)

    def nearest(self, values: Sequence[float]) -> float | None:
        """Of values of which none need hold, the one that comes nearest."""
        best = min if self.relation.startswith("<") else max
        return best(values, default=None)


def goals_of(texts: Sequence[str]) -> list[Goal]:
    """Every threshold of every expression, in their order, each once.

    Raises:
        UserError: with a line for each expression that cannot be read.
    """
    goals: dict[Goal, None] = {}
    problems = []
    for text in texts:
        if not (found := EXPRESSION.fullmatch(text)):
            problems.append(_unread(text))
            continue
        value, relation, thresholds = found.groups()
        for threshold in thresholds.split(","):
            if (number := finite(threshold)) is None:
                problems.append(f"--until {text}: {threshold.strip() or 'nothing'}: must be a number: {SUCH}")
            else:
                goals[Goal(value, relation, number)] = None
    if problems:
        raise UserError(*problems)
    return [*goals]


def _unread(text: str) -> str:
    name = re.match(r"\s*([\w./-]*)", text)
    value = name[1] if name and name[1] else "frechet"
    if "=" in text:
        return f"--until {text}: at most or at least? --until '{value}<=10' or '{value}>=10'"
    return f"--until {text}: is no value, <= or >=, and a number: {SUCH} (in quotes: < and > are the shell's too)"
