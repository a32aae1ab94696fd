"""Activation checkpointing (Chen et al. 2016): of a block, only what enters it is kept; backward computes it again.

A block is each part of a sequence or a list of modules that is made of layers itself; a sequence of plain layers is one
block. It is computed again with the draws and the buffers that it had the first time, and leaves generators and buffers
as they are by then. So the numbers are the same, batch norm's running statistics too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized
from torch.utils.checkpoint import checkpoint

from gan_cli import random
from gan_cli.errors import UserError
from gan_cli.games.game import Game

Buffers = list[tuple[nn.Module, str, Tensor]]


def recompute(game: Game, who: str) -> None:
    """Has the blocks of all networks computed again in backward.

    Args:
        who: what has made the networks, for the error.

    Raises:
        UserError: if there are none.
    """
    if not sum(_wrapped(network) for network in game.networks.values()):
        raise UserError(
            f"activation_checkpointing=true: {who} has no blocks that could be computed again, sequences or lists of "
            "layers: use false"
        )


def _wrapped(module: nn.Module) -> int:
    """Wraps the blocks of a module; how many they are."""
    if isinstance(module, nn.Sequential | nn.ModuleList):
        blocks = [part for part in module if _is_block(part)]
        if not blocks and isinstance(module, nn.Sequential) and len(module) > 1 and _has_layers(module):
            blocks = [module]
        for part in blocks:
            part.forward = partial(_again, part.forward, part)
        if blocks:
            return len(blocks)
    return sum(_wrapped(child) for child in module.children())


def _is_block(module: nn.Module) -> bool:
    return bool(list(module.children())) and not is_parametrized(module) and _has_layers(module)


def _has_layers(module: nn.Module) -> bool:
    return any(weight.dim() > 1 for weight in module.parameters())


def _again(forward: Callable[..., Any], module: nn.Module, *given: object, **named: object) -> Any:
    """``forward`` of a block whose buffers are those of ``module``."""
    if not torch.is_grad_enabled():
        return forward(*given, **named)
    versions = [x._version for x in given if isinstance(x, Tensor)]
    found = checkpoint(  # type: ignore[call-overload]
        forward, *given, use_reentrant=False, context_fn=partial(_contexts, module), determinism_check="none", **named
    )
    if versions != [x._version for x in given if isinstance(x, Tensor)]:
        raise UserError(
            "activation_checkpointing=true: a block of a network changes what enters it in place, and could not be "
            "computed again: write relu(x) for inplace=True there, or use false"
        )
    return found


def _contexts(module: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """What surrounds a block when it is computed, and when it is computed again."""
    return nullcontext(), _AsItWas(module)


class _AsItWas(AbstractContextManager[None]):
    """A context, entered any number of times, in which a module has the buffers and the draws that it had before.

    Buffers are exchanged, not written: what was computed with them may still be needed.
    """

    def __init__(self, module: nn.Module) -> None:
        buffers = [(part, name, b) for part in module.modules() for name, b in part._buffers.items() if b is not None]
        self.before: Buffers = [(part, name, buffer.clone()) for part, name, buffer in buffers]
        self.draws = random.common_state()

    def __enter__(self) -> None:
        self.now = [(part, name, part._buffers[name]) for part, name, _ in self.before]
        self.draws_now = random.common_state()
        random.common_again(self.draws)
        for part, name, buffer in self.before:
            part._buffers[name] = buffer.clone()

    def __exit__(self, *error: object) -> None:
        random.common_again(self.draws_now)
        for part, name, buffer in self.now:
            part._buffers[name] = buffer
