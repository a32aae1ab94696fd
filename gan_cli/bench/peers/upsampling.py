"""A generator that upsamples and convolves (Odena, Dumoulin & Olah 2016), at the sizes other programs are timed with.

gan-bench --config-dir gan_cli/bench/peers architecture=upsampling
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class Upsampling:
    """Options of both players; see ``architecture/upsampling.yaml``."""

    def __init__(
        self,
        generator: list[int],
        discriminator: list[int],
        slope: float,
        dropout: float,
        eps: float,
        deviation: float,
    ) -> None:
        self.widths, self.judging = generator, discriminator
        self.slope, self.dropout, self.eps, self.deviation = slope, dropout, eps, deviation

    def generator(self, latent: int, shape: tuple[int, ...], classes: int) -> nn.Module:
        """z (B, latent) → pictures (B, C, S, S) in [−1, 1]: one doubling for each pair of widths."""
        start, side = self.widths[0], shape[-1] >> (len(self.widths) - 1)
        parts: list[nn.Module] = [nn.Linear(latent, start * side**2), nn.Unflatten(1, (start, side, side))]
        parts.append(nn.BatchNorm2d(start))
        for inputs, outputs in pairwise(self.widths):
            parts += [nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, padding=1)]
            parts += [nn.BatchNorm2d(outputs, self.eps), nn.LeakyReLU(self.slope, inplace=True)]
        return self._begun(Unlabelled(*parts, nn.Conv2d(self.widths[-1], shape[0], 3, padding=1), nn.Tanh()))

    def discriminator(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """x (B, C, S, S) → logits (B,): one halving for each width."""
        parts: list[nn.Module] = []
        for inputs, outputs in pairwise([shape[0], *self.judging]):
            parts += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.LeakyReLU(self.slope, inplace=True)]
            normed = nn.Identity() if inputs == shape[0] else nn.BatchNorm2d(outputs, self.eps)
            parts += [nn.Dropout2d(self.dropout), normed]
        side = shape[-1] >> len(self.judging)
        return self._begun(Unlabelled(*parts, nn.Flatten(), nn.Linear(self.judging[-1] * side**2, 1), nn.Flatten(0)))

    def _begun(self, network: nn.Module) -> nn.Module:
        """The network with the peer's first weights; those of linear layers are torch's own."""
        for part in network.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.normal_(part.weight, 0.0, self.deviation)
            elif isinstance(part, nn.BatchNorm2d):
                nn.init.normal_(part.weight, 1.0, self.deviation)
        return network


class Unlabelled(nn.Sequential):
    """Takes no notice of labels."""

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return super().forward(x)
