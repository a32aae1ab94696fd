"""How a model reads pictures, and the units of its log-likelihood: the one place for these conversions.

Data come as x in [−1, 1], and are bytes k underneath: x = 2k/255 − 1, or, dequantised, x = 2(k + u)/256 − 1.
``levels`` reads both, ``unit_interval`` the latter; ``from_levels`` and ``from_unit_interval`` give what was stored.
Log-likelihoods are of

- levels: log P(k) of a whole picture, a probability (binary ones among them: two levels);
- the unit interval: log p(y), a density of the dequantised picture y = (k + u)/256 in [0, 1]^D. On average over u it
  is at most log P(k) + D log 256 (Theis, van den Oord & Bethge 2016, section 3.1);
- points and signals: log p(x), a density of their numbers, which are not between black and white.

Bits per dimension are as published: −log₂ P(k) / D of levels, and −log₂ p(y) / D + 8 of the unit interval, an upper
bound of the former. Points and signals have none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Unit:
    """The kind of values that a model's log-likelihood is of.

    Attributes:
        name: the kind in words, for the reader of the values.
        dimensions: the number of values in a sample.
        levels: the number of levels of each value; 0 for points and signals, which have none.
        density: whether the model is a density, over levels filled with noise.
    """

    name: str
    dimensions: int
    levels: int = 0
    density: bool = False

    def bits_per_dim(self, nats: float) -> float | None:
        """Converts a log-likelihood in nats; None for points and signals."""
        if not self.levels:
            return None
        return -nats / (self.dimensions * math.log(2)) + (math.log2(self.levels) if self.density else 0.0)


def of_levels(shape: tuple[int, ...], count: int) -> Unit:
    """The unit of pictures (C, H, W) with whole levels."""
    name = "binary pictures" if count == 2 else f"pictures of {count} levels"
    return Unit(f"probability of {name}", math.prod(shape), count)


def of_densities(shape: tuple[int, ...]) -> Unit:
    """The unit of dequantised pictures (C, H, W), of points (d,), or of signals (C, L)."""
    if len(shape) == 3:
        return Unit("density of dequantised pictures, in [0, 1]", math.prod(shape), 256, density=True)
    what = "signals" if len(shape) == 2 else "points"
    return Unit(f"density of {what}", math.prod(shape))


def levels(x: Tensor, count: int = 256) -> Tensor:
    """The level of each number of x in [−1, 1], dequantised or not: int64, 0 to ``count − 1``, of equal widths."""
    return ((x + 1) * (count / 2)).floor().clamp(0, count - 1).long()


def from_levels(k: Tensor, count: int = 256) -> Tensor:
    """Converts levels to data: float32 in [−1, 1], from black to white."""
    return k.float() * (2 / (count - 1)) - 1


def unit_interval(x: Tensor) -> Tensor:
    """Dequantised x as y = (k + u)/256 in [0, 1]."""
    return (x + 1) / 2


def from_unit_interval(y: Tensor) -> Tensor:
    """Converts y in [0, 1] to the bytes of the picture, in [−1, 1]."""
    return from_levels((y * 256).floor().clamp(0, 255))


def logit(y: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """Logit space, with its Jacobian: s = logit(λ + (1 − 2λ) y), and log |det ∂s/∂y|, (B,), to be added to log p(s).

    Args:
        y: (B, …) in [0, 1].
        margin: λ, so that no picture lies at infinity (Papamakarios et al. 2017: 1e-6 for MNIST, .05 for CIFAR-10).
    """
    above, below = (margin + (1 - 2 * margin) * part for part in (y, 1 - y))  # σ(s) and 1 − σ(s)
    slope = math.log(1 - 2 * margin) - above.log() - below.log()
    return above.log() - below.log(), slope.flatten(1).sum(dim=1)


def from_logit(s: Tensor, margin: float) -> Tensor:
    """The inverse: y in [0, 1]."""
    return ((torch.sigmoid(s) - margin) / (1 - 2 * margin)).clamp(0, 1)
