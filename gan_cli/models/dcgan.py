"""DCGAN (Radford, Metz & Chintala 2016, figure 1), for sides from 8 to 256: a small start, such as 4 × 4, doubled.

Its transposed convolutions can leave checkerboards; enlarging first and convolving then cannot (Odena et al. 2016).
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from gan_cli.config.options import Values
from gan_cli.models.architecture import OfOptions
from gan_cli.models.doubling import doubling_of
from gan_cli.models.labels import with_label
from gan_cli.models.minibatch_std import with_deviation
from gan_cli.models.norms import normalisation, with_spectral_norms
from gan_cli.models.schemas import SIDES_OF_DCGAN


def channel_plan(width: int, stages: int) -> list[int]:
    """Channels at the start, twice its sides, … up to the layer next to the picture: ``width`` there, doubling inwards
    up to 8×.
    """
    return [width * min(2**i, 8) for i in reversed(range(stages))]


def initialise(module: nn.Module) -> None:
    """Weights from N(0, 0.02), scales of norms from N(1, 0.02), biases 0 (section 4)."""
    for part in module.modules():
        if isinstance(part, _ConvNd | nn.Linear):
            nn.init.normal_(part.weight, 0.0, 0.02)
        elif isinstance(part, _NormBase | nn.GroupNorm):
            nn.init.normal_(part.weight, 1.0, 0.02)
        else:
            continue
        if part.bias is not None:
            nn.init.zeros_(part.bias)


def doubling(upsampling: str, inputs: int, outputs: int, bias: bool) -> nn.Module:
    """A layer (B, C, H, W) → (B, C′, 2H, 2W): a transposed convolution, or enlarged pictures and a convolution."""
    if upsampling == "transposed":
        return nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=bias)
    return nn.Sequential(nn.Upsample(scale_factor=2, mode=upsampling), nn.Conv2d(inputs, outputs, 3, 1, 1, bias=bias))


class Generator(nn.Module):
    """Project z (B, latent) to the start, then double its sides until the picture (B, C, H, W) in [−1, 1].

    Args:
        bounded: by a tanh; without it, any real numbers.
    """

    def __init__(
        self,
        latent: int,
        shape: tuple[int, ...],
        classes: int,
        width: int,
        norm: str,
        upsampling: str = "transposed",
        bounded: bool = True,
    ) -> None:
        super().__init__()
        self.classes = classes
        self.start = doubling_of(*shape[1:])
        plan = channel_plan(width, self.start.times)
        bias = norm == "none"  # a norm would cancel it
        self.project = nn.Linear(latent + classes, plan[0] * self.start.pixels, bias=bias)
        self.first = nn.Sequential(normalisation(norm, plan[0]), nn.ReLU(inplace=True))
        stages: list[nn.Module] = []
        for inputs, outputs in pairwise(plan):
            stages += [doubling(upsampling, inputs, outputs, bias), normalisation(norm, outputs)]
            stages += [nn.ReLU(inplace=True)]
        stages.append(doubling(upsampling, plan[-1], shape[0], bias=True))
        self.stages = nn.Sequential(*stages, *([nn.Tanh()] if bounded else []))
        initialise(self)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.project(with_label(z, labels, self.classes)).unflatten(1, (*self.start[:2], -1))  # (B, h, w, C), NHWC
        return self.stages(self.first(x.permute(0, 3, 1, 2)))


class Discriminator(nn.Module):
    """Halve the sides of the picture (B, C, H, W) until the start, then one logit, (B,), or ``outputs`` numbers."""

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        width: int,
        norm: str,
        minibatch_std: bool,
        outputs: int | None = None,
    ) -> None:
        super().__init__()
        self.classes, self.minibatch_std, self.outputs = classes, minibatch_std, outputs
        start = doubling_of(*shape[1:])
        plan = channel_plan(width, start.times)[::-1]
        bias = norm in ("none", "spectral")
        stages: list[nn.Module] = [nn.Conv2d(shape[0] + classes, plan[0], 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        for before, after in pairwise(plan):
            stages += [nn.Conv2d(before, after, 4, 2, 1, bias=bias), normalisation(norm, after)]
            stages += [nn.LeakyReLU(0.2, inplace=True)]
        self.stages = nn.Sequential(*stages)
        self.out = nn.Linear((plan[-1] + minibatch_std) * start.pixels, outputs or 1)
        initialise(self)
        if norm == "spectral":
            with_spectral_norms(self.stages, self.out)

    def features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """The features that the last layer works on, (B, F)."""
        maps = self.stages(with_label(x, labels, self.classes))  # (B, C, h, w), channels last in memory
        if self.minibatch_std:
            maps = with_deviation(maps)
        return maps.permute(0, 2, 3, 1).flatten(1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        y = self.out(self.features(x, labels))
        return y if self.outputs else y.squeeze(1)


class DCGAN(OfOptions):
    """Makes the networks from their options; see ``conf/architecture/dcgan.yaml``."""

    generators, discriminators, sides = Generator, Discriminator, SIDES_OF_DCGAN

    def __init__(self, width: int, norm: str, generator: Values, discriminator: Values) -> None:
        super().__init__(generator, discriminator, decoder={"bounded": False}, encoder={"minibatch_std": False})
