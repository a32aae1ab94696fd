"""f-GAN (Nowozin, Cseke & Tomioka 2016): any f-divergence, through its variational bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan_cli.losses.loss import Loss, exp_or_tangent

Map = Callable[[Tensor], Tensor]

# D's output v → T = g(v) and f*(g(v)): table 2 and table 6, with logarithms and exponentials cancelled by hand
DIVERGENCES: dict[str, tuple[Map, Map]] = {
    "kl": (lambda v: v, lambda v: exp_or_tangent(v - 1)),
    "reverse_kl": (lambda v: -exp_or_tangent(-v), lambda v: v - 1),
    "pearson": (lambda v: v, lambda v: v.square() / 4 + v),
    "squared_hellinger": (lambda v: 1 - exp_or_tangent(-v), lambda v: exp_or_tangent(v) - 1),
    "jensen_shannon": (lambda v: math.log(2) - softplus(-v), lambda v: softplus(v) - math.log(2)),
    "gan": (lambda v: -softplus(-v), softplus),
    "total_variation": (lambda v: torch.tanh(v) / 2, lambda v: torch.tanh(v) / 2),
}


@dataclass(frozen=True, kw_only=True)
class FGAN(Loss):
    """D maximises E_p T(x) − E_q f*(T(x)), a lower bound of D_f(p‖q) that is tight at T = f′(p/q).

    ``generator_step``: ``paper`` minimises that bound, −E_q f*(T); ``alternative`` maximises E_q T (section 3.2), the
    counterpart of the non-saturating game. With ``gan`` and ``jensen_shannon``, T is log D and log 2D of a D = σ(v)
    that is a probability; with the others, v is a critic's score.
    """

    divergence: Literal["kl", "reverse_kl", "pearson", "squared_hellinger", "jensen_shannon", "gan", "total_variation"]
    generator_step: Literal["paper", "alternative"]

    @property
    def probability(self) -> bool:  # type: ignore[override]
        return self.divergence in ("gan", "jensen_shannon")

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """−(E_p T − E_q f*(T))."""
        output, conjugate = DIVERGENCES[self.divergence]
        return conjugate(fake_logits).mean() - output(real_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """−E_q f*(T), or −E_q T."""
        output, conjugate = DIVERGENCES[self.divergence]
        return -(conjugate if self.generator_step == "paper" else output)(fake_logits).mean()
