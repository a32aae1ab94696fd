"""How much memory training will take at its peak: measured in steps of few samples, and carried on to all of them.

Kernels keep scratch memory that no list of tensors knows, and memory that is freed is not always used again. So what
counts is what the process, or the GPU, really held. It grows as a straight line with the samples in a step.
"""

from __future__ import annotations

import ctypes
import gc
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from gan_cli.algorithm import train
from gan_cli.config.batch_sizes import BatchSizes
from gan_cli.games.growing import growth_of
from gan_cli.memory import shortage
from gan_cli.training.capture import Eager
from gan_cli.training.setup import Setup

ENOUGH, LONG = 2**29, 4.0  # bytes that a step takes, and seconds of a processor: the next would be twice as much


class Memory:
    """The peak of memory use since this object was made: of a GPU, else of the process."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
        try:
            ctypes.CDLL(None).malloc_trim(0)  # memory that was freed before would else be reused without being counted
            Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak starts from here
        except (AttributeError, OSError):
            pass
        self._before = _resident("VmRSS")
        self._cuda = torch.cuda.memory_allocated(device) if device.type == "cuda" else 0

    def peak(self) -> int | None:
        """The peak, in bytes above what was held at first."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) - self._cuda
        peak = _resident("VmHWM")
        return None if self.device.type != "cpu" or peak is None or self._before is None else peak - self._before

    def held(self) -> int:
        """What was held at first, in bytes."""
        return self._cuda if self.device.type == "cuda" else self._before or 0


def _resident(key: str) -> int | None:
    """A line of ``/proc/self/status``, in bytes."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:")), None)


@dataclass(frozen=True)
class Peak:
    """What training holds at most.

    Attributes:
        total: bytes: weights, their averages, gradients, what the optimizer keeps, and what a move computes.
        samples: of the largest step that was measured.
        batch_size: of the run, for each process.
    """

    total: float
    samples: int
    batch_size: int

    @property
    def how(self) -> str:
        if self.samples == self.batch_size:
            return f"measured in a step of {self.samples}"
        return f"carried on to {self.batch_size} samples from a step of {self.samples}"


def peak_of(setup: Setup) -> Peak | None:
    """The peak of a run; None where this system does not tell it. Trains the setup for some steps."""
    networks = [player.network for player in setup.players] + ([setup.ema.network] if setup.ema else [])
    weights = sum(tensor.nbytes for network in networks for tensor in network.state_dict().values())
    before, found = Memory(setup.device).held(), []
    for largest, images in _demanding(setup):
        if (peak := _measured(setup, largest // setup.config.devices, images, before)) is None:
            return None
        found.append(replace(peak, total=weights + peak.total))
    return max(found, key=lambda peak: peak.total)


def _demanding(setup: Setup) -> list[tuple[int, int]]:
    """Batch sizes, and the images seen, of which one takes the most memory: of networks that grow, the end of each."""
    sizes = setup.batch_sizes
    if growth_of(setup.game.networks.values()) is None:
        return [(sizes.largest, 0)]
    last = sizes.images_seen(setup.config.steps)
    ends = [*(stretch.images for stretch in sizes.stretches[1:]), last]
    stretches = [(s, min(end, last)) for s, end in zip(sizes.stretches, ends, strict=True)]
    return [(s.size, max(0, end - s.size)) for s, end in stretches if s.images < end]


def _measured(setup: Setup, largest: int, images: int, before: int) -> Peak | None:
    """The peak above what was held ``before`` of steps of ``largest`` samples after so many images."""
    sizes = list(_sizes(largest, setup.config.pack * setup.config.accumulate))
    try:
        _step(setup, sizes[0], images)  # kernels are loaded and moments made
    except Exception as error:  # a network of one's own that wants whole minibatches
        if shortage(error) is not None:
            raise
        sizes = sizes[-1:]
        _step(setup, largest, images)
    measured: list[tuple[int, int]] = []
    for size in sizes:
        memory, began = Memory(setup.device), time.process_time()
        _step(setup, size, images)
        if (peak := memory.peak()) is None:
            return None
        measured.append((size, memory.held() + peak - before))
        if (peak >= ENOUGH or time.process_time() - began > LONG) and len(measured) > 1:
            break
    (size, taken), slope = measured[-1], 0.0
    if size < largest:
        fewer, less = measured[-2]
        slope = max(0.0, (taken - less) / (size - fewer))
    return Peak(max(0, taken) + slope * (largest - size), size, largest)


def _sizes(largest: int, multiple: int) -> Iterator[int]:
    """Minibatches twice as large each time, up to the whole; of two samples at least in each part."""
    size = min(largest, 2 * multiple)
    while size < largest:
        yield size
        size = min(largest, 2 * size)
    yield largest


def _step(setup: Setup, size: int, images: int) -> None:
    """A step of so many samples, in which every penalty is due."""
    config, game = setup.config, setup.game
    period = math.lcm(*(game.period(player.name) for player in setup.players))
    step = 1 + period * math.ceil(images / size / period)
    train(
        game,
        setup.players,
        setup.minibatches,
        setup.sampler.prior,
        setup.ema,
        (),
        batch_sizes=BatchSizes(size),
        steps=range(step, step + 1),
        updates=config.updates,
        seed=config.seed,
        device=setup.device,
        executor=Eager(config.accumulate),
    )
