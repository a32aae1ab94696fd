"""Algorithm 1 for all members at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from gan_cli.build import Setup
from gan_cli.ensemble.player import StackedMinibatches, StackedPlayer
from gan_cli.ensemble.stack import Stack
from gan_cli.game import Moment
from gan_cli.library import Library
from gan_cli.train import Observer, turn

PLAYERS = ("discriminator", "generator")


class Ensemble:
    """The games of several seeds, stacked; what is in ``setups`` follows every step."""

    def __init__(self, setups: Sequence[Setup], library: Library, *, compile: bool = False) -> None:
        games = [setup.game for setup in setups]
        self.setup = setups[0]
        weights = {name: Stack([dict(getattr(game, name).named_parameters()) for game in games]) for name in PLAYERS}
        buffers = {name: _buffers([getattr(game, name) for game in games], name) for name in PLAYERS}
        every = [stack for stacks in buffers.values() for stack in stacks]
        minibatches = StackedMinibatches([setup.minibatches for setup in setups])
        self.players = [
            StackedPlayer(name, setups, weights, every, minibatches, library, compile=compile) for name in PLAYERS
        ]
        self.averaged: list[tuple[Stack, Stack]] = []
        networks = [setup.ema.network for setup in setups if setup.ema]
        if networks:
            ours = [Stack([dict(network.named_parameters()) for network in networks]), *_buffers(networks, "generator")]
            self.averaged = list(zip(ours, [weights["generator"], *buffers["generator"]], strict=True))

    def train(self, steps: range, observers: Iterable[Observer]) -> None:
        """As ``gan_cli.train.train``, but statistics are (E,)."""
        config = self.setup.config
        images_per_step = self.setup.images_per_step
        for step in steps:
            statistics = []
            for moves, descend in turn(self.players, config.updates):
                for player, move in moves:
                    assert isinstance(player, StackedPlayer)
                    moment = Moment(step, (step - 1) * player.steps + move, (step - 1) * images_per_step)
                    statistics.append(player.gradients(moment))
                for player, _ in moves:
                    descend(player, step)
            if self.setup.ema:
                self.average(1 - self.setup.ema.decay(step))
            for observer in observers:
                observer(step, statistics)

    @torch.no_grad()
    def average(self, share: float) -> None:
        """Moves every moving average by this share of the way."""
        for ours, theirs in self.averaged:
            if ours.flat.is_floating_point():
                ours.flat.lerp_(theirs.flat, share)
            else:
                ours.flat.copy_(theirs.flat)

    def hand_out(self, i: int) -> None:
        """Makes the optimizers of member ``i`` what they are here."""
        for player in self.players:
            player.hand_out(i)


def _buffers(networks: Sequence[torch.nn.Module], name: str) -> list[Stack]:
    """Buffers of floats, and counters."""
    return [
        Stack(
            [
                {f"{name}.{k}": b for k, b in network.named_buffers() if b.is_floating_point() == floats}
                for network in networks
            ]
        )
        for floats in (True, False)
    ]
