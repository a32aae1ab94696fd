"""Penalties on the discriminator; each combines with any loss and with the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function_unary

from gan_cli.config.annealing import annealed
from gan_cli.config.options import Group
from gan_cli.distributed import deviation
from gan_cli.random import normal_like, uniform_for

Output = Callable[[Tensor], Tensor]  # samples (B, …) → D's output (B,)


class Penalises(Protocol):
    """The interface of a penalty on D."""

    def __call__(self, judge: Output, real: Tensor, fake: Tensor) -> Tensor:
        """The penalty without its weight, a scalar.

        Args:
            judge: D, for any samples (B, …).
            real: (B, …), as D sees them.
            fake: the same for generated samples; both are detached.
        """
        ...

    def due(self, move: int) -> bool:
        """Whether the penalty is part of D's move 0, 1, …"""
        ...

    def strength(self, images: int) -> float:
        """The factor of the penalty after so many real images."""
        ...


@runtime_checkable
class Lazy(Protocol):
    """A penalty that is due every ``interval`` moves."""

    @property
    def interval(self) -> int:
        """In moves of D."""
        ...


PENALTY = Group[Penalises]("penalty")


@dataclass(frozen=True, kw_only=True)
class Penalty:
    """The base of the shipped penalties, which add ``strength · penalty`` to D's cost every ``interval`` moves."""

    weight: float
    final_weight: float | None
    anneal_images: int
    interval: int

    def __call__(self, judge: Output, real: Tensor, fake: Tensor) -> Tensor:
        """The penalty without its weight, a scalar. ``real`` and ``fake`` are (B, …), as D sees them, detached."""
        raise AssertionError("a penalty defines __call__()")

    def due(self, move: int) -> bool:
        """Whether the penalty is part of D's move 0, 1, …"""
        return move % self.interval == 0

    def strength(self, images: int) -> float:
        """The weight after so many images, times the interval, so that its mean over moves is the weight."""
        return self.interval * annealed(self.weight, self.final_weight, images, self.anneal_images)


def squared_slope(judge: Output, x: Tensor) -> Tensor:
    """‖∇D(x)‖² for each sample, (B,), differentiable in D's weights."""
    return slope(judge, x).flatten(1).square().sum(dim=1)


def slope(judge: Output, x: Tensor) -> Tensor:
    """∇D(x) for each sample, (B, …); a ``TorchFunctionMode`` may compute it in another way."""
    if has_torch_function_unary(x):
        return handle_torch_function(slope, (x,), judge, x)
    x = x.detach().requires_grad_(True)
    return torch.autograd.grad(judge(x).sum(), x, create_graph=True)[0]


class R1(Penalty):
    """½ E ‖∇D(x)‖² on data (Mescheder et al. 2018, equation 9)."""

    def __call__(self, judge: Output, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * squared_slope(judge, real).mean()


class R2(Penalty):
    """½ E ‖∇D(G(z))‖² on samples (Mescheder et al. 2018, section 4.1)."""

    def __call__(self, judge: Output, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * squared_slope(judge, fake).mean()


@dataclass(frozen=True, kw_only=True)
class GradientPenalty(Penalty):
    """E (‖∇D(y)‖ − target)², y = εx + (1 − ε)G(z), ε ~ U(0, 1) (Gulrajani et al. 2017, equation 3)."""

    sides: str
    target: float

    def __call__(self, judge: Output, real: Tensor, fake: Tensor) -> Tensor:
        return self.from_slope(judge, fake + uniform_for(real) * (real - fake))

    def from_slope(self, judge: Output, x: Tensor) -> Tensor:
        excess = (squared_slope(judge, x) + 1e-12).sqrt() - self.target  # the root's own slope at 0 is not finite
        return (excess if self.sides == "two" else excess.relu()).square().mean()


@dataclass(frozen=True, kw_only=True)
class DRAGAN(GradientPenalty):
    """E (‖∇D(x + δ)‖ − target)², δ ~ N(0, c²), c in deviations of the batch (Kodali et al. 2017, section 2.5)."""

    deviation: float

    def __call__(self, judge: Output, real: Tensor, fake: Tensor) -> Tensor:
        return self.from_slope(judge, real + self.deviation * deviation(real) * normal_like(real))


@dataclass(frozen=True, kw_only=True)
class Consistency(Penalty):
    """E (D(x) − D(T(x)))², T a flip and a shift of pictures, noise on points (Zhang et al. 2020, equation 3)."""

    shift: float
    noise: float

    def __call__(self, judge: Output, real: Tensor, fake: Tensor) -> Tensor:
        from gan_cli.games.augmentation import translated

        if real.dim() == 4:
            flipped = uniform_for(real) < 0.5
            changed = translated(torch.where(flipped, real.flip(3), real), self.shift, fill=None)
        else:
            changed = real + self.noise * deviation(real) * normal_like(real)
        return (judge(real) - judge(changed)).square().mean()
