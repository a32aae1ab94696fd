"""A generator with the prior it was trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from numbers import Integral
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from gan_cli.config.schema import Config
from gan_cli.data.coding import named
from gan_cli.data.columns import Fields
from gan_cli.data.conditions import Columns, Conditions
from gan_cli.games.asked_labels import TakesLabels
from gan_cli.games.comparing import Features
from gan_cli.games.decoding import ROWS, decoded, decoded_apart
from gan_cli.games.exactly import as_used
from gan_cli.games.game import Bounds, Classifies, Encodes, Game, Judges, Likelihood, LogLikelihood
from gan_cli.games.labels import Label
from gan_cli.games.projectable import Picture, asked
from gan_cli.games.projection import Projection, Search, project
from gan_cli.models.priors import Latents
from gan_cli.models.units import levels
from gan_cli.random import stream


class Sampler(TakesLabels):
    """Draws samples from a trained generator; ``gan_cli.load(path)`` returns one.

    A seed determines a picture. The picture of seed ``s`` is G(z) with ``z = latents_of([s])`` and, unless labels are
    given, the label ``s % classes``, or of conditions the row ``s % len(conditions.rows)``. It is the same in
    ``sample``, in ``gan-sample``, in the sample grids of a run and in an exported generator that is given this z and
    label.

    Attributes:
        network: the generator (its moving average where the run kept one).
        prior: ``.sample(n, device, generator)`` → latents (n, size).
        config: the run's typed config.
        classes: number of labels of a conditional generator, or ``Columns`` of conditions, else 0.
        names: the names of those classes by label; empty where they have none.
        fields: what the numbers of a sample stand for; empty where they are themselves.
        game: the trained game with all its networks; None for an exported generator, and while a run trains.
        conditions: what it is given in place of one of so many classes; None where it is given a class, or nothing.
    """

    def __init__(
        self,
        network: nn.Module,
        prior: Latents,
        config: Config,
        classes: int,
        device: torch.device,
        names: Sequence[str] = (),
        game: Game | None = None,
        conditions: Conditions | None = None,
        fields: Fields = (),
    ) -> None:
        self.conditions = conditions if classes else None
        self.classes = Columns(c.kind for c in conditions.columns) if classes and conditions else classes
        self.network, self.prior, self.config, self.device = network, prior, config, device
        self.names, self.game, self.fields = tuple(names) if classes else (), game, fields

    def __repr__(self) -> str:
        config = self.config
        what = f"model={config.model.name}, architecture={config.architecture.name}, dataset={config.dataset.name}"
        return f"Sampler({what}, classes={self.classes}, device={self.device})"

    @property
    def discriminator(self) -> nn.Module:
        """The trained discriminator: (x, labels) → logits (B,).

        Raises:
            ValueError: if there was none.
        """
        if not isinstance(self.game, Judges):
            raise ValueError(f"model={self.config.model.name}: has no discriminator here")
        return self.game.discriminator

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The shape of a sample: (C, H, W) or (d,)."""
        return tuple(self.sample(1).shape[1:])

    def log_likelihood(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """log p(x) in nats, (n,) on the CPU, of a model that has one; see ``likelihood`` for what it is."""
        return self.likelihood(x, labels).nats

    @torch.no_grad()
    def likelihood(
        self, x: Tensor, labels: Tensor | None = None, seed: int = 0, draws: int | None = None
    ) -> LogLikelihood:
        """log p(x) in nats, or log p(x | label), on the CPU: exact, a bound, or an estimate, as it says.

        Args:
            x: float32 pictures (n, C, H, W) in [−1, 1], or points (n, d). Where the run dequantised its pictures, these
                are too; where it binarised them, these must be −1 and 1 alone.
            labels: int64 (n,), if the model is conditional, or float32 (n, k) conditions as networks see them.
            seed: of whatever is drawn for it.
            draws: for each sample, of a lower bound that more draws tighten; None: as many as the model was trained by.

        Raises:
            ValueError: if the model has no likelihood, or none that draws tighten, or these are no samples that it
                could have one for.
        """
        game = self.game
        if not isinstance(game, Likelihood):
            raise ValueError(f"model={self.config.model.name}: has no likelihood here")
        if bool(self.classes) != (labels is not None):
            raise ValueError(f"labels: {'give one for each sample' if self.classes else 'not a conditional model'}")
        if draws is not None and not isinstance(game, Bounds):
            raise ValueError(f"draws={draws}: model={self.config.model.name} has no bound that draws tighten")
        with as_used(game, self.device, seed):
            x, labels = self.presented(x.to(self.device)), None if labels is None else labels.to(self.device)
            if draws is not None and isinstance(game, Bounds):
                found = game.bound(x, labels, draws)
            else:
                found = game.log_likelihood(x, labels)
        inner = found.in_logit_space
        return replace(found, nats=found.nats.cpu(), in_logit_space=None if inner is None else inner.cpu())

    def presented(self, x: Tensor) -> Tensor:
        """Samples as they were shown to the model in training."""
        if x.dim() != 4:
            return x
        shown = self.config.dataset.model_dump()
        if shown.get("binarise", "none") != "none" and not torch.equal(x.abs(), torch.ones_like(x)):
            raise ValueError(f"x: must be −1 and 1 alone, as dataset.binarise={shown['binarise']} made the data")
        if shown.get("dequantise") is True:
            return (levels(x) + torch.rand_like(x)) * (2 / 256) - 1
        return x

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """The latent of each sample, (n, latent) on the CPU, of a model that has an encoder.

        Raises:
            ValueError: if it has none.
        """
        if not isinstance(self.game, Encodes):
            raise ValueError(f"model={self.config.model.name}: has no encoder here")
        with as_used(self.game, self.device, 0):
            return self.game.encode(self.presented(x.to(self.device))).cpu()

    def project(
        self,
        picture: Picture,
        label: Label | str | None = None,
        *,
        seeds: Iterable[int] = range(64),
        restarts: int = 4,
        iterations: int = 300,
        features: Features | Literal["auto", "none", "discriminator"] = "auto",
        feature_weight: float = 0.2,
        encoder: Literal["start", "alone", "none"] = "start",
    ) -> Projection:
        """The latent whose sample is nearest to a picture: ``gan-sample project=…``, which explains the options.

        Args:
            picture: a file or a PIL picture, which is decoded as the run's data were; or one of the run's own shape,
                (C, H, W), uint8 or float32 in [−1, 1].
            label: of a conditional generator: a class, a row of conditions, or what ``label=…`` takes; by default each
                is tried.
            features: D's where it has some (``auto``), or a differentiable function (x, labels) → (n, F).

        Raises:
            ValueError: if this is no picture, or no latent of this model can be looked for.
        """
        search = Search(list(dict.fromkeys(seeds)), restarts, iterations, feature_weight, encoder)
        return project(self, *asked(self, picture, label, search, features))

    @torch.no_grad()
    def classify(self, x: Tensor, *, averaged: bool = True) -> Tensor:
        """The logits of the classes, (n, K) on the CPU, of a model that tells them apart.

        Args:
            x: float32 pictures (n, C, H, W) in [−1, 1], or points (n, d).
            averaged: by the moving average of its weights, else by the weights of the last step.

        Raises:
            ValueError: if it does not.
        """
        if not isinstance(self.game, Classifies):
            raise ValueError(f"model={self.config.model.name}: tells no classes apart")
        with as_used(self.game, self.device, 0):
            return self.game.classify(self.presented(x.to(self.device)), averaged=averaged).cpu()

    def classes_of(self, x: Tensor) -> Tensor | None:
        """The class that the model takes each sample for, int64 (n,); None of one that tells no classes apart."""
        return self.classify(x).argmax(dim=1) if isinstance(self.game, Classifies) else None

    def latents_of(self, seeds: Iterable[int]) -> Tensor:
        """The latent of each seed, float32 (n, size) on the CPU; the same on every device."""
        return torch.cat([self.prior.sample(1, "cpu", stream(seed, "samples")) for seed in seeds])

    def latents(self, n: int, seed: int) -> Tensor:
        """The latents of the seeds ``seed``, ``seed + 1``, …, ``seed + n − 1``: float32 (n, size)."""
        return self.latents_of(range(seed, seed + n))

    def sample(
        self,
        n: int,
        seed: int = 0,
        labels: Tensor | None = None,
        batch_size: int = ROWS,
        *,
        label: str | int | None = None,
    ) -> Tensor:
        """The samples of the seeds ``seed`` to ``seed + n − 1``.

        Float32 on the CPU: pictures (n, C, H, W) in [−1, 1] or points (n, d).

        Args:
            labels: for a conditional generator, int64 (n,), or float32 (n, k) conditions; by default those of
                ``labels_of``.
            label: in place of these, as ``gan-sample label=`` takes it: ``"cat"``, ``"smiling+glasses"``,
                ``"angle:30..90"``; of several, each in turn.
            batch_size: samples computed at a time. ``gan-sample`` uses the default; with another size, samples may
                differ in their last bits.

        Raises:
            ValueError: if ``n`` is not positive or the labels do not fit.
        """
        if not isinstance(n, Integral) or isinstance(n, bool) or n < 1:
            raise ValueError(f"n={n!r}: must be a whole number of samples, at least 1")
        if label is not None:
            if labels is not None:
                raise ValueError(f"label={label!r}: the labels are given already: leave one out")
            every = self.labels_named(str(label))
            labels = every[torch.arange(n) % len(every)]
        if self.classes and labels is None:
            labels = self.labels_of(range(seed, seed + n))
        if labels is not None:
            self.require(labels, n)
        return self.decode_apart(self.latents(n, seed), range(seed, seed + n), labels, batch_size)

    def in_units(self, x: Tensor, labels: Tensor | None = None) -> dict[str, np.ndarray]:
        """Samples by the name of their column, as ``pandas.DataFrame`` takes them, or of signals by channel: in units.

        Args:
            labels: those that they were drawn with, if the generator is conditional. Without, the column that samples
                are asked for by is what a model that tells classes apart says, else it is left out.

        Raises:
            ValueError: if their numbers have no names.
        """
        if not self.fields:
            raise ValueError(
                f"dataset={self.config.dataset.name}: its numbers have no names: samples are what they are"
            )
        given = labels if labels is not None or x.ndim != 2 else self.classes_of(x)
        return named(self.fields, x.numpy(), None if given is None else given.numpy())

    def decode(self, z: Tensor, labels: Tensor | None = None, batch_size: int = 256) -> Tensor:
        """The samples of given latents (n, size), float32 on the CPU."""
        return decoded(self.network, self.device, z, labels, batch_size)

    def decode_apart(
        self,
        z: Tensor,
        places: Sequence[int],
        labels: Tensor | None = None,
        batch_size: int = ROWS,
        tick: Callable[[], None] | None = None,
    ) -> Tensor:
        """Like ``decode``, but the bits of a sample depend on its latent, label and place alone.

        Args:
            places: an integer for each latent, such as its seed.
            tick: called after each sample.
        """
        return decoded_apart(self.network, self.device, z, places, labels, batch_size, tick)
