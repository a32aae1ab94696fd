"""How long a run will take, by a few real steps of each kind and a few samples, timed on the device."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

from gan_cli.algorithm import play
from gan_cli.commands.bench.work import kinds, period
from gan_cli.config.batch_sizes import BatchSizes
from gan_cli.ensemble.train import Ensemble
from gan_cli.games.decoding import ROWS
from gan_cli.runs.observers.samples import POINTS_PER_PICTURE
from gan_cli.training.capture import Eager, recorder
from gan_cli.training.cuda_graphs import own_stream
from gan_cli.training.devices import synchronize
from gan_cli.training.setup import Setup

PLACES = 4096  # steps, spread over the run, that are looked at for their kind
SECONDS, LEAST = 3.0, 0.3  # of timing steps in all, and of those of a kind
MOST = 20  # timed steps of a kind
SOON = 0.5  # seconds within which a first step is repeated, because it also loads kernels
RECORDING = 4  # steps on a GPU until moves are recorded and replayed


@dataclass(frozen=True)
class Pace:
    """An estimate of the time that a run takes.

    Attributes:
        steps: seconds of all its steps.
        count: how many they are.
        timed: how many were timed.
        grids: seconds in which its sample grids are drawn.
    """

    steps: float
    count: int
    timed: int
    grids: float


def pace_of(setup: Setup, start: int, largest: int, together: Ensemble | None = None) -> Pace:
    """The pace of the steps after ``start``. Trains the setup, or the ensemble of which it is one, for some steps.

    Args:
        largest: samples in a step that can be timed; steps of more are taken to last so many times longer.
    """
    config, device = setup.config, setup.device
    factor = 1 if together else -(-setup.batch_sizes.largest // largest)
    timed, steps = (setup, range(start + 1, config.steps + 1)) if factor == 1 else _in_less(setup, start, factor)
    executor = recorder(setup) if factor == 1 else Eager(config.accumulate)

    def advance(step: int) -> None:
        if together:
            together.train(range(step, step + 1), ())
        else:
            with own_stream(device):
                play(timed, range(step, step + 1), (), executor)
        synchronize(device)

    places = _places(steps, period(timed))
    groups = kinds(timed, places)
    share = max(LEAST, SECONDS / max(1, len(groups)))
    seconds = 0.0
    count = 0
    for those in groups:
        took = _timed(partial(advance, those[len(those) // 2]), share, RECORDING * (device.type == "cuda"))
        seconds += median(took) * len(steps) * len(those) / len(places)
        count += len(took)
    if device.type == "cuda":  # each process has one to itself
        seconds /= config.devices
    return Pace(seconds, config.steps - start, count, _drawing(setup, start) * max(1, config.ensemble))


def _places(steps: range, period: int) -> list[int]:
    """Steps of the run: all, or whole periods of its penalties spread over it."""
    if len(steps) <= PLACES:
        return [*steps]
    blocks = max(1, PLACES // period)
    begins = steps[:: -(-len(steps) // blocks)]
    return [step for begin in begins for step in range(begin, min(begin + period, steps.stop))]


def _in_less(setup: Setup, start: int, factor: int) -> tuple[Setup, range]:
    """The same run in steps of so many times fewer samples, and its steps."""
    whole, multiple = setup.batch_sizes, setup.config.pack * setup.config.accumulate
    sizes = {s.images: max(multiple, s.size // factor // multiple * multiple) for s in whole.stretches}
    less = BatchSizes(sizes, whole.moves)
    seen = [whole.images_seen(step) for step in (start, setup.config.steps)]
    ends = [bisect_left(range(2**62), images, key=less.images_seen) for images in seen]
    return replace(setup, batch_sizes=less), range(ends[0] + 1, ends[1] + 1)


def _timed(action: Callable[[], object], budget: float, before: int) -> list[float]:
    """Seconds of an action each time that it is done, for about ``budget`` seconds, after ``before`` times or one."""
    took: list[float] = []
    while len(took) < MOST + before and (len(took) <= before or sum(took) < budget):
        began = time.perf_counter()
        action()
        took.append(time.perf_counter() - began)
        if len(took) == 1 and took[0] > max(SOON, budget / 2):
            return took
    return took[max(1, before) :] or took


def _drawing(setup: Setup, start: int) -> float:
    """Seconds in which all sample grids are drawn, as often as they are due after ``start``."""
    config, points = setup.config, len(setup.samples.shape) == 1
    count = config.sample_count * (POINTS_PER_PICTURE if points else 1)
    every, steps = config.sample_every, config.steps
    grids = steps // every - start // every + (steps % every > 0) if every else 1
    batches = -(-count // ROWS)
    took = _timed(partial(setup.sampler.sample, min(count, ROWS)), LEAST, 0)
    return grids * batches * median(took)
