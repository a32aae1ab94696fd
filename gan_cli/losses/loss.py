"""What all losses share."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import getmembers
from typing import Any, ClassVar

import torch
from torch import Tensor

LINEAR_ABOVE = 30.0


class Loss:
    """What each player minimises, given D's logits (B,) on real and on generated samples.

    A loss of one's own needs the two methods and may set the attributes; it need not derive from this class.
    In training, logits arrive in float32 at least, whatever the precision of the networks.
    """

    bounds_jsd: ClassVar[bool] = False  # log 2 − J(D) is a lower bound of the Jensen–Shannon divergence in nats
    generator_sees_real: ClassVar[bool] = False  # generator() needs real_logits
    generator_sees_features: ClassVar[bool] = False  # generator() is given D's last features (B, F), not logits
    probability: ClassVar[bool] = True  # σ(logit) is the probability that a sample is real
    saturates: ClassVar[bool] = False  # G's gradient vanishes with D(G(z))

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """J(D), a scalar."""
        raise AssertionError("a loss defines discriminator()")

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """J(G), a scalar."""
        raise AssertionError("a loss defines generator()")

    def constrain(self, parameters: Iterable[Tensor]) -> None:
        """Called with D's parameters after each of its moves."""

    @property
    def constrains(self) -> bool:
        """Whether ``constrain`` does anything."""
        return type(self).constrain is not Loss.constrain

    @staticmethod
    def of(loss: Any) -> Loss:
        """A loss of one's own with everything that ours have; one of ours as it is."""
        return loss if isinstance(loss, Loss) else OwnLoss(loss)


class OwnLoss(Loss):
    """A loss that does not derive from ``Loss``: what it does not say is what ``Loss`` says."""

    def __init__(self, loss: Any) -> None:
        own = dict(getmembers(loss))
        self.__dict__.update({name: own[name] for name in (*Loss.__annotations__, "constrain") if name in own})
        self.__dict__.update({name: own.get(name) for name in ("discriminator", "generator")})  # None: it lacks that

    @property
    def constrains(self) -> bool:
        return "constrain" in vars(self)


def exp_or_tangent(x: Tensor) -> Tensor:
    """exp(x), going on as its tangent above 30, so that values, gradients and their squares stay finite."""
    capped = x.clamp(max=LINEAR_ABOVE)
    return torch.where(x > LINEAR_ABOVE, capped.detach().exp() * (1 + x - LINEAR_ABOVE), capped.exp())
