"""The games of several seeds as one: their players, minibatches and averages stacked, for the one training loop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from gan_cli.algorithm import Observer, train
from gan_cli.config.library import Library
from gan_cli.ensemble.player import StackedMinibatches, StackedPlayer, Together
from gan_cli.ensemble.stack import Stack
from gan_cli.models.averaging import is_direction
from gan_cli.training.ema import EMA
from gan_cli.training.setup import Setup


class Ensemble:
    """The games of several seeds, stacked. The weights in ``setups`` are views of the stack and follow every step."""

    def __init__(self, setups: Sequence[Setup], library: Library, *, compile: bool = False) -> None:
        self.setup = some = setups[0]
        weights, buffers = {}, {}
        for name in some.game.networks:
            networks = [setup.game.networks[name] for setup in setups]
            weights[name] = Stack([dict(network.named_parameters()) for network in networks])
            buffers[name] = _buffers(networks, name)
        every = [stack for stacks in buffers.values() for stack in stacks]
        self.minibatches = StackedMinibatches([setup.minibatches for setup in setups])
        self.players = [StackedPlayer(name, setups, weights, every, library, compile=compile) for name in weights]
        self.average = None
        averages = [setup.ema for setup in setups if setup.ema]
        if averages:
            drawing = some.game.sampler
            self.average = StackedAverages(averages, [weights[drawing], *buffers[drawing]], drawing)

    def train(self, steps: range, observers: Iterable[Observer]) -> None:
        """Like ``gan_cli.algorithm.play``, but statistics are (E,)."""
        some = self.setup
        train(
            some.game,
            self.players,
            self.minibatches,
            some.sampler.prior,
            self.average,
            observers,
            batch_sizes=some.batch_sizes,
            steps=steps,
            updates=some.config.updates,
            seed=some.config.seed,
            device=some.device,
            executor=Together(),
        )

    def hand_out(self, i: int) -> None:
        """Copies the state of the stacked optimizers to member ``i``."""
        for player in self.players:
            player.hand_out(i)


class StackedAverages:
    """The moving averages of all members.

    Args:
        sources: the weights and buffers of all members that are averaged.
    """

    def __init__(self, averages: Sequence[EMA], sources: Sequence[Stack], name: str) -> None:
        networks = [average.network for average in averages]
        ours = [Stack([dict(network.named_parameters()) for network in networks]), *_buffers(networks, name)]
        self.decay, self.pairs = averages[0].decay, list(zip(ours, sources, strict=True))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Updates the averages with the weights of all members after a step."""
        for ours, theirs in self.pairs:
            if ours.flat.is_floating_point() and not any(map(is_direction, ours.shapes)):
                ours.flat.lerp_(theirs.flat, 1 - self.decay(step))
            else:
                ours.flat.copy_(theirs.flat)


def _buffers(networks: Sequence[nn.Module], name: str) -> list[Stack]:
    """The buffers of networks, those of one dtype that are averaged, or are not, in one stack."""

    def kind(key: str, buffer: Tensor) -> tuple[torch.dtype, bool]:
        return buffer.dtype, is_direction(key)

    kinds = dict.fromkeys(kind(*named) for named in networks[0].named_buffers())
    return [
        Stack([{f"{name}.{k}": b for k, b in network.named_buffers() if kind(k, b) == one} for network in networks])
        for one in kinds
    ]
