"""The three games of Goodfellow et al. (2014) and of the lecture, with its factors of ½.

The discriminator returns logits ``l``, so D = σ(l), log D = −softplus(−l), log(1 − D) = −softplus(l): finite for
every finite logit. Losses are computed in float32 at least, whatever the precision of the networks.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus


def at_least_fp32(logits: Tensor) -> Tensor:
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


class CrossEntropyGame:
    """D is a binary classifier; subclasses say what G makes of it.

    A loss of one's own needs the same two methods; nothing else of it is used.
    """

    bounds_jsd = True  # log 2 − J(D) is a lower bound of the Jensen–Shannon divergence in nats (2014, theorem 1)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """J(D) = −½ E log D(x) − ½ E log(1 − D(G(z))), in nats; a scalar."""
        real, fake = at_least_fp32(real_logits), at_least_fp32(fake_logits)
        return 0.5 * softplus(-real).mean() + 0.5 * softplus(fake).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """J(G), a scalar."""
        raise AssertionError("a game defines generator()")


class Minimax(CrossEntropyGame):
    """The zero-sum game: J(G) = −J(D) (2014, equation 1)."""

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """−J(D). Without ``real_logits``, only the term that depends on G: ½ E log(1 − D(G(z)))."""
        if real_logits is not None:
            return -self.discriminator(real_logits, fake_logits)
        return -0.5 * softplus(at_least_fp32(fake_logits)).mean()


class NonSaturating(CrossEntropyGame):
    """The heuristic game: J(G) = −½ E log D(G(z)) (2014, section 3)."""

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """−½ E log D(G(z))."""
        return 0.5 * softplus(-at_least_fp32(fake_logits)).mean()


class MaximumLikelihood(CrossEntropyGame):
    """Maximum likelihood: J(G) = −½ E exp(σ⁻¹(D(G(z)))) (Goodfellow 2014, arXiv:1412.6515).

    Above a logit of 30 (D = 1 − 10⁻¹³) exp goes on as its tangent, so that the value, its gradient and the
    optimizer's square of it stay finite.
    """

    LINEAR_ABOVE = 30.0

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """−½ E exp(logit D(G(z)))."""
        logits = at_least_fp32(fake_logits)
        capped = logits.clamp(max=self.LINEAR_ABOVE)
        excess = logits - capped.detach()  # 0 below the cap, where its gradient must not count twice
        return -0.5 * torch.where(logits > self.LINEAR_ABOVE, capped.exp() * (1 + excess), capped.exp()).mean()
