"""A generator that upsamples and convolves (Odena, Dumoulin & Olah 2016), at the sizes other programs are timed with.

gan-bench --config-dir gan_cli/bench/peers architecture=upsampling
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class Upsampling:
    """Options of both players; see ``architecture/upsampling.yaml``."""

    def __init__(self, generator: list[int], discriminator: list[int], slope: float, dropout: float) -> None:
        self.widths, self.judging = generator, discriminator
        self.slope, self.dropout = slope, dropout

    def generator(self, latent: int, shape: tuple[int, ...], classes: int) -> nn.Module:
        """z (B, latent) → pictures (B, C, S, S) in [−1, 1]: one doubling for each pair of widths."""
        start, side = self.widths[0], shape[-1] >> (len(self.widths) - 1)
        parts: list[nn.Module] = [nn.Linear(latent, start * side**2), nn.Unflatten(1, (start, side, side))]
        parts.append(nn.BatchNorm2d(start))
        for inputs, outputs in pairwise(self.widths):
            parts += [nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, padding=1)]
            parts += [nn.BatchNorm2d(outputs), nn.LeakyReLU(self.slope, inplace=True)]
        return Unlabelled(*parts, nn.Conv2d(self.widths[-1], shape[0], 3, padding=1), nn.Tanh())

    def discriminator(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """x (B, C, S, S) → logits (B,): one halving for each width."""
        parts: list[nn.Module] = []
        for inputs, outputs in pairwise([shape[0], *self.judging]):
            parts += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.LeakyReLU(self.slope, inplace=True)]
            parts += [nn.Dropout2d(self.dropout), nn.BatchNorm2d(outputs) if inputs != shape[0] else nn.Identity()]
        side = shape[-1] >> len(self.judging)
        return Unlabelled(*parts, nn.Flatten(), nn.Linear(self.judging[-1] * side**2, 1), nn.Flatten(0))


class Unlabelled(nn.Sequential):
    """Takes no notice of labels."""

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return super().forward(x)
