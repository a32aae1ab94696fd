"""The learning rate's factor as a function of the step or of the images seen: there is no scheduler state to save."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from gan_cli.config.batch_sizes import BatchSizes
from gan_cli.config.options import Group

Schedule = Callable[[int], float]  # step (1, 2, …) → factor of the learning rate
SCHEDULE = Group[Schedule]("schedule")


@dataclass(frozen=True, kw_only=True)
class Constant:
    """1 at every step, after ``warmup`` steps of linear rise. The base of all schedules.

    Args:
        unit: what ``warmup`` and all other lengths count: ``steps``, or ``images`` seen. What is called a step here is
            then an image; the images of a step count at its end, so that n steps of m images are nm images.
    """

    unit: str
    warmup: int

    def __call__(self, step: int) -> float:
        """The factor for step 1, 2, …"""
        rise = min(1.0, step / self.warmup) if self.warmup else 1.0
        return rise * self.decay(step)

    def decay(self, step: int) -> float:
        return 1.0


@dataclass(frozen=True, kw_only=True)
class Linear(Constant):
    """From 1 to ``final`` on a straight line that begins at step ``start`` and takes ``duration`` steps."""

    start: int
    duration: int
    final: float

    def progress(self, step: int) -> float:
        return min(1.0, max(0.0, (step - self.start) / self.duration))

    def decay(self, step: int) -> float:
        return 1 + (self.final - 1) * self.progress(step)


@dataclass(frozen=True, kw_only=True)
class Cosine(Linear):
    """From 1 to ``final`` along half a cosine (Loshchilov & Hutter 2017, equation 5)."""

    def decay(self, step: int) -> float:
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * self.progress(step))) / 2


@dataclass(frozen=True, kw_only=True)
class Exponential(Constant):
    """Halves every ``half_life`` steps, and stays at ``final`` once there."""

    half_life: float
    final: float

    def decay(self, step: int) -> float:
        return max(self.final, 0.5 ** (step / self.half_life))


def by_step(schedule: Schedule, batch_sizes: BatchSizes) -> Schedule:
    """A schedule as a function of the step, whatever its unit is."""
    if not isinstance(schedule, Constant) or schedule.unit == "steps":
        return schedule
    return lambda step: schedule(batch_sizes.images_seen(step))
