"""The conditionals p(xᵢ | x₁ … xᵢ₋₁) of a fully visible belief net: distributions over the levels of a pixel.

``log_prob`` and ``quantile`` take the parameters that a network returns for each pixel, (…, size). Samples are drawn by
the inverse of the distribution function, so that a pixel depends on one uniform number and the pixels before it.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from gan_cli.models.schemas import LEAST_LOG_SCALE


class Head(Protocol):
    """A distribution over levels 0 … ``levels − 1``, with ``size`` parameters."""

    levels: int
    size: int

    def log_prob(self, given: Tensor, k: Tensor) -> Tensor:
        """log P(k) in nats, (…), of levels k, int64 (…)."""
        ...

    def quantile(self, given: Tensor, u: Tensor) -> Tensor:
        """The level at u in [0, 1): int64 (…)."""
        ...


class Bernoulli:
    """P(white) = σ(logit)."""

    levels, size = 2, 1

    def log_prob(self, given: Tensor, k: Tensor) -> Tensor:
        return logsigmoid((2 * k - 1) * given[..., 0])

    def quantile(self, given: Tensor, u: Tensor) -> Tensor:
        return (u >= torch.sigmoid(-given[..., 0])).long()


class Categorical:
    """P(k) = softmax of one logit for each level."""

    def __init__(self, levels: int) -> None:
        self.levels = self.size = levels

    def log_prob(self, given: Tensor, k: Tensor) -> Tensor:
        return given.log_softmax(dim=-1).gather(-1, k[..., None])[..., 0]

    def quantile(self, given: Tensor, u: Tensor) -> Tensor:
        below = given.softmax(dim=-1).cumsum(dim=-1)[..., :-1]  # P(level ≤ k)
        return (below <= u[..., None]).sum(dim=-1)


class LogisticMixture:
    """A mixture of logistic distributions, discretised to the levels in [−1, 1] (Salimans et al. 2017).

    P(k) = Σ w (σ((x + h − μ)/s) − σ((x − h − μ)/s)) with x the level in [−1, 1] and h half the distance to the next;
    the lowest level has all mass below it, the highest all mass above.
    """

    def __init__(self, levels: int, components: int) -> None:
        self.levels, self.components, self.size = levels, components, 3 * components

    def _parts(self, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weights, means, scales = given.unflatten(-1, (3, self.components)).unbind(-2)
        return weights.log_softmax(dim=-1), means, scales.clamp(min=LEAST_LOG_SCALE)  # log w, μ, log s: (…, components)

    def log_prob(self, given: Tensor, k: Tensor) -> Tensor:
        weights, means, scales = self._parts(given)
        x, half = (2 * k / (self.levels - 1) - 1)[..., None], 1 / (self.levels - 1)
        upper, lower = (x + half - means) * (-scales).exp(), (x - half - means) * (-scales).exp()
        first, last = (k == 0)[..., None], (k == self.levels - 1)[..., None]
        width = 2 * half * (-scales).exp()
        inside = torch.where(
            first | last, 0.0, torch.log(-torch.expm1(-width))
        )  # σ(a) − σ(b) = σ(a) σ(−b) (1 − e^(b−a))
        above = torch.where(last, 0.0, logsigmoid(upper))
        below = torch.where(first, 0.0, logsigmoid(-lower))
        return (weights + above + below + inside).logsumexp(dim=-1)

    def quantile(self, given: Tensor, u: Tensor) -> Tensor:
        weights, means, scales = self._parts(given)
        k = torch.arange(self.levels - 1, device=given.device, dtype=given.dtype)
        edges = (2 * k + 1) / (self.levels - 1) - 1  # between level k and the next
        below = torch.sigmoid((edges - means[..., None]) * (-scales).exp()[..., None])  # (…, components, levels − 1)
        below = (weights.exp()[..., None] * below).sum(dim=-2)
        return (below <= u[..., None]).sum(dim=-1)


def head_of(levels: int, output: str, components: int) -> Head:
    """The head that a model's options name; for two levels it is always ``Bernoulli``."""
    if levels == 2:
        return Bernoulli()
    return Categorical(levels) if output == "categorical" else LogisticMixture(levels, components)


def in_raster_order(k: Tensor) -> Tensor:
    """Flattens pictures (B, C, H, W) to (B, D): row by row, pixel by pixel, channel by channel."""
    return k.permute(0, 2, 3, 1).flatten(1)


def from_raster_order(rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The inverse of ``in_raster_order``: (B, D) → (B, C, H, W)."""
    channels, height, width = shape
    return rows.view(-1, height, width, channels).permute(0, 3, 1, 2)


def share(k: Tensor, levels: int) -> Tensor:
    """Levels as the input of a network: 0 for black to 1 for white."""
    return k.to(torch.get_default_dtype()) / (levels - 1)


def uniform_of(z: Tensor) -> Tensor:
    """Converts latents in (−1, 1) to u in (0, 1). So z = 0 gives the median of every pixel, given those before it."""
    return (z + 1) / 2
