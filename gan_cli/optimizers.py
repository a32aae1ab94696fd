"""Optimizer options, and the torch optimizers they make. Fused kernels where the device has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch.nn import Parameter


@dataclass(frozen=True, kw_only=True)
class Adam:
    """Kingma & Ba 2015."""

    lr: float
    betas: tuple[float, float]
    eps: float
    weight_decay: float

    def build(self, parameters: Iterable[Parameter], lr: float) -> torch.optim.Optimizer:
        """A torch optimizer over these parameters, with this player's own rate."""
        return torch.optim.Adam(
            parameters, lr=lr, betas=tuple(self.betas), eps=self.eps, weight_decay=self.weight_decay, fused=True
        )


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Loshchilov & Hutter 2019."""

    def build(self, parameters: Iterable[Parameter], lr: float) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            parameters, lr=lr, betas=tuple(self.betas), eps=self.eps, weight_decay=self.weight_decay, fused=True
        )


@dataclass(frozen=True, kw_only=True)
class RMSprop:
    """Tieleman & Hinton 2012."""

    lr: float
    alpha: float
    eps: float
    momentum: float
    weight_decay: float

    def build(self, parameters: Iterable[Parameter], lr: float) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(
            parameters,
            lr=lr,
            alpha=self.alpha,
            eps=self.eps,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            foreach=True,
        )


@dataclass(frozen=True, kw_only=True)
class SGD:
    """Stochastic gradient descent with (Nesterov) momentum."""

    lr: float
    momentum: float
    nesterov: bool
    weight_decay: float

    def __post_init__(self) -> None:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov=true needs optimizer.momentum greater than 0")

    def build(self, parameters: Iterable[Parameter], lr: float) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            parameters,
            lr=lr,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            fused=True,
        )
