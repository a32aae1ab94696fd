"""Fully visible belief nets: the chain rule, p(x) = p(x₁) Π p(xᵢ | x₁ … xᵢ₋₁), over the pixels of a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from gan_cli.config.root import PlayerOptions
from gan_cli.data.conditions import Columns
from gan_cli.distributed import shares
from gan_cli.errors import UserError
from gan_cli.games.game import Moment, Statistics, Strengths
from gan_cli.games.likelihood import LikelihoodGame, require_presented
from gan_cli.games.parts import Parts
from gan_cli.models.fvsbn import FVSBN
from gan_cli.models.heads import head_of
from gan_cli.models.made import MADE
from gan_cli.models.ngram import NGram
from gan_cli.models.pixelcnn import PixelCNN
from gan_cli.models.pixelcnn_bodies import Gated, Residual
from gan_cli.models.priors import Uniform
from gan_cli.models.units import levels, of_levels


class Net(Protocol):
    """A network of this family; called with (z, labels), it draws pixel by pixel."""

    latent: int

    def log_p(self, k: Tensor, labels: Tensor | None, strengths: Strengths | None = None) -> Tensor:
        """log p(x) in nats, (B,), of levels k, int64 (B, C, H, W)."""
        ...


class BeliefNetGame(LikelihoodGame):
    """One player who minimises −log p(x), exactly.

    A latent has a uniform number in (−1, 1) for each choice that drawing takes: pixel i is the quantile uᵢ = (zᵢ + 1)/2
    of p(xᵢ | x₁ … xᵢ₋₁). So a seed determines a picture here too, and ``truncation`` moves each pixel to its median.

    Args:
        count: levels of a pixel.
        masks: of which the moves of the training take one after the other.
    """

    draws_in_steps = True

    def __init__(
        self,
        network: Net,
        shape: tuple[int, ...],
        count: int,
        autocast: torch.dtype | None = None,
        masks: int = 1,
    ) -> None:
        assert isinstance(network, nn.Module)
        super().__init__(network, of_levels(shape, count), autocast)
        self.net, self.masks, self.latents = network, masks, Uniform(size=network.latent, scale=1.0)

    def strengths(self, player: str, moment: Moment) -> dict[str, float]:
        """Whose turn it is among several masks."""
        return {"mask": float(moment.moves % self.masks)} if self.masks > 1 else {}

    def log_p(self, x: Tensor, labels: Tensor | None, strengths: Strengths | None = None) -> Tensor:
        return self.net.log_p(levels(x, self.unit.levels), labels, strengths)


class CountingGame(BeliefNetGame):
    """Counts how often each level follows each context, by gradient descent.

    J = −Σ N[context, level] over the pixels of a minibatch is linear in the counts N, and its gradient is minus how
    often each of them occurs there. So a step of 1 along it adds exactly that, and one pass over the data counts it.
    """

    def settings(self, player: str) -> PlayerOptions:
        return PlayerOptions(steps=1, lr=1.0)

    def cost(
        self, player: str, x: Tensor, z: Tensor, labels: Tensor | None, strengths: Strengths
    ) -> tuple[Tensor, Statistics]:
        """J; ``loss/model`` and ``nats`` are of the minibatch by the counts before it."""
        assert isinstance(self.net, NGram)
        with torch.no_grad():
            nats = self.log_p(x, labels).mean()
        places = self.net.places(levels(x, self.unit.levels), labels)
        cost = -self.net.counts.flatten()[places].sum() * shares()  # gradients are averaged over them
        return cost, {"loss/model": -nats, "nats": nats}


def playing(parts: Parts, make: Callable[[], Net], count: int, masks: int = 1) -> BeliefNetGame:
    """The game of a net, which ``make`` initialises."""
    require_presented(parts)
    network = parts.network("model", make)
    return BeliefNetGame(network, parts.shape, count, parts.autocast, masks)  # type: ignore[arg-type]


class CountsNGrams:
    """``model=ngram``."""

    def __init__(self, n: int, levels: int, smoothing: float) -> None:
        self.n, self.levels, self.smoothing = n, levels, smoothing

    def game(self, parts: Parts) -> CountingGame:
        require_presented(parts)
        if isinstance(parts.classes, Columns):
            raise UserError(
                "model=ngram: counts what follows what in each class, and these labels are no classes: use another "
                "model, such as made, or conditional=false"
            )
        options = (self.levels, self.n, self.smoothing)
        network = parts.network("model", lambda: NGram(parts.shape, parts.classes, *options))
        return CountingGame(network, parts.shape, self.levels)  # type: ignore[arg-type]


class FullyVisible:
    """``model=fvsbn``."""

    def __init__(self, levels: int, output: str, components: int) -> None:
        self.head = head_of(levels, output, components)

    def game(self, parts: Parts) -> BeliefNetGame:
        return playing(parts, lambda: FVSBN(parts.shape, parts.classes, self.head), self.head.levels)


class MaskedPerceptron:
    """``model=made``."""

    def __init__(
        self, levels: int, output: str, components: int, hidden: list[int], masks: int, order: str, direct: bool
    ) -> None:
        self.head, self.options, self.masks = head_of(levels, output, components), (hidden, masks, order, direct), masks

    def game(self, parts: Parts) -> BeliefNetGame:
        seed = parts.config.seed
        make = lambda: MADE(parts.shape, parts.classes, self.head, *self.options, seed)  # noqa: E731
        return playing(parts, make, self.head.levels, self.masks)


class MaskedConvolutions:
    """``model=pixelcnn``."""

    def __init__(
        self, levels: int, output: str, components: int, blind_spot: bool, layers: int, width: int, kernel: int
    ) -> None:
        self.head, self.body = head_of(levels, output, components), Residual if blind_spot else Gated
        self.layers, self.width, self.kernel = layers, width, kernel

    def game(self, parts: Parts) -> BeliefNetGame:
        def make() -> PixelCNN:
            body = self.body(self.width, self.layers, self.kernel, parts.shape[0], parts.classes)
            return PixelCNN(parts.shape, self.head, body, self.width)

        return playing(parts, make, self.head.levels)
