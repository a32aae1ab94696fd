"""An exponential moving average of the generator's weights."""

from __future__ import annotations

from typing import Protocol

from torch import nn

from gan_cli.config.annealing import annealed
from gan_cli.config.batch_sizes import BatchSizes
from gan_cli.models.averaging import RAMP_UP, AveragedNetwork


class Averages(Protocol):
    """Moving averages of the weights that are being trained."""

    def update(self, step: int) -> None:
        """Updates the averages with the weights after a step."""
        ...


class EMA(AveragedNetwork):
    """Averages parameters and floating-point buffers (batch-norm statistics) of a network after each step.

    Args:
        half_life: real images seen until the share of old weights has halved.
        batch_sizes: convert steps into images.
        final: the half-life that it grows or falls to, along half a cosine; None: it stays, and is shorter only at
            first, so that early averages forget the start.
        anneal_images: the images that this takes.

    Attributes:
        begun: whether it begins as the average of another run and forgets nothing early, as an earlier version had it.
    """

    def __init__(
        self,
        network: nn.Module,
        half_life: float,
        batch_sizes: BatchSizes,
        final: float | None = None,
        anneal_images: int = 0,
    ) -> None:
        super().__init__(network)
        self.half_life, self.batch_sizes, self.begun = half_life, batch_sizes, False
        self.final, self.anneal_images = final, anneal_images

    def decay(self, step: int) -> float:
        """The factor of the old average at step 1, 2, …: a function of the images seen, so there is no state."""
        seen, before = self.batch_sizes.images_seen(step), self.batch_sizes.images_seen(step - 1)
        if self.final is None:
            ramp = RAMP_UP * step * (seen / step)  # this order of operations keeps the bits of old runs
            half_life = self.half_life if self.begun else min(self.half_life, ramp)
        else:
            half_life = annealed(self.half_life, self.final, before, self.anneal_images)
        return 0.5 ** ((seen - before) / half_life) if half_life else 0.0

    def update(self, step: int) -> None:
        self.follow(self.decay(step))
