"""Optimizer options, and the torch optimizers they make, with fused kernels where torch has them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch.nn import Parameter

from gan_cli.config.annealing import annealed
from gan_cli.config.batch_sizes import BatchSizes
from gan_cli.config.options import Group


class MakesOptimizer(Protocol):
    """The interface of the options of an optimizer."""

    def build(self, parameters: Iterable[Parameter], lr: float) -> torch.optim.Optimizer:
        """A torch optimizer over these parameters, with this learning rate."""
        ...


OPTIMIZER = Group[MakesOptimizer]("optimizer")


@runtime_checkable
class Varies(Protocol):
    """Options of an optimizer of which some, such as momentum, change with the step."""

    def at(self, step: int) -> dict[str, float]:
        """The options that change, with their values at step 1, 2, …"""
        ...


@runtime_checkable
class Anneals(Protocol):
    """Options of an optimizer of which some, such as Adam's betas, change with the images seen."""

    def after(self, images: int) -> dict[str, object]:
        """The options that change, with their values after so many images."""
        ...


def changing(options: MakesOptimizer, batch_sizes: BatchSizes) -> Callable[[int], dict[str, object]] | None:
    """The options of an optimizer that change, as a function of the step; None if it has none."""
    varies, anneals = isinstance(options, Varies), isinstance(options, Anneals)
    if not (varies or anneals):
        return None

    def at(step: int) -> dict[str, object]:
        found: dict[str, object] = {}
        if isinstance(options, Varies):
            found |= options.at(step)
        if isinstance(options, Anneals):
            found |= options.after(batch_sizes.images_seen(step - 1))
        return found

    return at


def light(kind: type[torch.optim.Optimizer]) -> Callable[..., torch.optim.Optimizer]:
    """A subclass of a torch optimizer that computes the same and does not import the compiler at its first call.

    That import takes a third of a run's start-up time. It comes from decorators that only keep the compiler out of
    these methods, so they are removed here.
    """
    shielded = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    members = dict(inspect.getmembers(kind))
    methods = {name: inspect.unwrap(members[name]) for name in shielded}
    return type(kind.__name__, (kind,), {**methods, "step": torch.no_grad()(inspect.unwrap(kind.step))})


@dataclass(frozen=True, kw_only=True)
class OptimizerArguments:
    """The keyword arguments of a torch optimizer; ``lr`` is the default rate of all players."""

    kind: ClassVar[type[torch.optim.Optimizer]]
    kernel: ClassVar[dict[str, bool]] = {"fused": True}
    on_cuda: ClassVar[dict[str, bool]] = {}  # options that allow a step to be recorded as a CUDA graph

    lr: float
    weight_decay: float

    def build(self, parameters: Iterable[Parameter], lr: float) -> torch.optim.Optimizer:
        """A torch optimizer over these parameters, with this player's learning rate."""
        return self.make(list(parameters), lr, asdict(self))

    def make(self, parameters: list[Parameter], lr: float, options: dict[str, object]) -> torch.optim.Optimizer:
        options = {**options, **self.kernel, "lr": lr}
        if parameters[0].is_cuda:  # a recorded step reads the rate from the device, where it can be changed
            options |= {**self.on_cuda, "lr": torch.full((), lr, device=parameters[0].device)}
        return light(self.kind)(parameters, **options)

    def at(self, step: int) -> dict[str, float]:
        """The options other than the rate that change with the step, with their values at step 1, 2, …"""
        return {}


@dataclass(frozen=True, kw_only=True)
class Adam(OptimizerArguments):
    """Kingma & Ba 2015."""

    kind: ClassVar[type[torch.optim.Optimizer]] = torch.optim.Adam
    on_cuda = {"capturable": True}  # noqa: RUF012

    betas: list[float]
    final_betas: list[float] | None
    anneal_images: int
    eps: float

    def build(self, parameters: Iterable[Parameter], lr: float) -> torch.optim.Optimizer:
        """torch's Adam, or AdamW."""
        ours = ("final_betas", "anneal_images")
        options = {key: value for key, value in asdict(self).items() if key not in ours}
        return self.make(list(parameters), lr, options)

    def after(self, images: int) -> dict[str, object]:
        """Both betas, if they change."""
        if self.final_betas is None:
            return {}
        pairs = zip(self.betas, self.final_betas, strict=True)
        return {"betas": tuple(annealed(start, final, images, self.anneal_images) for start, final in pairs)}


class AdamW(Adam):
    """Loshchilov & Hutter 2019."""

    kind = torch.optim.AdamW


@dataclass(frozen=True, kw_only=True)
class RMSprop(OptimizerArguments):
    """Tieleman & Hinton 2012."""

    kind = torch.optim.RMSprop
    kernel = {"foreach": True}  # noqa: RUF012
    on_cuda = {"capturable": True}  # noqa: RUF012

    alpha: float
    eps: float
    momentum: float


@dataclass(frozen=True, kw_only=True)
class SGD(OptimizerArguments):
    """Stochastic gradient descent with (Nesterov) momentum, which may change linearly with the step."""

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
        options: dict[str, object] = {"momentum": self.momentum, "nesterov": self.nesterov}
        options["weight_decay"] = self.weight_decay
        return self.make(list(parameters), lr, options)

    def at(self, step: int) -> dict[str, float]:
        """The momentum of a step."""
        if self.final_momentum is None:
            return {}
        share = min(1.0, step / self.momentum_steps)
        return {"momentum": self.momentum + share * (self.final_momentum - self.momentum)}
