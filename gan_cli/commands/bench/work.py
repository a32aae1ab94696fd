"""The work of a training step: floating-point operations and bytes, counted while it runs once."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from gan_cli.algorithm import play
from gan_cli.training.cuda_graphs import own_stream
from gan_cli.training.setup import Setup


@dataclass
class Work:
    """The mean of a step."""

    flops: float = 0.0
    bytes: float = 0.0


class Tally(TorchDispatchMode):
    """Adds up what every operation inside ``with`` does, backward and double backward passes included.

    Attributes:
        flops: of matrix products and convolutions, by the formulas of ``torch.utils.flop_counter``; a multiplication
            and an addition are two. (``FlopCounterMode`` itself follows modules with hooks that refuse the
            ``autograd.grad`` of penalties.)
        bytes: read and written if each operation reads its inputs once and writes its outputs once, that is, if nothing
            stays in a cache between operations. Weights, gradients, optimizer state and activations all count.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = self.bytes = 0
        self._formulas = FlopCounterMode(display=False).flop_registry

    def __torch_dispatch__(
        self, func: OpOverload, types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> object:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if formula := self._formulas.get(func._overloadpacket):
            self.flops += formula(*args, **kwargs, out_val=result)
        if not func.is_view and not func.__name__.startswith(("empty", "new_empty")):
            given = dict(zip((a.name for a in func._schema.arguments), args, strict=False)) | kwargs
            written = [given.get(a.name) for a in func._schema.arguments if a.alias_info and a.alias_info.is_write]
            made = result if not written else ()
            self.bytes += sum(size(t) for t in tree_leaves((args, kwargs, written, made)) if isinstance(t, Tensor))
        return result


def size(x: Tensor) -> int:
    """The bytes of a tensor's memory: an expanded tensor is no larger than what it repeats."""
    return min(x.nbytes, x.untyped_storage().nbytes())


def period(setup: Setup) -> int:
    """The period, in steps, with which the active terms of all players' moves repeat."""
    moves = [(player.steps, setup.game.period(player.name)) for player in setup.players]
    return math.lcm(*(period // math.gcd(period, steps) for steps, period in moves))


def kinds(setup: Setup, steps: Iterable[int]) -> list[list[int]]:
    """Steps of the same work together: of one batch size, with the same active terms in every move."""
    found: dict[tuple[object, ...], list[int]] = {}
    for step in steps:
        moments = [(p.name, p.moment(step, move, setup.batch_sizes)) for p in setup.players for move in range(p.steps)]
        terms = [name for moment in moments for name in ("move", *setup.game.strengths(*moment))]
        found.setdefault((setup.batch_sizes.at(step), *terms), []).append(step)
    return [*found.values()]


def work(setup: Setup) -> Work:
    """The mean step over one period of the penalties. Trains ``setup`` for a few steps; it must not be compiled."""
    steps = range(1, period(setup) + 1)
    total = Work()
    for those in kinds(setup, steps):
        with own_stream(setup.device), Tally() as tally:
            play(setup, range(those[0], those[0] + 1))
        total.flops += tally.flops * len(those) / len(steps)
        total.bytes += tally.bytes * len(those) / len(steps)
    return total
