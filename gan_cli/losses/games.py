"""The three games of Goodfellow et al. (2014) and of the lecture, with its factors of ½.

The discriminator returns logits ``l``, so D = σ(l), log D = −softplus(−l), log(1 − D) = −softplus(l): finite for
every finite logit.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softplus

from gan_cli.losses.loss import Loss, exp_or_tangent


@dataclass(frozen=True, kw_only=True)
class CrossEntropyGame(Loss):
    """D is a binary classifier; subclasses define J(G).

    ``smoothing`` moves the target of real samples from 1 to 1 − smoothing, and of them alone (one-sided, Salimans et
    al. 2016, section 3.4).
    """

    smoothing: float

    @property
    def bounds_jsd(self) -> bool:  # type: ignore[override]
        return self.smoothing == 0

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """J(D) = −½ E log D(x) − ½ E log(1 − D(G(z))), in nats; a scalar."""
        real = (1 - self.smoothing) * softplus(-real_logits) + self.smoothing * softplus(real_logits)
        return 0.5 * real.mean() + 0.5 * softplus(fake_logits).mean()


class Minimax(CrossEntropyGame):
    """The zero-sum game: J(G) = −J(D) (2014, equation 1)."""

    saturates = True  # dJ(G)/dlogit = −½ D(G(z)); of the non-saturating game, −½ (1 − D(G(z)))

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """−J(D). Without ``real_logits``, only the term that depends on G: ½ E log(1 − D(G(z)))."""
        if real_logits is not None:
            return -self.discriminator(real_logits, fake_logits)
        return -0.5 * softplus(fake_logits).mean()


class NonSaturating(CrossEntropyGame):
    """The heuristic game: J(G) = −½ E log D(G(z)) (2014, section 3)."""

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """−½ E log D(G(z))."""
        return 0.5 * softplus(-fake_logits).mean()


class MaximumLikelihood(CrossEntropyGame):
    """Maximum likelihood: J(G) = −½ E exp(σ⁻¹(D(G(z)))) (Goodfellow 2014, arXiv:1412.6515).

    Above a logit of 30 (D = 1 − 10⁻¹³) exp goes on as its tangent.
    """

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """−½ E exp(logit D(G(z)))."""
        return -0.5 * exp_or_tangent(fake_logits).mean()
