"""Least squares (Mao et al. 2017, equation 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gan_cli.losses.loss import Loss


@dataclass(frozen=True, kw_only=True)
class LeastSquares(Loss):
    """D regresses to ``b`` on data and to ``a`` on samples; G wants D to say ``c``. The output is no logit.

    With b − c = 1 and b − a = 2, G descends half the Pearson χ² divergence between p + q and 2q (theorem 1).
    """

    probability: ClassVar[bool] = False

    a: float
    b: float
    c: float

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """½ E (D(x) − b)² + ½ E (D(G(z)) − a)²."""
        return 0.5 * (real_logits - self.b).square().mean() + 0.5 * (fake_logits - self.a).square().mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """½ E (D(G(z)) − c)²."""
        return 0.5 * (fake_logits - self.c).square().mean()
