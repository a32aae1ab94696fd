"""Algorithm 1 of Goodfellow et al. (2014)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from gan_cli.data.minibatches import Minibatches
from gan_cli.ema import EMA
from gan_cli.game import Player, Statistics
from gan_cli.random import seed_all

Observer = Callable[[int, Sequence[Statistics]], None]


def train(
    players: Sequence[Player],
    minibatches: Minibatches,
    prior: Any,
    ema: EMA | None,
    observers: Iterable[Observer],
    *,
    batch_size: int,
    steps: range,
    updates: str,
    seed: int,
    device: torch.device,
) -> None:
    """Minibatch stochastic gradient descent of both players, for each step in ``steps`` (the first step is 1).

    ``players`` move in this order: D ``k`` times, then G. With simultaneous updates, D's last move and G's first are
    computed at the same parameters. Observers are told each step's statistics; nothing they do can change the
    training, because every draw below is a function of its place.
    """
    for step in steps:
        statistics = []
        for moves in turn(players, updates):
            for player, move in moves:
                seed_all(seed, "move", step, player.name, move, device=device)
                number = (step - 1) * player.steps + move
                x, labels = minibatches.draw(player.name, number, batch_size)  # {x⁽¹⁾ … x⁽ᵐ⁾} from the data
                z = prior.sample(batch_size, device)  # {z⁽¹⁾ … z⁽ᵐ⁾} from the prior
                statistics.append(player.gradient(x, z, labels))
            for player, _ in moves:
                player.descend(step)
        if ema is not None:
            ema.update(step)
        for observer in observers:
            observer(step, statistics)


def turn(players: Sequence[Player], updates: str) -> list[list[tuple[Player, int]]]:
    """The moves of one step, in order; those that share a list are computed at the same parameters."""
    moves = [[(player, move)] for player in players for move in range(player.steps)]
    if updates == "simultaneous":
        meeting = players[0].steps
        moves[meeting - 1 : meeting + 1] = [moves[meeting - 1] + moves[meeting]]
    return moves
