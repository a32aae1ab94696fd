"""Everything of a run that is built from its config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from gan_cli.config.batch_sizes import BatchSizes
from gan_cli.config.schema import Config
from gan_cli.data.knows import Dataset
from gan_cli.data.minibatches import Minibatches
from gan_cli.data.samples import Samples
from gan_cli.games.game import Game
from gan_cli.games.sampler import Sampler
from gan_cli.training.ema import EMA
from gan_cli.training.optimizers import MakesOptimizer
from gan_cli.training.player import Player


@dataclass(frozen=True)
class Loaded:
    """The data of a run, which another can share."""

    dataset: Dataset
    samples: Samples
    minibatches: Minibatches


@dataclass(frozen=True)
class Setup:
    """Everything of a run that is built from its config.

    Attributes:
        precision: the config's precision, or the one chosen for precision=auto.
        own: the groups in which the config chooses a class of the user's own that takes part in a move.
        optimizer: the options from which each player's optimizer is made.
        attempt: how often the run has gone back to an earlier checkpoint.
    """

    config: Config
    device: torch.device
    precision: str
    dataset: Dataset
    samples: Samples
    minibatches: Minibatches
    batch_sizes: BatchSizes
    game: Game
    players: Sequence[Player]
    ema: EMA | None
    sampler: Sampler
    own: Sequence[str]
    optimizer: MakesOptimizer
    attempt: int = 0

    @property
    def loaded(self) -> Loaded:
        """Its data, without the rest."""
        return Loaded(self.dataset, self.samples, self.minibatches)
