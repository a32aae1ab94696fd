"""Maximum likelihood: a game of one player."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from gan_cli.errors import UserError
from gan_cli.games.game import Game, LogLikelihood, Statistics, Strengths, computing
from gan_cli.games.parts import Parts
from gan_cli.models.units import Unit
from gan_cli.models.widening import widened

AT_ONCE = 256  # samples whose likelihood is computed at a time


class LikelihoodGame(Game):
    """One player, ``model``, who minimises J = −E log p(x); a class derives from this one and defines ``log_p``.

    ``loss/model`` is J on the minibatch, ``nats`` is E log p(x), and ``bits_per_dim`` follows from it.

    Args:
        network: the model's network; called with (z, labels), it draws samples.
        unit: the kind of values that the likelihood is of.
        autocast: dtype the network computes in, or None for that of its weights.
    """

    sampler = "model"

    def __init__(self, network: nn.Module, unit: Unit, autocast: torch.dtype | None = None) -> None:
        self.networks, self.unit, self.autocast = {"model": network}, unit, autocast

    def log_p(self, x: Tensor, labels: Tensor | None, strengths: Strengths | None = None) -> Tensor:
        """log p(x | labels) in nats, (B,).

        Args:
            strengths: the active terms of a move; None outside of training.
        """
        raise AssertionError("a model of likelihood defines log_p()")

    def cost(
        self, player: str, x: Tensor, z: Tensor, labels: Tensor | None, strengths: Strengths
    ) -> tuple[Tensor, Statistics]:
        with self.computing(x):
            nats = self.log_p(x, labels, strengths)
        cost = -widened(nats).mean()
        return cost, {"loss/model": cost.detach(), "nats": -cost.detach()}

    def consequences(self, means: Mapping[str, float]) -> dict[str, float]:
        """``bits_per_dim``, for pictures."""
        bits = self.unit.bits_per_dim(means["nats"])
        return {} if bits is None else {"bits_per_dim": bits}

    def log_likelihood(self, x: Tensor, labels: Tensor | None = None) -> LogLikelihood:
        """The exact log-likelihood, for any number of samples."""
        return LogLikelihood(in_parts(lambda x, labels: widened(self.log_p(x, labels)), x, labels))

    def computing(self, x: Tensor) -> AbstractContextManager[None]:
        """The context in which the network computes."""
        return computing(x, self.autocast)


def in_parts(
    ask: Callable[[Tensor, Tensor | None], Tensor], x: Tensor, labels: Tensor | None, size: int = AT_ONCE
) -> Tensor:
    """``ask(x, labels)`` for any number of samples, ``size`` at a time."""
    parts = [slice(start, start + size) for start in range(0, len(x), size)]
    return torch.cat([ask(x[part], None if labels is None else labels[part]) for part in parts])


def require_presented(parts: Parts) -> None:
    """Raises a UserError if the data are not presented as the model reads them.

    For shipped datasets this was checked with the config (see ``LikelihoodOptions``); this is for datasets of your own.
    """
    config, reads = parts.config, parts.config.model.reads
    if len(parts.shape) != 3 or reads not in ("binary", "dequantised"):
        return
    shown = config.dataset.model_dump()
    if reads == "binary" and shown.get("binarise", "none") == "none":
        raise UserError(
            f"dataset={config.dataset.name}: shows grey pixels, and model={config.model.name} is of black and white "
            "ones: derive your dataset from gan_cli.data.images.ImageDataset, and set dataset.binarise=dynamic"
        )
    if reads == "dequantised" and shown.get("dequantise") is not True:
        raise UserError(
            f"dataset={config.dataset.name}: shows whole levels, and model={config.model.name} is a density: derive "
            "your dataset from gan_cli.data.images.ImageDataset, and set dataset.dequantise=true"
        )
