"""The differentiable transformation of samples, real and generated alike, before D sees them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.utils.parametrizations import _SpectralNorm

from gan_cli.config.annealing import annealed
from gan_cli.config.schema import Config
from gan_cli.games.augmentation import AUGMENTATIONS, Probability
from gan_cli.games.steering import EVERY, Steering
from gan_cli.models.noise import Noise
from gan_cli.random import normal_like

NOISE, AUGMENTATION = "instance_noise", "augmentation"  # among the strengths of a move
CHANGE, AGAIN = "augmentation/change", "augmentation/again"  # the same


def noised(x: Tensor, sigma: float | Tensor) -> Tensor:
    """Instance noise (Sønderby et al. 2017): x + N(0, σ²)."""
    noise = normal_like(x)
    if isinstance(sigma, Tensor) and x.dtype != sigma.dtype:  # else σ itself is rounded to the few bits of x
        return x + (sigma * noise.to(sigma.dtype)).to(x.dtype)
    return x + sigma * noise


def packed(x: Tensor, size: int) -> Tensor:
    """PacGAN (Lin et al. 2018): ``size`` samples as one: (B, C, …) → (B/size, size·C, …)."""
    return x if size == 1 else x.unflatten(0, (-1, size)).flatten(1, 2)


@dataclass(frozen=True, kw_only=True)
class View:
    """Noise, augmentation and packing of the samples that D sees; by default none of them.

    Attributes:
        probability: with which each augmentation is applied to a sample, at the start.
        final_probability: after ``anneal_images``, to which it goes along half a cosine; None: as at the start.
        steering: decides it instead.
    """

    sigma: float = 0.0
    noise_images: int = 0
    augment: Sequence[str] = ()
    probability: float = 1.0
    final_probability: float | None = None
    anneal_images: int = 0
    steering: Steering | None = None
    pack: int = 1

    def strengths(self, images: int) -> dict[str, float]:
        """σ of the noise and the probability of augmentation after so many images, where there are such."""
        sigma = self.sigma * (max(0.0, 1 - images / self.noise_images) if self.noise_images else 1.0)
        found = {NOISE: sigma} if sigma else {}
        if self.augment and not self.steering and (self.probability < 1 or self.final_probability is not None):
            found[AUGMENTATION] = self._scheduled(images)
        return found

    def changes(self, moves: int, again: bool) -> dict[str, float]:
        """Among the strengths of D's move after so many: that the probability changes after it, if it does.

        Args:
            again: whether D makes this move for the second time, which counts for nothing.
        """
        if not self.steering or again:
            return {AGAIN: 1.0} if self.steering else {}
        return {CHANGE: 1.0} if moves % EVERY == EVERY - 1 else {}

    def _scheduled(self, images: int) -> float:
        return annealed(self.probability, self.final_probability, images, self.anneal_images)

    def __call__(self, x: Tensor, strengths: Mapping[str, float | Tensor] | None = None) -> Tensor:
        """(B, …) → (B/pack, …), with the strengths of a move."""
        strengths = strengths or {}
        if (sigma := strengths.get(NOISE)) is not None:
            x = noised(x, sigma)
        p = self.steering.probability if self.steering else strengths.get(AUGMENTATION)
        return packed(self.augmented(x, p), self.pack)

    def augmented(self, x: Tensor, p: Probability) -> Tensor:
        """Samples, each augmented with a probability."""
        for name in self.augment:
            x = AUGMENTATIONS[name](x, p)
        return x

    @property
    def highest(self) -> float:
        """The largest probability of augmentation that a run can come to."""
        return 1.0 if self.steering else max(self.probability, self.final_probability or 0.0)


def view_of(config: Config, device: torch.device) -> View:
    """The view of a run's config."""
    noise, options = config.instance_noise, config.augmentation
    start = options.probability
    steering = None
    if options.target is not None:
        steering = Steering(options.target, options.adapt_images, start or 0.0, device)
    return View(
        sigma=noise.sigma,
        noise_images=noise.images,
        augment=config.augment,
        probability=1.0 if start is None else start,
        final_probability=options.final_probability,
        anneal_images=options.anneal_images,
        steering=steering,
        pack=config.pack,
    )


@contextmanager
def without_dropout(network: nn.Module) -> Iterator[None]:
    """In this context a network drops nothing out and adds no noise, and does all else as before."""
    dropping = [module for module in network.modules() if isinstance(module, _DropoutNd | Noise) and module.training]
    for module in dropping:
        module.eval()
    try:
        yield
    finally:
        for module in dropping:
            module.train()


@contextmanager
def as_in_training(network: nn.Module) -> Iterator[None]:
    """In this context a network computes as in training, with the statistics of each minibatch, but without dropout
    and noise.

    Its buffers, such as the running statistics of batch norm, are restored afterwards, bit for bit.
    """
    modes = {module: module.training for module in network.modules()}
    buffers = list(network.buffers())
    before = [buffer.clone() for buffer in buffers]
    network.train()
    for module in modes:
        if isinstance(module, _DropoutNd | Noise | _SpectralNorm):  # the latter would continue its power iteration
            module.eval()
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in zip(buffers, before, strict=True):
                buffer.copy_(value)
        for module, mode in modes.items():
            module.training = mode
