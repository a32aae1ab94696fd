"""The parts of a game: what the config names, and the shape of the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from gan_cli.config.asking import asked, is_own, kind, method
from gan_cli.config.batch_sizes import BatchSizes
from gan_cli.config.library import Library
from gan_cli.config.options import Group, Made
from gan_cli.config.root import PlayerOptions
from gan_cli.config.schema import Config
from gan_cli.errors import UserError
from gan_cli.games.game import Game
from gan_cli.models.architecture import ARCHITECTURE, Projects
from gan_cli.models.conditioning import Around
from gan_cli.random import seed_all


@dataclass(frozen=True)
class Parts:
    """Makes the parts of a game.

    Attributes:
        shape: the shape of one sample: (C, H, W) or (d,).
        classes: the number of labels that the networks see, 0 unless the run is conditional.
        autocast: the dtype that the networks compute in, or None for that of their weights.
    """

    config: Config
    library: Library
    shape: tuple[int, ...]
    classes: int
    device: torch.device
    autocast: torch.dtype | None = None

    def build(self, group: Group[Made]) -> Made:
        """An object of the option that the config chooses in a group."""
        return self.library.build(group, self.config.one(group))

    def build_several(self, group: Group[Made]) -> dict[str, Made]:
        """An object of each chosen option, by name, for a group of which any number can be chosen."""
        return {name: self.library.build(group, choice) for name, choice in self.config.several(group).items()}

    @property
    def latent(self) -> int:
        """The number of coordinates of a latent.

        Raises:
            UserError: if the prior has no option ``size``.
        """
        return latent_size(self.config)

    @property
    def who(self) -> str:
        """The architecture, as the config names it."""
        return f"architecture={self.config.architecture.name}"

    def architecture(self, name: str, wanted: str, *arguments: object) -> Callable[[], nn.Module]:
        """The method ``name`` of the architecture, with its arguments, to be called without any.

        Args:
            wanted: the parameters of that method, such as ``shape, classes``; a network with classes is told of
                labels as ``conditioning=…`` says.

        Raises:
            UserError: if the architecture has no such method, or it takes other arguments.
        """
        architecture = self.build(ARCHITECTURE)
        if not is_own(architecture) and not hasattr(architecture, name):
            raise UserError(
                f"{self.who}: has no {name}, which model={self.config.model.name} needs: use architecture=dcgan or mlp"
            )
        make = method(architecture, self.who, name, wanted, *arguments)
        classes, judge = arguments[-1] if wanted.endswith("classes") else 0, name == "discriminator"
        assert isinstance(classes, int)
        around = Around(self.config.conditioning, classes, projects=isinstance(architecture, Projects))

        def made() -> nn.Module:
            module = make(*arguments[:-1], around.given(judge)) if classes else make(*arguments)
            if not isinstance(module, nn.Module):
                raise UserError(f"{self.who}: {name}() returned {kind(module)}: return a torch.nn.Module")
            return around.put(module, judge) if classes else module

        return made

    def network(self, player: str, make: Callable[[], object], who: str = "", call: str = "") -> nn.Module:
        """The network of a player, on the device.

        It is initialised on the CPU from the run's seed and the player's name, so that every device starts from the
        same weights.

        Args:
            who: the part that makes the network, such as ``architecture=mine``, for error messages; by default the
                model.
            call: the call that makes the network, for error messages.

        Raises:
            UserError: if ``make`` fails, or returns no network that can learn. An architecture that does not support a
                shape raises ValueError.
        """
        who = who or f"model={self.config.model.name}"
        seed_all(self.config.seed, "init", player, device=torch.device("cpu"))
        with asked(f"{who}: {call or player}"):
            try:
                network = make()
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


def made_by(config: Config) -> str:
    """What made the networks of a game, as the config names it: the architecture of a GAN, else the model."""
    gan = config.model.name == "gan"
    return f"architecture={config.architecture.name}" if gan else f"model={config.model.name}"


def latent_size(config: Config) -> int:
    """The number of coordinates of a latent.

    Raises:
        UserError: if the prior has no option ``size``.
    """
    size = config.prior.keywords().get("size")
    if not isinstance(size, int):
        raise UserError(f"prior={config.prior.name}: needs the option `size`, how many numbers a latent has")
    return size


def settings_of(game: Game, player: str, config: Config) -> PlayerOptions:
    """Moves per turn and learning rate of a player."""
    return game.settings(player) or config.player(player)


def batch_sizes_of(game: Game, config: Config) -> BatchSizes:
    """The batch sizes of a game, which convert steps into images seen."""
    return BatchSizes(config.batch_size, settings_of(game, next(iter(game.networks)), config).steps)
