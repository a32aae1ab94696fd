"""The perceptrons of PyTorch-GAN's gan.py: ours, with the number that it adds to the variance in batch norm."""

from __future__ import annotations

from torch import nn

from gan_cli.config.options import Values
from gan_cli.models.mlp import MLP


class Perceptrons(MLP):
    """Options of both players as of ``architecture=mlp``; see ``architecture/perceptrons.yaml``."""

    def __init__(self, generator: Values, discriminator: Values, eps: float) -> None:
        super().__init__(generator, discriminator)
        self.eps = eps

    def generator(self, latent: int, shape: tuple[int, ...], classes: int) -> nn.Module:
        """z (B, latent) → pictures (B, C, S, S) in [−1, 1]."""
        network = super().generator(latent, shape, classes)
        for part in network.modules():
            if isinstance(part, nn.BatchNorm1d):
                part.eps = self.eps
        return network
