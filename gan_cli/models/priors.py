"""Distributions that the latent ``z`` is drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from gan_cli.config.options import Group


class Latents(Protocol):
    """The interface of a prior. All draws of ``sample`` come from ``generator``."""

    @property
    def size(self) -> int:
        """The number of coordinates of a latent."""
        ...

    def sample(self, n: int, device: torch.device | str = "cpu", generator: torch.Generator | None = None) -> Tensor:
        """``n`` independent latents, float32 (n, size).

        Args:
            generator: by default the device's default generator.
        """
        ...


PRIOR = Group[Latents]("prior")


@dataclass(frozen=True, kw_only=True)
class Prior:
    """The base of the shipped priors: a distribution over latent vectors, scaled."""

    size: int
    scale: float

    def sample(self, n: int, device: torch.device | str = "cpu", generator: torch.Generator | None = None) -> Tensor:
        """``n`` independent latents, float32 (n, size)."""
        raise AssertionError("a prior defines sample()")


class Normal(Prior):
    """z ~ N(0, scale² I)."""

    def sample(self, n: int, device: torch.device | str = "cpu", generator: torch.Generator | None = None) -> Tensor:
        return self.scale * torch.randn(n, self.size, device=device, generator=generator)


class Uniform(Prior):
    """z ~ U(−scale, scale), each coordinate independently."""

    def sample(self, n: int, device: torch.device | str = "cpu", generator: torch.Generator | None = None) -> Tensor:
        return self.scale * (2 * torch.rand(n, self.size, device=device, generator=generator) - 1)


class Seeds(Uniform):
    """Numbers that every draw of a Markov chain follows from, by a hash: nothing lies between two of them."""
