"""Optimizer options, and the torch optimizers they make, with fused kernels where torch has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from torch.nn import Parameter


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions:
    """The keyword arguments of a torch optimizer; ``lr`` is the default of both players."""

    kind: ClassVar[type[torch.optim.Optimizer]]
    kernel: ClassVar[dict[str, bool]] = {"fused": True}

    lr: float
    weight_decay: float

    def build(self, parameters: Iterable[Parameter], lr: float) -> torch.optim.Optimizer:
        """A torch optimizer over these parameters, at this player's own rate."""
        options: dict[str, Any] = {**asdict(self), **self.kernel, "lr": lr}
        return self.kind(parameters, **options)


@dataclass(frozen=True, kw_only=True)
class Adam(OptimizerOptions):
    """Kingma & Ba 2015."""

    kind: ClassVar[type[torch.optim.Optimizer]] = torch.optim.Adam

    betas: list[float]
    eps: float


class AdamW(Adam):
    """Loshchilov & Hutter 2019."""

    kind = torch.optim.AdamW


@dataclass(frozen=True, kw_only=True)
class RMSprop(OptimizerOptions):
    """Tieleman & Hinton 2012."""

    kind = torch.optim.RMSprop
    kernel = {"foreach": True}  # noqa: RUF012

    alpha: float
    eps: float
    momentum: float


@dataclass(frozen=True, kw_only=True)
class SGD(OptimizerOptions):
    """Stochastic gradient descent with (Nesterov) momentum."""

    kind = torch.optim.SGD

    momentum: float
    nesterov: bool

    def __post_init__(self) -> None:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov=true needs optimizer.momentum greater than 0")
