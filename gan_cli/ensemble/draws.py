"""The random numbers of one move: noted once for one member, then drawn for each member from its own stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from gan_cli.games.penalties import slope

Operation = Callable[..., Tensor]
KINDS: dict[Operation, str] = {
    torch.rand: "uniform",
    torch.rand_like: "uniform",
    torch.randn: "normal",
    torch.randn_like: "normal",
    Tensor.normal_: "normal",
}


@dataclass(frozen=True)
class Draw:
    """One call of a random function: ``uniform``, ``normal``, or ``dropout`` with its rate."""

    kind: str
    shape: torch.Size
    rate: float = 0.0

    def into(self, place: Tensor) -> None:
        """Draws what that call would draw, from the device's default generator; for dropout, its factors."""
        if self.kind == "uniform":
            torch.rand(self.shape, out=place)
        elif self.kind == "normal":
            torch.randn(self.shape, out=place)
        else:
            place.copy_(functional.dropout(torch.ones_like(place), self.rate))


class Batchable(TorchFunctionMode):
    """Replaces calls that ``torch.func`` cannot batch by equivalent ones that it can."""

    def __torch_function__(
        self, function: Operation, types: object, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Tensor:
        kwargs = kwargs or {}
        if function is slope:
            judge, x = args
            with self:
                return torch.func.grad(lambda y: judge(y).sum())(x.detach())
        if function is functional.normalize:  # spectral norm writes into its buffers, and uses the result as well
            kwargs.pop("out", None)
        if function is functional.one_hot:
            return compared(*args, **kwargs)
        if function is functional.dropout:
            return self.dropout(*args, **kwargs)
        if function in KINDS and kwargs.get("generator") is None:
            return self.drawn(KINDS[function], function, args, kwargs)
        return function(*args, **kwargs)

    def drawn(self, kind: str, function: Operation, args: Sequence[object], kwargs: Mapping[str, object]) -> Tensor:
        raise AssertionError("a mode says where draws come from")

    def dropout(self, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        raise AssertionError("a mode says where draws come from")


def compared(tensor: Tensor, num_classes: int) -> Tensor:
    """``one_hot`` without its look at the labels, which cannot be batched where a slope is taken too."""
    return (tensor.unsqueeze(-1) == torch.arange(num_classes, device=tensor.device)).to(tensor.dtype)


class Noting(Batchable):
    """Notes the draws that are made in its context."""

    def __init__(self) -> None:
        super().__init__()
        self.draws: list[Draw] = []

    def drawn(self, kind: str, function: Operation, args: Sequence[object], kwargs: Mapping[str, object]) -> Tensor:
        result = function(*args, **kwargs)
        self.draws.append(Draw(kind, result.shape))
        return result

    def dropout(self, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if training and p:
            self.draws.append(Draw("dropout", x.shape, p))
        return functional.dropout(x, p, training)


class Replaying(Batchable):
    """Returns draws that were made before, in their order."""

    def __init__(self, draws: Sequence[Tensor]) -> None:
        super().__init__()
        self.left = iter(draws)

    def drawn(self, kind: str, function: Operation, args: Sequence[object], kwargs: Mapping[str, object]) -> Tensor:
        return next(self.left)

    def dropout(self, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        return x * next(self.left) if training and p else x
