"""The model that draws a run's samples, to be asked for more than samples while the run trains on."""

from __future__ import annotations

import copy

from gan_cli.games.game import Keeps
from gan_cli.games.sampler import Sampler
from gan_cli.training.setup import Setup


class Averaged(Sampler):
    """A sampler with a copy of the game, in which the sampler's network has the averaged weights."""

    def __init__(self, setup: Setup) -> None:
        game = copy.deepcopy(setup.game)
        for network in game.networks.values():
            network.eval().requires_grad_(False)
        vars(self).update(vars(setup.sampler))
        self.network, self.game = game.networks[game.sampler], game
        self._setup, self._copy = setup, game

    def refresh(self) -> None:
        """Takes over the weights as they are now, and what the game keeps besides."""
        setup, game = self._setup, self._copy
        for name, network in game.networks.items():
            network.load_state_dict(setup.game.networks[name].state_dict())
        if setup.ema:
            self.network.load_state_dict(setup.ema.network.state_dict())
        if isinstance(game, Keeps) and isinstance(setup.game, Keeps):
            game.restore({name: tensor.clone() for name, tensor in setup.game.kept().items()})
