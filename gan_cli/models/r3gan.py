"""R3GAN (Huang et al. 2024, config E): bottlenecks with grouped convolutions, no norm, Fix-up initialisation.

The two networks mirror each other. Blocks compute x + W₃ φ(W₂ φ(W₁ x + b₁) + b₂), with 1×1, grouped 3×3 and 1×1
convolutions and φ the LeakyReLU(0.2); from side to side pictures are resampled by a fixed smooth filter. W₃ is 0 at
first: a block begins as the identity; W₁ and W₂ are the smaller, the more blocks there are (Zhang et al. 2019).
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, linear

from gan_cli.config.options import Values
from gan_cli.data.conditions import Columns
from gan_cli.models.architecture import OfOptions
from gan_cli.models.doubling import Doubling, doubling_of
from gan_cli.models.labels import one_hot_of
from gan_cli.models.residual_schemas import SIDES_OF_R3GAN, halving_plan

SLOPE = 0.2
GAIN = math.sqrt(2 / (1 + SLOPE**2))  # keeps the second moment through φ (He et al. 2015)
FILTER = (1.0, 3.0, 3.0, 1.0)  # [1, 2, 1] of pixels that are doubled, [1, 1]


def scaled(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> nn.Module:
    """The layer with weights from N(0, gain²/n) of n inputs each, and biases of 0 (He et al. 2015)."""
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def mixing(inputs: int, outputs: int) -> nn.Module:
    """A 1×1 convolution without bias."""
    return scaled(nn.Conv2d(inputs, outputs, 1, bias=False))


class Block(nn.Module):
    """(B, C, H, W) → the same; the identity at first.

    Args:
        group: channels in a group of W₂.
        blocks: how many the network has.
    """

    def __init__(self, channels: int, expansion: int, group: int, blocks: int) -> None:
        super().__init__()
        inner, gain = expansion * channels, GAIN * blocks ** (-1 / 4)  # L^(−1/(2m − 2)) with m = 3 layers
        self.expand = scaled(nn.Conv2d(channels, inner, 1), gain)
        self.grouped = scaled(nn.Conv2d(inner, inner, 3, padding=1, groups=inner // group), gain)
        self.project = scaled(nn.Conv2d(inner, channels, 1, bias=False), 0.0)

    def forward(self, x: Tensor) -> Tensor:
        y = leaky_relu(self.expand(x), SLOPE)
        return x + self.project(leaky_relu(self.grouped(y), SLOPE))


class Resampled(nn.Module):
    """The filter, for each channel by itself; outside of the picture is 0."""

    kernel: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.mix = mixing(inputs, outputs) if inputs != outputs else nn.Identity()
        line = [weight / sum(FILTER) for weight in FILTER]
        self.register_buffer("kernel", torch.tensor([[a * b for b in line] for a in line]), persistent=False)

    def kernels(self, x: Tensor) -> Tensor:
        return self.kernel.to(x.dtype).expand(x.shape[1], 1, -1, -1)


class Up(Resampled):
    """Twice the side: each pixel 3/4 of the nearest and 1/4 of the next, in each direction."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.mix(x)
        return conv_transpose2d(x, 4 * self.kernels(x), stride=2, padding=1, groups=x.shape[1])


class Down(Resampled):
    """Half the side."""

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(conv2d(x, self.kernels(x), stride=2, padding=1, groups=x.shape[1]))


class Basis(nn.Module):
    """z (B, latent) → (B, C, h, w): learnt maps of the start, each times a linear function of z."""

    def __init__(self, latent: int, channels: int, start: Doubling) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.randn(channels, *start[:2]))
        self.weight = nn.Parameter(torch.randn(channels, latent) / math.sqrt(latent))

    def forward(self, z: Tensor) -> Tensor:
        x = self.maps * linear(z, self.weight)[:, :, None, None]
        return x.contiguous(memory_format=torch.channels_last)


def layers_of(plan: list[int], blocks: int, expansion: int, group: int, between: type[Resampled]) -> nn.Sequential:
    """``blocks`` blocks at each side, with as many channels as the plan says, and a resampling from side to side."""

    def stage(channels: int) -> list[nn.Module]:
        return [Block(channels, expansion, group, blocks * len(plan)) for _ in range(blocks)]

    layers = stage(plan[0])
    for before, after in pairwise(plan):
        layers += [between(before, after), *stage(after)]
    return nn.Sequential(*layers)


class Generator(nn.Module):
    """A basis of the start, scaled by z (B, latent), doubled until the picture (B, C, H, W), without bounds."""

    def __init__(
        self,
        latent: int,
        shape: tuple[int, ...],
        classes: int,
        width: int,
        wide_to: int,
        blocks: int,
        expansion: int,
        group: int,
    ) -> None:
        super().__init__()
        self.classes, start = classes, doubling_of(*shape[1:])
        plan = halving_plan(width, wide_to, start.side)
        self.appended = latent if classes else 0  # the label as so many numbers
        if classes:
            self.embedding = scaled(nn.Linear(classes, latent, bias=False))
        self.basis = Basis(latent + self.appended, plan[0], start)
        self.layers = layers_of(plan, blocks, expansion, group, Up)
        self.out = mixing(plan[-1], shape[0])

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.classes:
            z = torch.cat([z, self.embedding(one_hot_of(labels, self.classes, z))], dim=1)
        return self.out(self.layers(self.basis(z)))


class Discriminator(nn.Module):
    """Halves the sides of the picture (B, C, H, W) until the start, which a basis weighs: one logit, (B,).

    With labels the logit is the product of as many numbers as there are channels with those of the label, which are
    linear in conditions. With ``outputs`` it is so many numbers, (B, outputs).
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        width: int,
        wide_to: int,
        blocks: int,
        expansion: int,
        group: int,
        outputs: int | None = None,
    ) -> None:
        super().__init__()
        self.classes, self.outputs, start = classes, outputs, doubling_of(*shape[1:])
        plan = halving_plan(width, wide_to, start.side)[::-1]
        self.into = mixing(shape[0], plan[0])
        self.layers = layers_of(plan, blocks, expansion, group, Down)
        self.basis = scaled(nn.Conv2d(plan[-1], plan[-1], start[:2], groups=plan[-1], bias=False))
        self.out = scaled(nn.Linear(plan[-1], plan[-1] if classes else outputs or 1, bias=False))
        if classes:
            of_label = nn.Linear(classes, plan[-1], bias=isinstance(classes, Columns))
            self.embedding = scaled(of_label, gain := plan[-1] ** -0.5)
            if isinstance(classes, Columns):
                nn.init.normal_(of_label.bias, 0.0, gain)  # of conditions that are 0

    def features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """The features that the last layer works on, (B, F)."""
        return self.basis(self.layers(self.into(x))).flatten(1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        y = self.out(self.features(x, labels))
        if self.outputs:
            return y
        if not self.classes:
            return y.squeeze(1)
        return (y * self.embedding(one_hot_of(labels, self.classes, x))).sum(dim=1)


class R3GAN(OfOptions):
    """Makes the networks from their options; see ``conf/architecture/r3gan.yaml``. Its generator has no bounds."""

    generators, discriminators, sides = Generator, Discriminator, SIDES_OF_R3GAN
    projects = True

    def __init__(
        self,
        width: int,
        wide_to: int,
        blocks: int,
        expansion: int,
        group: int,
        generator: Values,
        discriminator: Values,
    ) -> None:
        both = {"wide_to": wide_to, "expansion": expansion, "group": group}
        super().__init__({**generator, **both}, {**discriminator, **both}, decoder={}, encoder={})
