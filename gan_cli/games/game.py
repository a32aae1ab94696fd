"""What a game is: players by name, the cost of each on a minibatch, and a network that draws samples.

Nothing outside this room knows how many players there are or what they are called. Abilities that only some games have
are protocols at the end of this file; code that needs one asks by ``isinstance``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from gan_cli.config.options import Group
from gan_cli.config.root import PlayerOptions
from gan_cli.data.minibatches import Minibatches
from gan_cli.data.samples import Samples
from gan_cli.games.view import View
from gan_cli.losses.loss import Loss
from gan_cli.models.priors import Latents
from gan_cli.models.units import Unit

if TYPE_CHECKING:
    from gan_cli.games.parts import Parts

Statistics = dict[str, Tensor]  # scalars on the training device, detached
Strengths = Mapping[str, "float | Tensor"]  # active terms of a move by name: σ of the noise, weights of penalties
Constraint = Callable[[Iterable[Tensor]], None]  # projects a player's parameters onto those that are allowed


@dataclass(frozen=True)
class Moment:
    """Where a run is when a player moves.

    Attributes:
        step: 1, 2, …
        moves: how often this player has moved before.
        images: real images seen before this step.
        drawn: samples of the data that this player has drawn before.
        batch_size: samples that it draws now.
        again: whether it has looked ahead from here already (extragradient).
    """

    step: int
    moves: int
    images: int
    drawn: int
    batch_size: int
    again: bool = False


class Game(Protocol):
    """A game of one, two or more players. A class derives from this one and defines ``cost``.

    Attributes:
        networks: each player's network, by the player's name, in the order in which they move.
        sampler: the player whose network draws samples: ``(z, labels) -> x``.
        draws_in_steps: whether that network draws a number at a time, which no graph for other programs can hold.
    """

    networks: Mapping[str, nn.Module]
    sampler: str
    draws_in_steps: ClassVar[bool] = False

    def cost(
        self, player: str, x: Tensor, z: Tensor, labels: Tensor | None, strengths: Strengths
    ) -> tuple[Tensor, Statistics]:
        """The cost that a player minimises, a scalar, on m samples ``x`` and m latents ``z``; and statistics to log."""
        ...

    def settings(self, player: str) -> PlayerOptions | None:
        """Moves per turn and learning rate of a player; None takes them from the config, under the player's name."""
        return None

    def strengths(self, player: str, moment: Moment) -> dict[str, float]:
        """The terms that are active in a player's move at a moment, with their weights; see ``Strengths``."""
        return {}

    def opponents(self, player: str) -> Sequence[nn.Module]:
        """The networks that get no gradient in a player's move: all others."""
        return [network for name, network in self.networks.items() if name != player]

    def period(self, player: str) -> int:
        """The period, in moves of this player, with which the active terms repeat."""
        return 1

    def constraint(self, player: str) -> Constraint | None:
        """The function that is called with a player's parameters after each of its moves, if there is one."""
        return None

    def consequences(self, means: Mapping[str, float]) -> dict[str, float]:
        """Further values for the log, computed from the mean statistics of a log interval."""
        return {}


class Model(Protocol):
    """A ``model=…``: makes a game from the parts that the config names."""

    def game(self, parts: Parts) -> Game:
        """The game, its networks freshly initialised."""
        ...


MODEL = Group[Model]("model")


@runtime_checkable
class Judges(Protocol):
    """A game with a discriminator.

    Attributes:
        discriminator: (view of x, labels) → logits.
        loss: the loss that the discriminator is trained with.
        view: the transformation of samples before the discriminator sees them.
    """

    discriminator: nn.Module
    loss: Loss
    view: View


@dataclass(frozen=True)
class LogLikelihood:
    """log p(x) of samples in nats, and what kind of number that is.

    Attributes:
        nats: (B,), of each sample: the value, the bound, or the best estimate.
        kind: ``exact``; ``lower bound``, which the true value is not below on average; ``estimate``, of either.
        how: what makes it one, such as ``ELBO of 1 draw`` or ``importance-weighted, k = 5,000``; empty if exact.
        low, high: of an estimate, how many nats the mean may be below and above it (two-sided annealing …).
        in_logit_space: (B,), of a density that works there: log p(s) without the Jacobian, which ``nats`` count.
    """

    nats: Tensor
    kind: Literal["exact", "lower bound", "estimate", "estimate of a lower bound"] = "exact"
    how: str = ""
    low: float = 0.0
    high: float = 0.0
    in_logit_space: Tensor | None = None

    @property
    def told(self) -> str:
        """``exact``, or ``lower bound (ELBO of 1 draw)``."""
        return f"{self.kind} ({self.how})" if self.how else self.kind


