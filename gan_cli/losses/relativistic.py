"""Relativistic games (Jolicoeur-Martineau 2018): D compares a real sample with a generated one."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn.functional import softplus

from gan_cli.distributed import mean
from gan_cli.losses.loss import Loss


class Relativistic(Loss):
    """In pairs (RSGAN): σ(D(x) − D(y)) is the probability that x, of the two, is the real one."""

    generator_sees_real: ClassVar[bool] = True
    probability: ClassVar[bool] = False

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """E softplus(−(D(x) − D(G(z)))); log 2 − JSD(p⊗q ‖ q⊗p) at its minimum."""
        return softplus(fake_logits - real_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """E softplus(−(D(G(z)) − D(x)))."""
        return softplus(_given(real_logits) - fake_logits).mean()


class RelativisticAverage(Relativistic):
    """Each sample against the mean of the other kind (RaSGAN)."""

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """E softplus(−(D(x) − E D(G(z)))) + E softplus(D(G(z)) − E D(x))."""
        real, fake = real_logits - mean(fake_logits.mean()), fake_logits - mean(real_logits.mean())
        return softplus(-real).mean() + softplus(fake).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """The same with the two kinds exchanged."""
        return self.discriminator(fake_logits, _given(real_logits))


def _given(real_logits: Tensor | None) -> Tensor:
    if real_logits is None:
        raise ValueError("a relativistic generator loss needs real_logits too")
    return real_logits
