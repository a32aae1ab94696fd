"""Change of variables: y = g(x) of a simple density, so p_x(x) = p_y(g(x)) |det ∂g(x)/∂x|."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from gan_cli.models.priors import Latents, Normal, Prior
from gan_cli.models.units import from_logit, from_unit_interval, logit, unit_interval

GAIN = 10.0  # of the weights of Affine, so that one step of Adam moves them ten times as far


class Bijection(nn.Module):
    """An invertible map of D numbers, x (B, D) ↔ y (B, D)."""

    def forward(self, x: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """y (B, D), and log |det ∂y/∂x|, (B,)."""
        raise AssertionError("a bijection defines forward()")

    def inverse(self, y: Tensor, labels: Tensor | None) -> Tensor:
        """x (B, D)."""
        raise AssertionError("a bijection defines inverse()")


class Affine(Bijection):
    """y = x ⊙ exp(s) + t, with an s and t for each number: log |det ∂y/∂x| = Σ s.

    Without t this is the last layer of NICE (section 3.3). The base has a deviation of about 1, and a pixel that is
    nearly always black one of 1/256 or so: s has a long way to go, and learns at ``GAIN`` times the rate.

    Args:
        scale: exp(s) at the start.
    """

    def __init__(self, size: int, scale: float = 1.0, shift: bool = True) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((size,), math.log(scale) / GAIN))
        self.shift = nn.Parameter(torch.zeros(size)) if shift else None

    def forward(self, x: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        s, y = GAIN * self.scale, x * (GAIN * self.scale).exp()
        return y if self.shift is None else y + GAIN * self.shift, s.sum().expand(len(x))

    def inverse(self, y: Tensor, labels: Tensor | None) -> Tensor:
        x = y if self.shift is None else y - GAIN * self.shift
        return x * (-GAIN * self.scale).exp()


class Base(Latents, Protocol):
    """p_y, with independent numbers: the density of the base, and draws from it."""

    def log_density(self, y: Tensor) -> Tensor:
        """log p_y(y), (B,), of y (B, D)."""
        ...


class NormalBase(Normal):
    """y ~ N(0, I)."""

    def log_density(self, y: Tensor) -> Tensor:
        return -(y.square() + math.log(2 * math.pi)).sum(dim=1) / 2


class LogisticBase(Prior):
    """Each yᵢ ~ logistic: p(y) = σ(y) σ(−y), with heavier tails than a Gaussian (NICE, section 3.4)."""

    def sample(self, n: int, device: torch.device | str = "cpu", generator: torch.Generator | None = None) -> Tensor:
        u = torch.rand(n, self.size, device=device, generator=generator)
        return torch.logit(u.clamp(min=2.0**-25))  # u is a multiple of 2⁻²⁴, and may be 0

    def log_density(self, y: Tensor) -> Tensor:
        return (logsigmoid(y) + logsigmoid(-y)).sum(dim=1)


BASES: dict[str, type[NormalBase] | type[LogisticBase]] = {"normal": NormalBase, "logistic": LogisticBase}


@dataclass(frozen=True)
class Space:
    """What a flow is given: points as they are; pictures y in [0, 1]^D, or logit(λ + (1 − 2λ) y).

    Attributes:
        shape: of a sample: (C, H, W) or (d,).
        margin: λ of logit space; None: pictures stay in [0, 1].
    """

    shape: tuple[int, ...]
    margin: float | None

    def enter(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """s (B, D), and log |det ∂s/∂y|, (B,)."""
        if len(self.shape) == 1:
            return x, x.new_zeros(len(x))
        y = unit_interval(x).flatten(1)
        return (y, y.new_zeros(len(y))) if self.margin is None else logit(y, self.margin)

    def leave(self, s: Tensor) -> Tensor:
        """Data (B, *shape): points, or pictures in [−1, 1], of whole levels."""
        if len(self.shape) == 1:
            return s
        y = s if self.margin is None else from_logit(s, self.margin)
        return from_unit_interval(y.clamp(0, 1)).unflatten(1, self.shape)


class Flow(nn.Module):
    """log p_x(x) = log p_y(g(x)) + log |det ∂g(x)/∂x|, where g is one bijection after another.

    The determinant of a product is the product of determinants, so their logarithms are added. Each bijection is made
    so that its own is a sum and no determinant has to be computed. y has as many numbers as x: it must.
    """

    def __init__(self, space: Space, bijections: Sequence[Bijection], base: Base) -> None:
        super().__init__()
        self.space, self.base = space, base
        self.bijections = nn.ModuleList(bijections)

    def g(self, x: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """y = g(x), (B, D), and log |det ∂g(x)/∂x|, (B,), the Jacobian of logit space included."""
        y, log_det = self.space.enter(x)
        for bijection in self.bijections:
            y, more = bijection(y, labels)
            log_det = log_det + more
        return y, log_det

    def log_p(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """log p(x | labels) in nats, (B,), of points (B, d) or dequantised pictures (B, C, H, W) in [−1, 1]."""
        y, log_det = self.g(x, labels)
        return self.base.log_density(y) + log_det

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Draws x = g⁻¹(z), (B, *shape), of z (B, D) from the base."""
        for bijection in reversed(self.bijections):
            assert isinstance(bijection, Bijection)
            z = bijection.inverse(z, labels)
        return self.space.leave(z)
