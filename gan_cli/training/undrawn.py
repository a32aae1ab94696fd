"""Networks without memory are made without numbers: neither drawn nor scaled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, empty_like, nn
from torch.overrides import TorchFunctionMode

DRAWN = {
    *(Tensor.normal_, Tensor.uniform_, Tensor.bernoulli_, Tensor.exponential_, Tensor.random_),
    *(nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_),
}
SCALED = {Tensor.div, Tensor.mul, Tensor.__truediv__, Tensor.__mul__, Tensor.__rmul__}


class Undrawn(TorchFunctionMode):
    """A context in which first weights on torch's meta device, which holds no numbers, are not computed.

    The first such computation imports torch's compiler, which takes as long as half of torch itself.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        kwargs = kwargs or {}
        weights = args[0] if args else kwargs.get("tensor")
        if isinstance(weights, Tensor) and weights.is_meta:
            if func in DRAWN:
                return weights
            if func in SCALED and len(args) == 2 and isinstance(args[1], int | float) and weights.is_floating_point():
                return empty_like(weights)
        return func(*args, **kwargs)
