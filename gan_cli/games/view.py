"""The differentiable transformation of samples, real and generated alike, before D sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.utils.parametrizations import _SpectralNorm

from gan_cli.config.schema import Config
from gan_cli.random import normal_like, uniform_for

# DiffAugment (Zhao et al. 2020, section 3.2): the strengths of the paper


def coloured(x: Tensor) -> Tensor:
    """Brightness ± 0.5, saturation × [0, 2], contrast × [0.5, 1.5]; pictures (B, C, H, W)."""
    x = x + uniform_for(x) - 0.5
    if x.shape[1] > 1:
        grey = x.mean(dim=1, keepdim=True)
        x = grey + 2 * uniform_for(x) * (x - grey)
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (0.5 + uniform_for(x)) * (x - mean)


def translated(x: Tensor, share: float = 0.125, fill: float | None = 0.0) -> Tensor:
    """Shifts pictures by whole pixels, up to ``share`` of the size each way.

    Args:
        fill: the value of pixels that come in from outside; None repeats the edge.
    """
    height, width = x.shape[2:]
    shifts = [
        torch.floor((2 * uniform_for(x)[:, 0, 0] - 1) * share * size + 0.5) for size in (height, width)
    ]  # (B, 1) each, whole pixels
    rows = torch.arange(height, device=x.device) + shifts[0]  # (B, H)
    columns = torch.arange(width, device=x.device) + shifts[1]  # (B, W)
    inside = ((rows >= 0) & (rows < height))[:, None, :, None] & ((columns >= 0) & (columns < width))[:, None, None, :]
    batch = torch.arange(len(x), device=x.device)[:, None, None]
    moved = x.permute(0, 2, 3, 1)[
        batch, rows.clamp(0, height - 1).long()[:, :, None], columns.clamp(0, width - 1).long()[:, None, :]
    ].permute(0, 3, 1, 2)
    return moved if fill is None else torch.where(inside, moved, fill)


def cut_out(x: Tensor, share: float = 0.5) -> Tensor:
    """Sets a square, ``share`` of the picture's side at a random place, to grey (0)."""
    height, width = x.shape[2:]
    inside = []
    for size, dimension in ((height, 2), (width, 3)):
        half = share * size / 2
        centre = torch.floor(uniform_for(x) * (size + 1))
        shape = [1, 1, 1, 1]
        shape[dimension] = size
        place = torch.arange(size, device=x.device).reshape(shape)
        inside.append((place >= centre - half) & (place < centre + half))
    return torch.where(inside[0] & inside[1], 0.0, x)


AUGMENTATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "color": coloured,
    "translation": translated,
    "cutout": cut_out,
}


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
    """Noise, augmentation and packing of the samples that D sees; by default none of them."""

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
    """The view of a run's config."""
    noise = config.instance_noise
    return View(sigma=noise.sigma, noise_images=noise.images, augment=config.augment, pack=config.pack)


@contextmanager
def without_dropout(network: nn.Module) -> Iterator[None]:
    """In this context a network drops nothing out, and does all else as before."""
    dropping = [module for module in network.modules() if isinstance(module, _DropoutNd) and module.training]
    for module in dropping:
        module.eval()
    try:
        yield
    finally:
        for module in dropping:
            module.train()


@contextmanager
def as_in_training(network: nn.Module) -> Iterator[None]:
    """In this context a network computes as in training, with the statistics of each minibatch, but without dropout.

    Its buffers, such as the running statistics of batch norm, are restored afterwards, bit for bit.
    """
    modes = {module: module.training for module in network.modules()}
    buffers = list(network.buffers())
    before = [buffer.clone() for buffer in buffers]
    network.train()
    for module in modes:
        if isinstance(module, _DropoutNd | _SpectralNorm):  # the latter would continue its power iteration
            module.eval()
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in zip(buffers, before, strict=True):
                buffer.copy_(value)
        for module, mode in modes.items():
            module.training = mode
