"""One config, built as gan-train builds it, and its training step, timed."""

from __future__ import annotations

import ctypes
import gc
import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from gan_cli.commands.bench.peaks import Peaks, synchronize
from gan_cli.commands.bench.variants import Variant
from gan_cli.commands.bench.work import period, work
from gan_cli.config.library import Library
from gan_cli.train import play
from gan_cli.training.build import build
from gan_cli.training.capture import Eager, own_stream, recorder
from gan_cli.training.precision import AUTOCAST
from gan_cli.training.setup import Setup

WARM_UP = 3  # steps; the first compiles, allocates and picks kernels


def advance(
    setup: Setup, steps: range, executor: Eager | None = None, minibatches: Any = None, prior: Any = None
) -> None:
    """Algorithm 1 for these steps, with nobody watching."""
    with own_stream(setup.device):
        play(setup, steps, (), executor, minibatches, prior)
    synchronize(setup.device)


class Contender:
    """A variant that is ready to run.

    Args:
        executor: how moves are made, if not as in a run.

    Attributes:
        work: FLOPs and bytes of a step.
        memory: bytes at the peak of its first steps, above what the process held before; None where unknown.
        peaks: what the machine did at best in each turn, by race.
        waits: the share of each turn's steps spent on drawing minibatches and latents.
    """

    def __init__(self, variant: Variant, library: Library, executor: Eager | None = None) -> None:
        self.name, self.config = variant.name, variant.config
        memory = Memory()
        self.setup = build(variant.config, library)
        self.executor = executor or recorder(self.setup)
        self._switches = switches()
        self._period = period(self.setup)
        self._at = 1
        for _ in range(WARM_UP):
            self._step = self._time(1, self.executor)
        self._step = min(self._step, self._time(self._period, self.executor) / self._period)
        self.memory = memory.peak(self.setup.device)
        plain = eager(variant.config)
        self.work = work(self.setup if plain == variant.config else build(plain, library))
        self._races = Peaks(self.setup.device, self.dtype)
        self.peaks: list[dict[str, float]] = []
        self.waits: list[float] = []

    @property
    def dtype(self) -> torch.dtype:
        """What its networks compute in."""
        return AUTOCAST.get(self.setup.precision) or torch.float32

    @property
    def images(self) -> int:
        """Of a step."""
        return self.setup.batch_sizes.images_seen(1)

    def turn(self, seconds: float) -> float:
        """Images per second over about ``seconds``: whole periods of its penalties."""
        for switch, value in self._switches:
            switch(value)
        steps = self._period * max(1, math.ceil(seconds / (self._step * self._period)))
        took = self._time(steps, self.executor)
        self.peaks.append(self._races.measure())
        self.waits.append(self._wait(max(1, steps // 4)) / (took / steps))
        return steps * self.images / took

    def next(self, steps: int) -> range:
        """The next so many steps of the training."""
        self._at += steps
        return range(self._at - steps, self._at)

    def _time(self, steps: int, executor: Eager | None = None, minibatches: Any = None, prior: Any = None) -> float:
        synchronize(self.setup.device)
        start = time.perf_counter()
        advance(self.setup, self.next(steps), executor, minibatches, prior)
        return time.perf_counter() - start

    def _wait(self, steps: int) -> float:
        """Seconds of a step until minibatches and latents are there, each waited for alone; no move is replayed."""
        clock = Clock(self.setup.device)
        self._time(steps, None, Timed(self.setup.minibatches, clock), Timed(self.setup.sampler.prior, clock))
        return clock.seconds / steps


class Clock:
    """Adds up the time that calls take on a device."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.seconds = device, 0.0

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        synchronize(self.device)
        start = time.perf_counter()
        result = function(*args, **kwargs)
        synchronize(self.device)
        self.seconds += time.perf_counter() - start
        return result


class Timed:
    """An object whose methods are timed when they are called from outside."""

    def __init__(self, target: Any, clock: Clock) -> None:
        self._target, self._clock = target, clock

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        return partial(self._clock.call, found) if callable(found) else found


def eager(config: Any) -> Any:
    """The same game, step by step: compiled code hides its operations from a count."""
    plain = {"compile": False, "capture": False}
    return config.model_copy(update=plain)


def switches() -> list[tuple[Callable[[Any], None], Any]]:
    """Process-wide settings of torch as they are now, each with the call that brings it back."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul

    def setter(owner: Any, name: str) -> Callable[[Any], None]:
        return lambda value: setattr(owner, name, value)

    return [
        (torch.set_float32_matmul_precision, torch.get_float32_matmul_precision()),
        (torch.use_deterministic_algorithms, torch.are_deterministic_algorithms_enabled()),
        (torch.set_num_threads, torch.get_num_threads()),
        *((setter(cudnn, name), getattr(cudnn, name)) for name in ("allow_tf32", "benchmark", "deterministic")),
        (setter(matmul, "allow_tf32"), matmul.allow_tf32),
    ]


class Memory:
    """The most memory held since this was made."""

    def __init__(self) -> None:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        try:
            ctypes.CDLL(None).malloc_trim(0)  # or what was freed before would be used again, unseen
            Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak starts from here
        except (AttributeError, OSError):
            pass
        self._before = _resident("VmRSS")
        self._cuda = torch.cuda.memory_allocated() if torch.cuda.is_available() else 0

    def peak(self, device: torch.device) -> int | None:
        """Bytes, above what was held at first."""
        if device.type == "cuda":
            return torch.cuda.max_memory_allocated(device) - self._cuda
        peak = _resident("VmHWM")
        return None if device.type != "cpu" or peak is None or self._before is None else peak - self._before


def _resident(key: str) -> int | None:
    """A line of Linux's account of this process, in bytes."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:")), None)
