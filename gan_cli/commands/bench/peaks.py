"""The machine's peak rates, measured in the precision and with the threads of the run."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch
from torch.nn import functional as F

from gan_cli.training.devices import synchronize

CALLS, SECONDS = 2, 0.15  # at least, for each measurement
SIDES = {"cpu": (1536, 8, 128), "other": (8192, 256, 2048)}  # of a matrix; pictures of a batch; mebibytes copied


class Peaks:
    """Three operations that a machine is fast at.

    Attributes:
        races: by name, a call and its FLOPs (for ``copy``, the bytes that it reads and writes).
    """

    @torch.no_grad()
    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self.device = device
        side, batch, mebibytes = SIDES["cpu" if device.type == "cpu" else "other"]
        a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
        x = torch.randn(batch, 256, 32, 32, device=device, dtype=dtype).to(memory_format=torch.channels_last)
        w = torch.randn(256, 256, 3, 3, device=device, dtype=dtype).to(memory_format=torch.channels_last)
        source = torch.zeros(mebibytes * 2**20, device=device, dtype=torch.uint8)
        target = torch.zeros_like(source)
        self.races: dict[str, tuple[Callable[[], object], int]] = {
            "matrix product": (lambda: F.linear(a, b), 2 * side**3),
            "convolution": (lambda: F.conv2d(x, w, padding=1), 2 * batch * 32 * 32 * 256 * 256 * 9),
            "copy": (lambda: target.copy_(source), 2 * source.nbytes),
        }
        for race, _ in self.races.values():
            race()

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """FLOPs (or bytes) per second of each, by the median call."""
        return {name: amount / self._time(race) for name, (race, amount) in self.races.items()}

    def _time(self, race: Callable[[], object]) -> float:
        times: list[float] = []
        while len(times) < CALLS or sum(times) < SECONDS:
            synchronize(self.device)
            start = time.perf_counter()
            race()
            synchronize(self.device)
            times.append(time.perf_counter() - start)
        return median(times)
