"""What a game is made of: what the config names, and the shape of the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from gan_cli.config.asking import asked, kind
from gan_cli.config.batch_sizes import BatchSizes
from gan_cli.config.library import Library
from gan_cli.config.options import SEVERAL
from gan_cli.config.root import PlayerOptions
from gan_cli.config.schema import Config
from gan_cli.errors import UserError
from gan_cli.games.game import Game
from gan_cli.random import seed_all


@dataclass(frozen=True)
class Parts:
    """Makes the parts of a game.

    Attributes:
        shape: of one sample: (C, H, W) or (d,).
        classes: labels that the networks see, 0 unless the run is conditional.
        autocast: dtype the networks compute in, or None for that of their weights.
    """

    config: Config
    library: Library
    shape: tuple[int, ...]
    classes: int
    device: torch.device
    autocast: torch.dtype | None = None

    def build(self, group: str) -> Any:
        """The option that the config chooses in a group; of a group of which any number can be chosen, all by name."""
        chosen = self.config.chosen(group)
        if group in SEVERAL:
            return {name: self.library.build(group, choice) for name, choice in chosen.items()}
        return self.library.build(group, chosen)

    @property
    def latent(self) -> int:
        """How many numbers a latent has.

        Raises:
            UserError: if the prior does not say.
        """
        size = self.config.prior.model_dump().get("size")
        if not isinstance(size, int):
            raise UserError(f"prior={self.config.prior.name}: needs the option `size`, how many numbers a latent has")
        return size

    def network(self, player: str, make: Callable[[], nn.Module], who: str = "", call: str = "") -> nn.Module:
        """The network of a player, on the device.

        It is initialised on the CPU from the run's seed and the player's name, so that every device starts from the
        same weights.

        Args:
            who: makes it, such as ``architecture=mine``, for what is said if it is wrong; else the model.
            call: by which it is made.

        Raises:
            UserError: if ``make`` raises ValueError, as an architecture that cannot take a shape does, or returns no
                network that can learn.
        """
        who = who or f"model={self.config.model.name}"
        seed_all(self.config.seed, "init", player, device=torch.device("cpu"))
        with asked(f"{who}: {call or player}"):
            try:
                network: Any = make()
            except ValueError as error:
                raise UserError(f"{who}: {error}") from error
        if not isinstance(network, nn.Module):
            raise UserError(f"{who}: {player}() returned {kind(network)}: return a torch.nn.Module")
        weights = list(network.parameters())
        if not weights:
            raise UserError(f"{who}: the {player} has no weights to learn")
        if any(isinstance(weight, nn.parameter.UninitializedParameter) for weight in weights):
            raise UserError(
                f"{who}: the {player} has lazy layers, whose size is not known: say how many inputs they have"
            )
        layout = torch.channels_last if len(self.shape) == 3 else torch.contiguous_format
        return network.to(self.device).to(memory_format=layout).train()


def settings_of(game: Game, player: str, config: Config) -> PlayerOptions:
    """Moves in a turn and rate of a player."""
    return game.settings(player) or config.player(player)


def batch_sizes_of(game: Game, config: Config) -> BatchSizes:
    """What turns the steps of a game into images."""
    return BatchSizes(config.batch_size, settings_of(game, next(iter(game.networks)), config).steps)
