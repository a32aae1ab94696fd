"""The players of a game, made from its networks and a config."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from gan_cli import distributed
from gan_cli.config.library import Library
from gan_cli.config.schema import Config
from gan_cli.games.game import Game
from gan_cli.games.parts import batch_sizes_of, settings_of
from gan_cli.training.answers import optimizer_of
from gan_cli.training.freezing import hold_still, learning
from gan_cli.training.optimizers import MakesOptimizer, changing
from gan_cli.training.player import Player
from gan_cli.training.scaler import Scaler
from gan_cli.training.schedules import SCHEDULE, by_step


def players_of(
    game: Game,
    config: Config,
    library: Library,
    optimizer: MakesOptimizer,
    device: torch.device,
    *,
    scaled: bool,
    attempt: int = 0,
) -> list[Player]:
    """The players of a game, in the order in which they move.

    Args:
        optimizer: the options from which each player's optimizer is made.
        scaled: whether to scale the cost, so that float16 gradients do not underflow.
        attempt: how often the run has gone back to an earlier checkpoint; the guard may lower the rates each time.
    """
    batch_sizes = batch_sizes_of(game, config)
    schedule = by_step(library.build(SCHEDULE, config.schedule), batch_sizes)
    players = []
    hold_still(game, config.freeze)
    for name, network in game.networks.items():
        options = settings_of(game, name, config)
        lr = options.lr * config.slowed(attempt)
        weights = learning(name, network, config.freeze)
        made = optimizer_of(optimizer, f"optimizer={config.optimizer.name}", weights, lr)
        players.append(
            Player(
                name,
                network,
                game.opponents(name),
                made,
                lr=lr,
                schedule=schedule,
                steps=options.steps,
                options=changing(optimizer, batch_sizes),
                constrain=game.constraint(name),
                scaler=Scaler(made, device) if scaled else None,
                average=averaging(weights, device) if distributed.world() > 1 else None,
                learns=weights,
            )
        )
    return players


def averaging(weights: Iterable[Tensor], device: torch.device) -> distributed.Averaging:
    """Averages a player's gradients over processes; on a GPU, which can send while it computes, during backward."""
    return distributed.Averaging(weights if device.type == "cuda" else ())
