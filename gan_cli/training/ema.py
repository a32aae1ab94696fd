"""An exponential moving average of the generator's weights."""

from __future__ import annotations

import copy
from typing import Protocol

import torch
from torch import Tensor, nn

from gan_cli.config.annealing import annealed
from gan_cli.config.batch_sizes import BatchSizes

RAMP_UP = 0.1  # the half-life is at most this share of the images seen, so that early averages forget the start


class Averages(Protocol):
    """Moving averages of the weights that are being trained."""

    def update(self, step: int) -> None:
        """Updates the averages with the weights after a step."""
        ...


class EMA:
    """Averages parameters and floating-point buffers (batch-norm statistics) of a network after each step.

    Args:
        half_life: real images seen until the share of old weights has halved.
        batch_sizes: convert steps into images.
        final: the half-life that it grows or falls to, along half a cosine; None: it stays, and is shorter only at
            first, so that early averages forget the start.
        anneal_images: the images that this takes.

    Attributes:
        begun: whether it begins as the average of another run, and has no start to forget early.
    """

    def __init__(
        self,
        network: nn.Module,
        half_life: float,
        batch_sizes: BatchSizes,
        final: float | None = None,
        anneal_images: int = 0,
    ) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.half_life, self.batch_sizes, self.begun = half_life, batch_sizes, False
        self.final, self.anneal_images = final, anneal_images
        self._pairs = self._matched(network)

    def _matched(self, source: nn.Module) -> tuple[list[Tensor], list[Tensor], list[tuple[Tensor, Tensor]]]:
        ours, theirs, counters = [], [], []
        targets = dict(self.network.state_dict(keep_vars=True))
        for name, value in source.state_dict(keep_vars=True).items():
            if value.is_floating_point():
                ours.append(targets[name])
                theirs.append(value)
            else:
                counters.append((targets[name], value))
        return ours, theirs, counters

    def decay(self, step: int) -> float:
        """The factor of the old average at step 1, 2, …: a function of the images seen, so there is no state."""
        seen, before = self.batch_sizes.images_seen(step), self.batch_sizes.images_seen(step - 1)
        if self.final is None:
            ramp = RAMP_UP * step * (seen / step)  # this order of operations keeps the bits of old runs
            half_life = self.half_life if self.begun else min(self.half_life, ramp)
        else:
            half_life = annealed(self.half_life, self.final, before, self.anneal_images)
        return 0.5 ** ((seen - before) / half_life) if half_life else 0.0

    @torch.no_grad()
    def update(self, step: int) -> None:
        ours, theirs, counters = self._pairs
        torch._foreach_lerp_(ours, theirs, 1 - self.decay(step))
        if counters:
            torch._foreach_copy_([target for target, _ in counters], [value for _, value in counters])