@runtime_checkable
class Certain(Protocol):
    """A game in which a player can be certain of what it sees."""

    def certain(self, means: Mapping[str, float | None]) -> str | None:
        """Who is certain by the mean statistics of a log interval, what that means and what to try; None: nobody."""
        ...


@runtime_checkable
class Likelihood(Protocol):
    """A game whose model has a likelihood.

    Attributes:
        unit: what its nats are of, and its bits per dimension.
    """

    unit: Unit

    def log_likelihood(self, x: Tensor, labels: Tensor | None = None) -> LogLikelihood:
        """log p(x), or log p(x | label), of samples as the data present them: pictures in [−1, 1], points as they are.

        It may take any number of them: how many are computed at a time is the game's business. Draws come from the
        default generators, which the caller has pointed at a place.
        """
        ...


@runtime_checkable
class Bounds(Protocol):
    """A game whose likelihood is a lower bound that more draws tighten.

    Attributes:
        draws: for each sample, unless someone asks for more.
    """

    draws: int

    def bound(self, x: Tensor, labels: Tensor | None, draws: int) -> LogLikelihood:
        """As ``Likelihood.log_likelihood``, of so many draws."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """A game whose model has an encoder; its sampler's network decodes."""

    def encode(self, x: Tensor) -> Tensor:
        """The latent of each sample, (B, latent)."""
        ...


@runtime_checkable
class Inverts(Protocol):
    """A game whose sampler's network is a bijection."""

    def invert(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """The only latent of each sample, (B, latent), which is decoded to it."""
        ...


@runtime_checkable
class OwnLatents(Protocol):
    """A game that says itself what latents are: as many numbers as the data has, the base of a flow …

    Attributes:
        latents: what the sampler's network is given, in training and sampling alike; ``prior=…`` then has no use.
    """

    latents: Latents


@runtime_checkable
class LearnsLabels(Protocol):
    """A game in which a player learns the labels of some of the samples; the others' labels nobody sees."""

    def labelled(self, samples: Samples) -> np.ndarray:
        """The places of the samples that keep their labels, in order."""
        ...

    def learn(self, known: Minibatches) -> None:
        """Takes those samples, as they are shown in training."""
        ...

    def told(self, samples: Samples) -> str:
        """Which samples these are, in one line."""
        ...


@runtime_checkable
class Classifies(Protocol):
    """A game with a network that tells kinds apart."""

    def classify(self, x: Tensor, *, averaged: bool = True) -> Tensor:
        """The logits of the classes, (B, K).

        Args:
            averaged: by the moving average of the network.
        """
        ...


@runtime_checkable
class Grows(Protocol):
    """A game whose networks may grow while they are trained, as a function of the images seen; or follow each other."""

    def grow(self, before: int, images: int) -> bool:
        """Called at the end of each step, with the real images seen before and after it.

        Returns:
            Whether all that optimizers have gathered is to be forgotten.
        """
        ...


@runtime_checkable
class Keeps(Protocol):
    """A game with state besides weights, such as the chains of a Boltzmann machine.

    With several processes, each sees its own rows of a minibatch; a checkpoint holds the state of the first.
    """

    def kept(self) -> dict[str, Tensor]:
        """The state for a checkpoint."""
        ...

    def restore(self, kept: Mapping[str, Tensor]) -> None:
        """Puts back what ``kept`` returned."""
        ...


def parameters_of(game: Game) -> dict[str, int]:
    """How many parameters the network of each player has, frozen ones among them."""
    return {name: sum(p.numel() for p in network.parameters()) for name, network in game.networks.items()}


def computing(x: Tensor, autocast: torch.dtype | None) -> AbstractContextManager[None]:
    """The context in which networks compute in a dtype, or in that of their weights."""
    return torch.autocast(x.device.type, dtype=autocast, enabled=autocast is not None)
