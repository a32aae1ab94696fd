"""One variant with one seed, trained from the beginning and measured at intervals until its goals hold."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gan_cli import memory
from gan_cli.commands.bench.contender import advance
from gan_cli.commands.bench.until import Goal
from gan_cli.commands.bench.variants import Variant
from gan_cli.config.library import Library
from gan_cli.config.mistakes import suggestion
from gan_cli.config.schema import Config
from gan_cli.errors import Diverged, UserError
from gan_cli.metrics.evaluation import watchable
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.metric import METRICS, Metric
from gan_cli.runs.measurements import Measurements, evidence_of
from gan_cli.training.budget import enough
from gan_cli.training.build import build
from gan_cli.training.capture import recorder
from gan_cli.training.setup import Loaded
from gan_cli.training.switches import Switches

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """What an evaluation has found; both times are of training until then."""

    step: int
    images: int
    seconds: float
    processor_seconds: float
    values: dict[str, float | None]


class Trial:
    """Trains like a run that nobody watches; evaluations are apart from its time.

    The untrained generator is measured first, so that what cannot be measured is known before anything is trained.

    Args:
        seed: of the training; the evaluation's samples and choices follow from it as in a run.
        like: the data of another trial of this variant.

    Attributes:
        step: the last that was trained.
        seconds: of training so far, on the clock.
        processor_seconds: the same on the processors, all threads together, to which other programs do not add.
        evaluations: what was found, at step 0 first.
        reached: the evaluation at which each goal held for the first time.
        why: why it ended before its goals held, or "".

    Raises:
        UserError: if a value is measured by no metric, or a metric does not fit the variant.
    """

    def __init__(
        self, variant: Variant, seed: int, goals: Sequence[Goal], library: Library, like: Loaded | None = None
    ) -> None:
        self.name, self.goals = variant.name, goals
        config = variant.config.model_copy(update={"seed": seed, "watch": None})
        self.setup = build(config, library, like=like)
        self.executor = recorder(self.setup)
        self._switches = Switches()
        evidence = evidence_of(self.setup, library)
        self.config = measuring(config, goals, library, evidence)
        self._measurements = Measurements(replace(self.setup, config=self.config), library, evidence)
        self.step, self.seconds, self.processor_seconds, self.why = 0, 0.0, 0.0, ""
        self.evaluations: list[Found] = []
        self.reached: dict[Goal, Found] = {}
        self._evaluate()
        for found in self.evaluations:
            if unknown := [goal for goal in goals if goal.value not in found.values]:
                raise UserError(*(_unmeasured(goal, self.config, [*found.values]) for goal in unknown))

    @property
    def over(self) -> bool:
        return bool(self.why) or len(self.reached) == len(self.goals)

    @property
    def every(self) -> int:
        """Steps between evaluations."""
        return self.config.evaluate_every or self.config.steps

    def turn(self) -> None:
        """Trains until the next evaluation, and measures."""
        self._switches.restore()
        steps = range(self.step + 1, min(self.config.steps, self.step + self.every) + 1)
        began, worked = time.perf_counter(), time.process_time()
        with enough(self.config):
            advance(self.setup, steps, self.executor)
        self.seconds += time.perf_counter() - began
        self.processor_seconds += time.process_time() - worked
        self.step = steps[-1]
        self._evaluate()
        if not self.over and self.step == self.config.steps:
            self.why = f"{self.step:,} steps are all"

    def _evaluate(self) -> None:
        try:
            with memory.enough(f"evaluate_count={self.config.evaluate_count}", "use a smaller one"):
                values = self._measurements.at(self.step)
        except Diverged as error:
            self.why = f"step {self.step:,}: {error.reason}"
            return
        images = self.setup.batch_sizes.images_seen(self.step)
        found = Found(self.step, images, self.seconds, self.processor_seconds, values)
        self.evaluations.append(found)
        log.info(
            "%s  seed %d  step %d  %s  after %.4g s (%.4g s on processors)",
            *(self.name, self.config.seed, self.step, self._shown(values), self.seconds, self.processor_seconds),
        )
        for goal in self.goals:
            if goal not in self.reached and goal.held_by(values.get(goal.value)):
                self.reached[goal] = found

    def _shown(self, values: Mapping[str, float | None]) -> str:
        watched = dict.fromkeys(goal.value for goal in self.goals)
        numbers = {name: values.get(name) for name in watched}
        return "  ".join(f"{name} {'not finite' if n is None else format(n, '.4g')}" for name, n in numbers.items())

    def nearest(self, goal: Goal) -> float | None:
        """The value that came nearest to a goal."""
        found = [each.values.get(goal.value) for each in self.evaluations]
        return goal.nearest([value for value in found if value is not None])


def measuring(config: Config, goals: Sequence[Goal], library: Library, evidence: Evidence) -> Config:
    """The config with the metrics that its goals need beside its own.

    Raises:
        UserError: if no metric is known to have a value, and none of the config's may have it.
    """
    wanted = [goal for goal in goals if not any(goal.value in values for values in _values(config, library, evidence))]
    if not wanted:
        return config
    every = {name: library.choice("metrics", name) for name in library.options("metrics")}
    known = {
        value: name for name, choice in every.items() for value in watchable(library.build(METRICS, choice), evidence)
    }
    open_ended = any(not isinstance(library.build(METRICS, choice), Metric) for choice in config.metrics.values())
    if unknown := [goal for goal in wanted if goal.value not in known and not open_ended]:
        raise UserError(*(_unmeasured(goal, config, [*known]) for goal in unknown))
    needed = dict.fromkeys(known[goal.value] for goal in wanted if goal.value in known)
    return config.model_copy(update={"metrics": {**config.metrics, **{name: every[name] for name in needed}}})


def _values(config: Config, library: Library, evidence: Evidence) -> list[Mapping[str, str]]:
    return [watchable(library.build(METRICS, choice), evidence) for choice in config.metrics.values()]


def _unmeasured(goal: Goal, config: Config, known: Sequence[str]) -> str:
    return (
        f"--until {goal}: no metric has such a value{suggestion(goal.value, known)}: "
        f"choose one of: {', '.join(known)}" + ("" if config.metrics else ", or one of your own: metrics=[…]")
    )
