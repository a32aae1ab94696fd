"""Progressive growing of GANs (Karras et al. 2018), for sides from 4 to 1024: a small start, such as 4 × 4, doubled.

Resolutions are named as those of squares: of pictures that begin as 4 × 6, 8 is 8 × 12.

Both networks are built for the data's size and hold the layers of every resolution. In a move they are at the stage
that ``stage`` says, and make and judge pictures of that resolution alone: the layers of the larger ones then cost
nothing. At all other times they take and make whole pictures, at the stage that follows from ``images``.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_cli.config.options import Values
from gan_cli.models.doubling import require_doubling
from gan_cli.models.equalised import Conv, Linear, ToStart, enlarged, faded, pixel_norm, rectified, reduced
from gan_cli.models.growth import Growth, Stage
from gan_cli.models.labels import with_label
from gan_cli.models.minibatch_std import with_deviation
from gan_cli.models.progressive_schemas import SIDES


class Growing(nn.Module):
    """A network that grows.

    Attributes:
        stage: of the move that is being made; None outside of moves.
        images: real images seen so far, int64. In a checkpoint, they say at which stage a network draws.
    """

    stage: Stage | None
    images: Tensor

    def __init__(self, growth: Growth) -> None:
        super().__init__()
        self.growth, self.stage, self.loaded = growth, None, 0
        self.register_buffer("images", torch.zeros((), dtype=torch.int64))
        self.register_load_state_dict_post_hook(_look)

    @property
    def now(self) -> Stage:
        """The stage outside of moves. It waits for the device."""
        if self.images.is_meta:  # of networks without memory, what they need at most is asked
            return self.growth.end
        return self.growth.at(self.loaded if torch.compiler.is_exporting() else int(self.images))


def _look(network: nn.Module, _: object) -> None:
    """Keeps the images seen as a number, which a graph for other programs can hold."""
    assert isinstance(network, Growing)
    network.loaded = 0 if network.images.is_meta else int(network.images)


def maps_at(resolution: int, base: int, most: int) -> int:
    """Feature maps at a resolution: as many as ``base`` halved by each doubling allows, at most ``most``."""
    return max(1, min(2 * base // resolution, most))


class Pair(nn.Module):
    """Two 3 × 3 convolutions, each with its rectifier and, in G, its norm."""

    def __init__(self, inputs: int, between: int, outputs: int, norm: bool) -> None:
        super().__init__()
        self.first, self.second, self.norm = Conv(inputs, between, 3), Conv(between, outputs, 3), norm

    def forward(self, x: Tensor) -> Tensor:
        for convolution in (self.first, self.second):
            x = rectified(convolution(x))
            x = pixel_norm(x) if self.norm else x
        return x


class Generator(Growing):
    """z (B, latent) → pictures (B, C, H, W): of the stage's size and any real numbers in a move, else whole.

    Whole pictures are clamped to [−1, 1], where their pixels end; what D sees in a move is linear, as published.

    Args:
        normalise: divide latents by the root of their mean square, so that they lie on a sphere.
    """

    def __init__(
        self,
        growth: Growth,
        latent: int,
        channels: int,
        classes: int,
        *,
        base: int,
        most: int,
        normalise: bool,
    ) -> None:
        super().__init__(growth)
        self.classes, self.normalise = classes, normalise
        maps = [maps_at(resolution, base, most) for resolution in resolutions(growth.size)]
        self.first, self.second = ToStart(latent + classes, maps[0], *growth.small), Conv(maps[0], maps[0], 3)
        self.blocks = nn.ModuleList(Pair(before, after, after, norm=True) for before, after in pairwise(maps))
        self.to_rgb = nn.ModuleList(Conv(number, channels, 1, gain=1) for number in maps)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.stage is not None:
            return self.drawn(z, labels, self.stage)
        now = self.now
        return enlarged(self.drawn(z, labels, now), self.growth.size // now.resolution).clamp(-1, 1)

    def drawn(self, z: Tensor, labels: Tensor | None, stage: Stage) -> Tensor:
        """Pictures at a stage, (B, C, h, w)."""
        level = level_of(stage.resolution)
        x = with_label(pixel_norm(z) if self.normalise else z, labels, self.classes)
        x = pixel_norm(rectified(self.first(x)))
        x = before = pixel_norm(rectified(self.second(x)))
        for block in self.blocks[:level]:
            before, x = x, block(enlarged(x))
        made = self.to_rgb[level](x)
        if stage.alpha is None:
            return made
        return faded(enlarged(self.to_rgb[level - 1](before)), made, stage.alpha)


class Discriminator(Growing):
    """Pictures (B, C, H, W), of the stage's size in a move, else whole → logits (B,).

    Args:
        minibatch_std: one more plane at the start: how much samples differ.
        group: among how many; see ``with_deviation``.
    """

    def __init__(
        self, growth: Growth, channels: int, classes: int, *, base: int, most: int, minibatch_std: bool, group: int
    ) -> None:
        super().__init__(growth)
        self.classes, self.minibatch_std, self.group = classes, minibatch_std, group
        maps = [maps_at(resolution, base, most) for resolution in resolutions(growth.size)]
        self.from_rgb = nn.ModuleList(Conv(channels + classes, number, 1) for number in maps)
        self.blocks = nn.ModuleList(Pair(after, after, before, norm=False) for before, after in pairwise(maps))
        self.last = Conv(maps[0] + minibatch_std, maps[0], 3)
        self.dense, self.out = Linear(growth.small[0] * growth.small[1] * maps[0], maps[0]), Linear(maps[0], 1, gain=1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.out(self.features(x, labels)).squeeze(1)

    def features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """The features that the last layer works on, (B, F)."""
        stage = self.stage or self.now
        height, _ = self.growth.sides(stage.resolution)
        x = self._at_start(reduced(x, x.shape[2] // height), labels, stage)
        x = rectified(self.last(with_deviation(x, self.group) if self.minibatch_std else x))
        return rectified(self.dense(x.permute(0, 2, 3, 1).flatten(1)))

    def _at_start(self, x: Tensor, labels: Tensor | None, stage: Stage) -> Tensor:
        level = level_of(stage.resolution)
        y = self._read(x, labels, level)
        for above in range(level, 0, -1):
            y = self.blocks[above - 1](y)
            y = reduced(y)
            if above == level and stage.alpha is not None:
                y = faded(self._read(reduced(x), labels, level - 1), y, stage.alpha)
        return y

    def _read(self, x: Tensor, labels: Tensor | None, level: int) -> Tensor:
        return rectified(self.from_rgb[level](with_label(x, labels, self.classes)))


class Progressive:
    """Makes both networks from their options; see ``conf/architecture/progressive.yaml``."""

    def __init__(
        self,
        start: int,
        size: int | Mapping[int, int | None] | None,
        train_images: int,
        fade_images: int,
        reset_optimizer: bool,
        base: int,
        most: int,
        normalise_latents: bool,
        generator: Values,
        discriminator: Values,
    ) -> None:
        self.start, self.train_images, self.fade_images = start, train_images, fade_images
        self.until = size if isinstance(size, Mapping) else {0: size}
        self.resets, self.normalise = reset_optimizer, normalise_latents
        self._generator, self._discriminator = generator, discriminator

    def generator(self, latent: int, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Raises ValueError for a shape that it cannot make."""
        growth = self.growth(shape)
        return Generator(growth, latent, shape[0], classes, **self._generator, normalise=self.normalise)

    def discriminator(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return Discriminator(self.growth(shape), shape[0], classes, **self._discriminator)

    def growth(self, shape: tuple[int, ...]) -> Growth:
        """How networks for samples of a shape grow. Raises ValueError likewise."""
        found = require_doubling(shape, *SIDES)
        if self.start > found.side:
            raise ValueError(f"architecture.start={self.start}: is above the {found.side} of these pictures: lower it")
        small = found.height, found.width
        return Growth(self.start, found.side, self.train_images, self.fade_images, self.until, self.resets, small)


def resolutions(size: int) -> list[int]:
    """4, 8, … up to a size."""
    return [2**power for power in range(2, size.bit_length())]


def level_of(resolution: int) -> int:
    """0 for 4, 1 for 8, …"""
    return resolution.bit_length() - 3
