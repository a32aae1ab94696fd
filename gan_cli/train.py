"""Algorithm 1 of Goodfellow et al. (2014)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from gan_cli.capture import Eager, Recorder
from gan_cli.data.minibatches import Minibatches
from gan_cli.ema import EMA
from gan_cli.game import Moment, Statistics, Strengths
from gan_cli.player import Player
from gan_cli.random import drawn, seed_move

Observer = Callable[[int, Sequence[Statistics]], None]
Descent = Callable[[Player, int], None]


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
    recorder: Eager | Recorder | None = None,
) -> None:
    """Minibatch stochastic gradient descent of both players, for each step in ``steps`` (the first step is 1).

    ``players`` are D and G, who move in this order: D ``k`` times, then G. Observers are told each step's statistics;
    nothing they do can change the training, because every draw below is a function of its place. ``recorder`` may
    record what happens on the device, and replay it instead.
    """
    recorder = recorder or Eager()
    images_per_step = players[0].steps * batch_size

    def gradient(player: Player, rows: Tensor, labels: Tensor | None, strengths: Strengths) -> Statistics:
        x = minibatches.scaled(rows)  # {x⁽¹⁾ … x⁽ᵐ⁾} from the data
        z = drawn(batch_size, lambda m, g: prior.sample(m, device, g))  # {z⁽¹⁾ … z⁽ᵐ⁾} from the prior
        return player.gradient(x, z, labels, strengths)

    for step in steps:
        statistics = []
        for moves, descend in turn(players, updates):
            for player, move in moves:
                seed_move(seed, "move", step, player.name, move, device=device)
                moment = Moment(step, (step - 1) * player.steps + move, (step - 1) * images_per_step)
                rows, labels = minibatches.rows(player.name, moment.moves, batch_size)
                statistics.append(recorder.gradient(gradient, player, rows, labels, moment))
            for player, _ in moves:
                recorder.descend(descend, player, step)
        if ema is not None:
            ema.update(step)
        for observer in observers:
            observer(step, statistics)


def turn(players: Sequence[Player], updates: str) -> list[tuple[list[tuple[Player, int]], Descent]]:
    """The moves of one step, in order, and how they descend; those that share a list see the same parameters.

    Unless updates alternate, D's last move and G's first are made together.
    """
    moves = [[(player, move)] for player in players for move in range(player.steps)]
    if updates == "alternating":
        return [(each, Player.descend) for each in moves]
    meeting = players[0].steps
    before, together, after = moves[: meeting - 1], moves[meeting - 1] + moves[meeting], moves[meeting + 1 :]
    jointly: dict[str, list[Descent]] = {
        "simultaneous": [Player.descend],
        "extragradient": [Player.look_ahead, Player.descend_from_start],
        "optimistic": [Player.descend_optimistically],
    }
    return [
        *((each, Player.descend) for each in before),
        *((together, descend) for descend in jointly[updates]),
        *((each, Player.descend) for each in after),
    ]
