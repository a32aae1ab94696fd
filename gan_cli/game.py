"""The game: what each player minimises on a minibatch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.utils.parametrizations import _SpectralNorm

from gan_cli.augment import AUGMENTATIONS, noised, packed
from gan_cli.config import Config
from gan_cli.losses.loss import said

Statistics = dict[str, Tensor]  # scalars on the training device, detached
Strengths = Mapping[str, "float | Tensor"]  # what counts in a move and how much: σ of the noise, weights of penalties
NOISE = "instance_noise"


@dataclass(frozen=True)
class Moment:
    """Where a run is: the step (1, 2, …), how often this player has moved, how many real images D has seen."""

    step: int
    moves: int
    images: int


@dataclass(frozen=True, kw_only=True)
class View:
    """What happens to samples before D sees them: noise, augmentation, packing; nothing by default."""

    sigma: float = 0.0
    noise_images: int = 0
    augment: Sequence[str] = ()
    pack: int = 1

    def noise(self, images: int) -> float:
        """σ of the noise after so many images."""
        return self.sigma * (max(0.0, 1 - images / self.noise_images) if self.noise_images else 1.0)

    def __call__(self, x: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """(B, …) → (B/pack, …); ``sigma`` None: no noise."""
        if sigma is not None:
            x = noised(x, sigma)
        for name in self.augment:
            x = AUGMENTATIONS[name](x)
        return packed(x, self.pack)


def view_of(config: Config) -> View:
    """What D sees of samples in a run."""
    noise = config.instance_noise
    return View(sigma=noise.sigma, noise_images=noise.images, augment=config.augment, pack=config.pack)


class Game:
    """G, D, the loss that sets them against each other, and the penalties on D.

    Args:
        generator: z (B, latent), labels → x (B, *shape).
        discriminator: x, labels → logits (B,).
        loss: ``.discriminator(real_logits, fake_logits)`` and ``.generator(fake_logits, real_logits)``.
        penalties: by name; each ``(judge, real, fake) → scalar`` with ``.due(move)`` and ``.strength(images)``.
        autocast: dtype the networks compute in, or None for that of their weights. Losses and penalties are computed
            in float32 whatever it is.
        reuse: G's next move is judged on the samples that D has just seen, beside the same data, rather than on new
            ones: a pass of G less.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Any,
        penalties: Mapping[str, Any] | None = None,
        view: View | None = None,
        autocast: torch.dtype | None = None,
        reuse: bool = False,
    ) -> None:
        self.generator, self.discriminator, self.loss = generator, discriminator, loss
        self.penalties, self.view, self.autocast = penalties or {}, view or View(), autocast
        self.reuse = reuse
        self._kept: tuple[Tensor, Tensor, Tensor | None] | None = None  # G(z), with what led to it, x and labels

    def generator_strengths(self, moment: Moment) -> dict[str, float]:
        """What counts in G's move at a moment; see ``Strengths``."""
        sigma = self.view.noise(moment.images)
        return {NOISE: sigma} if sigma else {}

    def discriminator_strengths(self, moment: Moment) -> dict[str, float]:
        """What counts in D's: the penalties that are due, too."""
        due = {name: penalty for name, penalty in self.penalties.items() if penalty.due(moment.moves)}
        weights = {f"penalty/{name}": penalty.strength(moment.images) for name, penalty in due.items()}
        return {**self.generator_strengths(moment), **weights}

    def discriminator_cost(
        self, x: Tensor, z: Tensor, labels: Tensor | None, strengths: Strengths
    ) -> tuple[Tensor, Statistics]:
        """J(D) with its penalties, on m real samples x and m latents z."""
        with self._networks(x):
            with torch.set_grad_enabled(self.reuse):
                fake = self.generator(z, labels)
            self._kept = (fake, x, labels) if self.reuse else None
            real, fake = self.view(x, strengths.get(NOISE)), self.view(fake.detach(), strengths.get(NOISE))
            real_logits, fake_logits = self.discriminator(real, labels), self.discriminator(fake, labels)
        real_logits, fake_logits = widened(real_logits), widened(fake_logits)
        cost = self.loss.discriminator(real_logits, fake_logits)
        statistics = {"loss/discriminator": cost.detach(), **self._scores(real_logits.detach(), fake_logits.detach())}
        for name, penalty in self.penalties.items():
            if (key := f"penalty/{name}") in strengths:
                value = penalty(lambda y: self.discriminator(y, labels), real.detach(), widened(fake))
                cost = cost + strengths[key] * value
                statistics[key] = value.detach()
        return cost, statistics

    def generator_cost(
        self, x: Tensor, z: Tensor, labels: Tensor | None, strengths: Strengths
    ) -> tuple[Tensor, Statistics]:
        """J(G) on m latents z. D is asked about the real samples only if the loss says it wants that."""
        sees_real, sees_features = said(self.loss, "generator_sees_real"), said(self.loss, "generator_sees_features")
        judge: Any = self.discriminator.features if sees_features else self.discriminator
        kept, self._kept = self._kept, None
        with self._networks(x):
            fake, x, labels = kept or (self.generator(z, labels), x, labels)
            fake = judge(self.view(fake, strengths.get(NOISE)), labels)
            real = widened(judge(self.view(x, strengths.get(NOISE)), labels)) if sees_real else None
        cost = self.loss.generator(widened(fake), real)
        return cost, {"loss/generator": cost.detach()}

    def _scores(self, real_logits: Tensor, fake_logits: Tensor) -> Statistics:
        """What D says on the average: probabilities, or the scores of a critic."""
        if said(self.loss, "probability"):
            return {"D/real": real_logits.sigmoid().mean(), "D/fake": fake_logits.sigmoid().mean()}
        return {"critic/real": real_logits.mean(), "critic/fake": fake_logits.mean()}

    def _networks(self, x: Tensor) -> Any:
        return torch.autocast(x.device.type, dtype=self.autocast, enabled=self.autocast is not None)


def widened(x: Tensor) -> Tensor:
    """float16 and bfloat16 to float32; everything else as it is."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


@contextmanager
def as_played(network: nn.Module) -> Iterator[None]:
    """In this context a network computes as in its moves, with the statistics of each minibatch, but without dropout.

    What it remembers of minibatches, such as the running statistics of batch norm, is then as before, to the bit.
    """
    modes = {module: module.training for module in network.modules()}
    buffers = list(network.buffers())
    before = [buffer.clone() for buffer in buffers]
    network.train()
    for module in modes:
        if isinstance(module, _DropoutNd | _SpectralNorm):  # the latter would go on with its power iteration
            module.eval()
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in zip(buffers, before, strict=True):
                buffer.copy_(value)
        for module, mode in modes.items():
            module.training = mode
