"""Critics: D is a real-valued function, and the game is about the difference of its means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import relu

from gan_cli.losses.loss import Loss


@dataclass(frozen=True, kw_only=True)
class Wasserstein(Loss):
    """The dual of the earth mover's distance (Arjovsky et al. 2017, algorithm 1).

    The critic must be Lipschitz: by ``clip``, the largest absolute weight (0 turns it off), or by a penalty.
    ``drift`` is ε, which keeps f(x) near 0: the game is about differences alone (Karras et al. 2018, appendix A.1).
    """

    probability: ClassVar[bool] = False

    clip: float
    drift: float

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """E f(G(z)) − E f(x) + ε E f(x)²."""
        value = fake_logits.mean() - real_logits.mean()
        return value + self.drift * real_logits.square().mean() if self.drift else value

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """−E f(G(z))."""
        return -fake_logits.mean()

    @torch.no_grad()
    def constrain(self, parameters: Iterable[Tensor]) -> None:
        """w ← clip(w, −c, c)."""
        if self.clip:
            for parameter in parameters:
                parameter.clamp_(-self.clip, self.clip)


class Hinge(Loss):
    """The hinge game (Lim & Ye 2017; Miyato et al. 2018, equations 16 and 17)."""

    probability: ClassVar[bool] = False

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """E max(0, 1 − D(x)) + E max(0, 1 + D(G(z))); 2 − 2 TV(p, q) at its minimum."""
        return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """−E D(G(z))."""
        return -fake_logits.mean()
