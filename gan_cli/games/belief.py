"""Fully visible belief nets: the chain rule, p(x) = p(x₁) Π p(xᵢ | x₁ … xᵢ₋₁), over the pixels of a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from gan_cli.games.game import Strengths
from gan_cli.games.likelihood import LikelihoodGame, require_presented
from gan_cli.games.parts import Parts
from gan_cli.models.fvsbn import FVSBN
from gan_cli.models.heads import Head, head_of
from gan_cli.models.priors import Uniform
from gan_cli.models.units import levels, of_levels


class Net(Protocol):
    """A network of this family; called with (z, labels), it draws pixel by pixel."""

    latent: int
    head: Head

    def log_p(self, k: Tensor, labels: Tensor | None, strengths: Strengths | None = None) -> Tensor:
        """log p(x) in nats, (B,), of levels k, int64 (B, C, H, W)."""
        ...


class BeliefNetGame(LikelihoodGame):
    """One player who minimises −log p(x), exactly.

    A latent has a uniform number in (−1, 1) for each pixel: pixel i is the quantile uᵢ = (zᵢ + 1)/2 of
    p(xᵢ | x₁ … xᵢ₋₁). So a seed determines a picture here too, and ``truncation`` moves each pixel to its median.
    """

    def __init__(self, network: Net, shape: tuple[int, ...], autocast: torch.dtype | None = None) -> None:
        assert isinstance(network, nn.Module)
        super().__init__(network, of_levels(shape, network.head.levels), autocast)
        self.net, self.latents = network, Uniform(size=network.latent, scale=1.0)

    def log_p(self, x: Tensor, labels: Tensor | None, strengths: Strengths | None = None) -> Tensor:
        return self.net.log_p(levels(x, self.unit.levels), labels, strengths)


def made_of(parts: Parts, make: Callable[[], Net]) -> BeliefNetGame:
    """The game of a net, which ``make`` initialises."""
    require_presented(parts)
    network = parts.network("model", make)
    return BeliefNetGame(network, parts.shape, parts.autocast)  # type: ignore[arg-type]


class FullyVisible:
    """``model=fvsbn``."""

    def __init__(self, levels: int, output: str, components: int) -> None:
        self.head = head_of(levels, output, components)

    def game(self, parts: Parts) -> BeliefNetGame:
        return made_of(parts, lambda: FVSBN(parts.shape, parts.classes, self.head))
