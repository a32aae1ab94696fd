"""Optimizer options, and the torch optimizers they make, with fused kernels where torch has them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch.nn import Parameter


@runtime_checkable
class Varies(Protocol):
    """Options of an optimizer of which some, such as momentum, are not the same at every step."""

    def at(self, step: int) -> dict[str, float]:
        """Those at step 1, 2, …"""
        ...


def light(kind: type[torch.optim.Optimizer]) -> Callable[..., torch.optim.Optimizer]:
    """A torch optimizer that computes the same and does not import the compiler at its first call.

    That import is a third of what a run takes to start; all that the decorators which ask for it do is to keep the
    compiler out of these methods.
    """
    shielded = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    members = dict(inspect.getmembers(kind))
    methods = {name: inspect.unwrap(members[name]) for name in shielded}
    return type(kind.__name__, (kind,), {**methods, "step": torch.no_grad()(inspect.unwrap(kind.step))})


@dataclass(frozen=True, kw_only=True)
class OptimizerOptions:
    """The keyword arguments of a torch optimizer; ``lr`` is the default of both players."""

    kind: ClassVar[type[torch.optim.Optimizer]]
    kernel: ClassVar[dict[str, bool]] = {"fused": True}
    on_cuda: ClassVar[dict[str, bool]] = {}  # options that let the steps be recorded there

    lr: float
    weight_decay: float

    def build(self, parameters: Iterable[Parameter], lr: float) -> torch.optim.Optimizer:
        """A torch optimizer over these parameters, at this player's own rate."""
        return self.make(list(parameters), lr, asdict(self))

    def make(self, parameters: list[Parameter], lr: float, options: dict[str, Any]) -> torch.optim.Optimizer:
        options = {**options, **self.kernel, "lr": lr}
        if parameters[0].is_cuda:  # the rate lies on the device, so that no step has a number of the host's in it
            options |= {**self.on_cuda, "lr": torch.full((), lr, device=parameters[0].device)}
        return light(self.kind)(parameters, **options)

    def at(self, step: int) -> dict[str, float]:
        """Options, other than the rate, that are not the same at every step (1, 2, …)."""
        return {}


@dataclass(frozen=True, kw_only=True)
class Adam(OptimizerOptions):
    """Kingma & Ba 2015."""

    kind: ClassVar[type[torch.optim.Optimizer]] = torch.optim.Adam
    on_cuda = {"capturable": True}  # noqa: RUF012

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
    on_cuda = {"capturable": True}  # noqa: RUF012

    alpha: float
    eps: float
    momentum: float


@dataclass(frozen=True, kw_only=True)
class SGD(OptimizerOptions):
    """Stochastic gradient descent with (Nesterov) momentum, which may change on a straight line."""

    kind = torch.optim.SGD

    momentum: float
    final_momentum: float | None
    momentum_steps: int
    nesterov: bool

    def __post_init__(self) -> None:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov=true needs optimizer.momentum greater than 0")
        if (self.final_momentum is None) != (self.momentum_steps == 0):
            raise ValueError("optimizer.final_momentum and optimizer.momentum_steps go together: set both, or neither")

    def build(self, parameters: Iterable[Parameter], lr: float) -> torch.optim.Optimizer:
        """torch's SGD."""
        options = {"momentum": self.momentum, "nesterov": self.nesterov, "weight_decay": self.weight_decay}
        return self.make(list(parameters), lr, options)

    def at(self, step: int) -> dict[str, float]:
        """The momentum of a step."""
        if self.final_momentum is None:
            return {}
        share = min(1.0, step / self.momentum_steps)
        return {"momentum": self.momentum + share * (self.final_momentum - self.momentum)}
