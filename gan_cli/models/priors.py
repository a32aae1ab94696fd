"""What the latent ``z`` is drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Latents(Protocol):
    """What training and sampling ask of a prior, one of your own too."""

    size: int

    def sample(self, n: int, device: torch.device | str = "cpu", generator: torch.Generator | None = None) -> Tensor:
        """``n`` independent latents, float32 (n, size)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Prior:
    """A distribution over latent vectors.

    A prior of one's own needs ``size`` and ``sample``; all draws must come from ``generator`` (or, if that is None,
    from the device's default generator).
    """

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
    """z ~ U(−scale, scale), each coordinate apart."""

    def sample(self, n: int, device: torch.device | str = "cpu", generator: torch.Generator | None = None) -> Tensor:
        return self.scale * (2 * torch.rand(n, self.size, device=device, generator=generator) - 1)
