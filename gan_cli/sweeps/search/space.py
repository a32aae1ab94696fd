"""Search spaces in Hydra's syntax: ``interval(…)``, ``tag(log, …)``, ``choice(…)``, ``range(…)`` and plain lists."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gan_cli.errors import UserError

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override


@dataclass(frozen=True)
class Dimension:
    """One key of a space: a list of values, or an interval of numbers.

    ``choices`` are written as one would type them; without any, numbers from ``low`` to ``high``, whole ones if
    ``whole``, uniform in their logarithm if ``log``.
    """

    key: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False

    def text(self, value: str | float) -> str:
        """The override for a value; numbers have four digits, so that it can be typed again."""
        return f"{self.key}={value if self.choices or self.whole else float(f'{value:.4g}')}"

    def draw(self, source: random.Random) -> str | float:
        """A random value, from the list or the interval."""
        if self.choices:
            return source.choice(self.choices)
        low, high = (self.low - 0.5, self.high + 0.5) if self.whole else (self.low, self.high)
        value = math.exp(source.uniform(math.log(low), math.log(high))) if self.log else source.uniform(low, high)
        return min(max(round(value), int(self.low)), int(self.high)) if self.whole else value


def parse(
    arguments: Sequence[str], params: Mapping[str, object], options: Any = None
) -> tuple[list[Dimension], list[str]]:
    """The dimensions of a space, and the overrides that all its runs share.

    Args:
        arguments: overrides as typed, which take precedence over ``params``.
        params: the overrides of a ``sweep=…``, by key.
        options: lists the options of groups, for ``glob(…)``: a ``Library``, or Hydra's loader of configs.

    Raises:
        UserError: with one line for each argument that is no space.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    dimensions: dict[str, Dimension] = {}
    fixed: dict[str, str] = {}
    problems = []
    for text in (*(f"{key}={value}" for key, value in params.items()), *arguments):
        try:
            override = OverridesParser.create().parse_override(text)
            override.config_loader = options
            key = override.get_key_element()
            if override.is_sweep_override():
                dimensions[key] = _dimension(key, override)
                fixed.pop(key, None)
            else:
                fixed[key] = text
                dimensions.pop(key, None)
        except HydraException:
            problems.append(
                f"{text}: cannot be read: spaces are such as interval(0,1), tag(log,interval(1e-5,1e-2)), 1,2"
            )
        except ValueError as error:
            problems.append(f"{text}: {error}")
    if not dimensions and not problems:
        problems.append(
            "--multirun: nothing to search: give a space, such as 'optimizer.lr=tag(log,interval(1e-5,1e-2))'"
        )
    if problems:
        raise UserError(*problems)
    return list(dimensions.values()), list(fixed.values())


def _dimension(key: str, override: Override) -> Dimension:
    from hydra.core.override_parser.types import IntervalSweep, RangeSweep, Sweep

    value = override.value()
    assert isinstance(value, Sweep)
    log = "log" in value.tags
    if unknown := value.tags - {"log"}:
        raise ValueError(f"tag {min(unknown)} is not known: there is log")
    if isinstance(value, IntervalSweep):
        whole = isinstance(value.start, int) and isinstance(value.end, int)
        low, high = value.start, value.end
        assert low is not None
        assert high is not None
    elif isinstance(value, RangeSweep) and isinstance(value.range(), range) and value.step == 1:
        assert value.start is not None
        assert value.stop is not None
        whole, low, high = True, value.start, value.stop - 1
    elif log:
        raise ValueError("a list has no logarithm: tag(log, …) is for intervals")
    else:
        return Dimension(key, tuple(override.sweep_string_iterator()))
    if not (math.isfinite(low) and math.isfinite(high)) or low >= high:
        raise ValueError("an interval goes from a lower number to a higher one")
    if log and low <= 0:
        raise ValueError("an interval with a logarithm begins above 0")
    return Dimension(key, (), low, high, log, whole)
