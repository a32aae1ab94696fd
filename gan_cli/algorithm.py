"""Algorithm 1 of Goodfellow et al. (2014), for any number of players."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from gan_cli.config.batch_sizes import BatchSizes
from gan_cli.data.minibatches import Minibatches
from gan_cli.distributed import alone
from gan_cli.games.game import Game, Grows, Statistics, Strengths
from gan_cli.models.priors import Latents
from gan_cli.random import drawn, played, seed_move
from gan_cli.training.capture import Descent, Eager
from gan_cli.training.ema import Averages
from gan_cli.training.player import Player
from gan_cli.training.setup import Setup

Observer = Callable[[int, Sequence[Statistics]], None]


def train(
    game: Game,
    players: Sequence[Player],
    minibatches: Minibatches,
    prior: Latents,
    ema: Averages | None,
    observers: Iterable[Observer],
    *,
    batch_sizes: BatchSizes,
    steps: range,
    updates: str,
    seed: int,
    attempt: int = 0,
    device: torch.device,
    executor: Eager,
) -> None:
    """Minibatch stochastic gradient descent of all players, for each step in ``steps`` (the first step is 1).

    ``players`` move in this order: in the paper's game D ``k`` times, then G. Observers are called with each step's
    statistics; nothing that they do can change the training, because every draw below is a function of its place.
    ``attempt`` counts how often the run has gone back; each attempt plays the same steps with other draws.
    ``executor`` executes the moves: as they are written, from recordings, or those of many seeds at once.
    """
    growing = game if isinstance(game, Grows) else None

    def gradient(player: Player, rows: Tensor, labels: Tensor | None, strengths: Strengths) -> Statistics:
        x = minibatches.scaled(rows)  # {x⁽¹⁾ … x⁽ᵐ⁾} from the data
        z = drawn(size, lambda m, g: prior.sample(m, device, g))  # {z⁽¹⁾ … z⁽ᵐ⁾} from the prior
        return player.gradient(game, x, z, labels, strengths)

    for step in steps:
        size, statistics = batch_sizes.at(step), []
        for moves, descend in turn(players, updates):
            for player, move in moves:
                seed_move(*played(seed, attempt), "move", step, player.name, move, device=device)
                moment = player.moment(step, move, batch_sizes)
                rows, labels = minibatches.rows(player.name, moment.drawn, size)
                statistics.append(executor.gradient(gradient, game, player, rows, labels, moment))
            for player, _ in moves:
                executor.descend(descend, player, step)
        if growing is not None and growing.grow(batch_sizes.images_seen(step - 1), batch_sizes.images_seen(step)):
            for player in players:
                player.forget()
        if ema is not None:
            ema.update(step)
        for observer in observers:
            observer(step, statistics)


def turn(players: Sequence[Player], updates: str) -> list[tuple[list[tuple[Player, int]], Descent]]:
    """The moves of one step, in order, and how they descend. Moves in one list see the same parameters.

    Unless updates alternate, each player makes one move jointly with all others: the last player its first move, the
    others their last. So D's last move and G's first are joint; a single player has no joint move.
    """
    moves = [[(player, move)] for player in players for move in range(player.steps)]
    if updates == "alternating":
        return [(each, Player.descend) for each in moves]
    *others, last = players
    before = [[(player, move)] for player in others for move in range(player.steps - 1)]
    together = [*((player, player.steps - 1) for player in others), (last, 0)]
    after = [[(last, move)] for move in range(1, last.steps)]
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


def play(setup: Setup, steps: range, observers: Iterable[Observer] = (), executor: Eager | None = None) -> None:
    """Trains a setup for these steps; in each observer, collective operations are off."""
    train(
        setup.game,
        setup.players,
        setup.minibatches,
        setup.sampler.prior,
        setup.ema,
        [alone(observer) for observer in observers],
        batch_sizes=setup.batch_sizes,
        steps=steps,
        updates=setup.config.updates,
        seed=setup.config.seed,
        attempt=setup.attempt,
        device=setup.device,
        executor=executor or Eager(setup.config.accumulate),
    )
