"""What a decoder's numbers say of a sample: p(x | z), independent for every number in x.

``log_p`` takes samples (B, *shape) and a decoder's numbers for k latents of each, (B, k, *shape); ``mean`` is what is
shown of them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from gan_cli.models.heads import LogisticMixture
from gan_cli.models.units import Unit, levels, of_densities, of_levels

FASTER = 10.0  # Adam moves every weight alike, and the logarithm of a scale has as far to go as a network has


class Observation(nn.Module):
    """A distribution of x, given a number for each of its numbers."""

    def mean(self, given: Tensor) -> Tensor:
        """E[x | z], (…, *shape): pictures in [−1, 1], points as they are."""
        raise AssertionError("an observation defines mean()")

    def log_p(self, x: Tensor, given: Tensor) -> Tensor:
        """log p(x | z) in nats, (B, k), of x (B, *shape) and numbers (B, k, *shape)."""
        raise AssertionError("an observation defines log_p()")


class Bernoulli(Observation):
    """P(white) = σ(a): its mean 2σ(a) − 1 is grey."""

    def mean(self, given: Tensor) -> Tensor:
        return 2 * torch.sigmoid(given) - 1

    def log_p(self, x: Tensor, given: Tensor) -> Tensor:
        sign = (2 * levels(x, 2) - 1).to(given.dtype)[:, None]
        return logsigmoid(sign * given).flatten(2).sum(dim=2)


class Scaled(Observation):
    """A mean and one scale for all numbers, as networks see them: given, or learnt (σ-VAE, Rybkin et al. 2021).

    Args:
        scale: None to learn it, from 1 on.
        bounded: whether means lie in [−1, 1], those of pixels, by a tanh.
    """

    of_this_run = ("fixed",)  # buffers that no other run is asked for: see ``gan_cli.training.taking``

    def __init__(self, scale: float | None, *, bounded: bool) -> None:
        super().__init__()
        self.bounded = bounded
        start = torch.tensor(math.log(scale or 1.0) / FASTER)
        self.learnt: nn.Parameter | None = None
        self.fixed: Tensor
        self.register_buffer("fixed", start)
        if scale is None:
            self.learnt = nn.Parameter(start.clone())

    @property
    def log_scale(self) -> Tensor:
        return FASTER * (self.fixed if self.learnt is None else self.learnt)

    def mean(self, given: Tensor) -> Tensor:
        return given.tanh() if self.bounded else given


class Gaussian(Scaled):
    """N(mean, σ²). Of pictures a density in [0, 1]^D: twice as high for each pixel as in [−1, 1]."""

    def log_p(self, x: Tensor, given: Tensor) -> Tensor:
        mean, log_sigma = self.mean(given), self.log_scale
        each = -((x[:, None] - mean) * (-log_sigma).exp()).square() / 2 - log_sigma - math.log(2 * math.pi) / 2
        return (each + (math.log(2) if self.bounded else 0.0)).flatten(2).sum(dim=2)


class DiscretisedLogistic(Scaled):
    """P(level) is what a logistic distribution around the mean has in its bin of 256 (Kingma et al. 2016, eq. 13)."""

    def __init__(self, scale: float | None) -> None:
        super().__init__(scale, bounded=True)
        self.head = LogisticMixture(256, 1)

    def log_p(self, x: Tensor, given: Tensor) -> Tensor:
        mean = self.mean(given)
        numbers = torch.stack([torch.zeros_like(mean), mean, self.log_scale.expand_as(mean)], dim=-1)
        return self.head.log_prob(numbers, levels(x)[:, None].expand_as(mean)).flatten(2).sum(dim=2)


def kind_of(likelihood: str, shape: tuple[int, ...], pictures: str) -> str:
    """What ``auto`` means: ``pictures`` of pictures, Gaussian noise of points."""
    return likelihood if likelihood != "auto" else pictures if len(shape) == 3 else "gaussian"


def observation_of(kind: str, shape: tuple[int, ...], scale: float | None) -> Observation:
    """``bernoulli``, ``logistic`` or ``gaussian``."""
    if kind == "bernoulli":
        return Bernoulli()
    return DiscretisedLogistic(scale) if kind == "logistic" else Gaussian(scale, bounded=len(shape) == 3)


def unit_of(kind: str, shape: tuple[int, ...]) -> Unit:
    """What its nats are of."""
    return of_densities(shape) if kind == "gaussian" else of_levels(shape, 2 if kind == "bernoulli" else 256)
