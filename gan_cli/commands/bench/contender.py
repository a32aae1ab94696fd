"""One config, built as gan-train builds it, whose training step is timed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from gan_cli.algorithm import play
from gan_cli.commands.bench.peaks import Peaks
from gan_cli.commands.bench.variants import Variant
from gan_cli.commands.bench.work import period, work
from gan_cli.config.library import Library
from gan_cli.config.schema import Config
from gan_cli.data.minibatches import Minibatches
from gan_cli.models.priors import Latents
from gan_cli.runs.peak import Memory
from gan_cli.training.build import build
from gan_cli.training.capture import Eager, recorder
from gan_cli.training.cuda_graphs import own_stream
from gan_cli.training.devices import pick_device, synchronize
from gan_cli.training.precision import AUTOCAST
from gan_cli.training.setup import Setup
from gan_cli.training.switches import Switches

WARM_UP = 3  # steps; the first compiles, allocates and picks kernels
Result = TypeVar("Result")


def advance(setup: Setup, steps: range, executor: Eager | None = None) -> None:
    """Algorithm 1 for these steps, without observers."""
    with own_stream(setup.device):
        play(setup, steps, (), executor)
    synchronize(setup.device)


class Contender:
    """A variant that is ready to run.

    Args:
        executor: executes the moves; by default like a run.

    Attributes:
        work: FLOPs and bytes of a step.
        memory: the peak of its first steps, in bytes above what the process held before; None where unknown.
        peaks: the machine's measured peak in each turn, by race.
        waits: the share of each turn's time that is spent on drawing minibatches and latents.
    """

    def __init__(self, variant: Variant, library: Library, executor: Eager | None = None) -> None:
        self.name, self.config = variant.name, variant.config
        memory = Memory(pick_device(variant.config.device))
        self.setup = build(variant.config, library)
        self.executor = executor or recorder(self.setup)
        self._switches = Switches()
        self._period = period(self.setup)
        self._at = 1
        for _ in range(WARM_UP):
            self._step = self._time(self.setup, 1, self.executor)
        self._step = min(self._step, self._time(self.setup, self._period, self.executor) / self._period)
        self.memory = memory.peak()
        plain = eager(variant.config)
        self.work = work(self.setup if plain == variant.config else build(plain, library))
        self._races = Peaks(self.setup.device, self.dtype)
        self.peaks: list[dict[str, float]] = []
        self.waits: list[float] = []

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that its networks compute in."""
        return AUTOCAST.get(self.setup.precision) or torch.float32

    @property
    def images(self) -> int:
        """Images per step."""
        return self.setup.batch_sizes.images_seen(1)

    def turn(self, seconds: float) -> float:
        """Images per second over about ``seconds``: whole periods of its penalties."""
        self._switches.restore()
        steps = self._period * max(1, math.ceil(seconds / (self._step * self._period)))
        took = self._time(self.setup, steps, self.executor)
        self.peaks.append(self._races.measure())
        self.waits.append(self._wait(max(1, steps // 4)) / (took / steps))
        return steps * self.images / took

    def next(self, steps: int) -> range:
        """The next so many steps of the training."""
        self._at += steps
        return range(self._at - steps, self._at)

    def _time(self, setup: Setup, steps: int, executor: Eager | None = None) -> float:
        synchronize(setup.device)
        start = time.perf_counter()
        advance(setup, self.next(steps), executor)
        return time.perf_counter() - start

    def _wait(self, steps: int) -> float:
        """Seconds per step for minibatches and latents, each of which is waited for; no move is replayed."""
        clock, sampler = Clock(self.setup.device), copy(self.setup.sampler)
        sampler.prior = TimedPrior(sampler.prior, clock)
        minibatches = TimedMinibatches(self.setup.minibatches, clock)
        self._time(replace(self.setup, minibatches=minibatches, sampler=sampler), steps)
        return clock.seconds / steps


class Clock:
    """Adds up the time that calls take on a device."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.seconds = device, 0.0

    def call(self, function: Callable[[], Result]) -> Result:
        synchronize(self.device)
        start = time.perf_counter()
        result = function()
        synchronize(self.device)
        self.seconds += time.perf_counter() - start
        return result


class TimedMinibatches(Minibatches):
    """Minibatches whose gathering and scaling are timed."""

    def __init__(self, minibatches: Minibatches, clock: Clock) -> None:
        self.__dict__.update(minibatches.__dict__)
        self._clock = clock

    def rows(self, player: str, drawn: int, size: int) -> tuple[Tensor, Tensor | None]:
        return self._clock.call(lambda: super(TimedMinibatches, self).rows(player, drawn, size))

    def scaled(self, rows: Tensor) -> Tensor:
        return self._clock.call(lambda: super(TimedMinibatches, self).scaled(rows))


class TimedPrior:
    """A prior whose draws are timed."""

    def __init__(self, prior: Latents, clock: Clock) -> None:
        self._prior, self._clock = prior, clock

    @property
    def size(self) -> int:
        return self._prior.size

    def sample(self, n: int, device: torch.device | str = "cpu", generator: torch.Generator | None = None) -> Tensor:
        return self._clock.call(lambda: self._prior.sample(n, device, generator))


def eager(config: Config) -> Config:
    """The same game without compilation and capture, which hide the operations from a count."""
    plain = {"compile": False, "capture": False}
    return config.model_copy(update=plain)
