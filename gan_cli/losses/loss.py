"""The interface of a loss, and the base of the shipped ones."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import getmembers
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from gan_cli.config.options import Group

LINEAR_ABOVE = 30.0


class Costs(Protocol):
    """What a loss must define. One of your own may also set the attributes of ``Loss``."""

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """J(D), a scalar."""
        ...

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """J(G), a scalar."""
        ...


LOSS = Group[Costs]("loss")


class Loss:
    """What each player minimises, given D's logits (B,) on real and on generated samples.

    In training, logits arrive in float32 or wider, whatever the precision of the networks.
    """

    bounds_jsd: ClassVar[bool] = False  # log 2 − J(D) is a lower bound of the Jensen–Shannon divergence in nats
    generator_sees_real: ClassVar[bool] = False  # generator() needs real_logits
    generator_sees_features: ClassVar[bool] = (
        False  # generator() gets the features (B, F) of D's last layer, not logits
    )
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
    def of(loss: Costs) -> Loss:
        """The loss itself if it derives from this class, else the loss with the attributes that it lacks added."""
        return loss if isinstance(loss, Loss) else OwnLoss(loss)


class OwnLoss(Loss):
    """A loss that does not derive from ``Loss``; attributes that it does not set have the values of ``Loss``."""

    def __init__(self, loss: Costs) -> None:
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
