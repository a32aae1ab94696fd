"""Networks of residual blocks: WGAN-GP (Gulrajani et al. 2017, appendix F) and SNGAN (Miyato et al. 2018, table 3).

Beside a shortcut, blocks compute twice a norm, φ = ReLU and a 3×3 convolution. Where the side changes, pictures are
enlarged before the first of them (nearest neighbours) and averaged after the last. Labels choose the scale and shift of
G's norms, and D projects on them (Miyato & Koyama 2018). Sides: a small start, such as 4 × 4, doubled, 8 to 256.
"""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu
from torch.nn.utils.parametrizations import spectral_norm

from gan_cli.config.options import Values
from gan_cli.models.architecture import OfOptions
from gan_cli.models.doubling import doubling_of
from gan_cli.models.labels import one_hot_of
from gan_cli.models.norms import ConditionalNorm, normalisation
from gan_cli.models.residual_schemas import SIDES_OF_RESNET, doubling_plan


def layer(made: nn.Conv2d | nn.Linear, gain: float = 1.0) -> nn.Module:
    """The layer with weights from U(−a, a), a² = 6 gain²/(inputs + outputs) (Glorot & Bengio 2010), and biases of 0."""
    nn.init.xavier_uniform_(made.weight, gain)
    if made.bias is not None:
        nn.init.zeros_(made.bias)
    return made


def convolution(inputs: int, outputs: int) -> nn.Module:
    """A convolution of 3×3 in a block."""
    return layer(nn.Conv2d(inputs, outputs, 3, padding=1), math.sqrt(2))


def halved(x: Tensor) -> Tensor:
    return avg_pool2d(x, 2)


def doubled(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2.0, mode="nearest")


class UpBlock(nn.Module):
    """(B, C, H, W) → (B, C′, 2H, 2W)."""

    def __init__(self, inputs: int, outputs: int, norm: str, classes: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([ConditionalNorm(norm, channels, classes) for channels in (inputs, outputs)])
        self.first, self.last = convolution(inputs, outputs), convolution(outputs, outputs)
        self.shortcut = layer(nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Tensor, code: Tensor | None) -> Tensor:
        y = self.first(doubled(relu(self.norms[0](x, code))))
        y = self.last(relu(self.norms[1](y, code)))
        return y + doubled(self.shortcut(x))  # the same as the shortcut of the enlarged picture, for a quarter


class FirstBlock(nn.Module):
    """The picture (B, C, H, W) → (B, C′, H/2, W/2): no φ and no norm before the first convolution."""

    def __init__(self, inputs: int, outputs: int, norm: str) -> None:
        super().__init__()
        self.first, self.last = convolution(inputs, outputs), convolution(outputs, outputs)
        self.norm = normalisation(norm, outputs)
        self.shortcut = layer(nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        return halved(self.last(relu(self.norm(self.first(x))))) + self.shortcut(halved(x))


class Block(nn.Module):
    """(B, C, H, W) → (B, C′, H/2, W/2), or the same side, and then the shortcut is x itself if C′ is C."""

    def __init__(self, inputs: int, outputs: int, norm: str, *, down: bool) -> None:
        super().__init__()
        self.down = down
        self.norms = nn.ModuleList([normalisation(norm, inputs) for _ in range(2)])
        self.first, self.last = convolution(inputs, inputs), convolution(inputs, outputs)
        self.shortcut = layer(nn.Conv2d(inputs, outputs, 1)) if down or inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.last(relu(self.norms[1](self.first(relu(self.norms[0](x))))))
        return halved(y) + self.shortcut(halved(x)) if self.down else y + self.shortcut(x)


class Generator(nn.Module):
    """Project z (B, latent) to the start, then a block for each doubling until the picture (B, C, H, W) in [−1, 1].

    Args:
        bounded: by a tanh; without it, any real numbers.
    """

    def __init__(
        self,
        latent: int,
        shape: tuple[int, ...],
        classes: int,
        width: int,
        widest: int,
        norm: str,
        bounded: bool = True,
    ) -> None:
        super().__init__()
        self.classes, self.start = classes, doubling_of(*shape[1:])
        plan = doubling_plan(width, widest, self.start.side)
        self.project = layer(nn.Linear(latent, plan[0] * self.start.pixels))
        self.blocks = nn.ModuleList([UpBlock(*channels, norm, classes) for channels in pairwise(plan)])
        self.norm = normalisation(norm, plan[-1])
        self.out = layer(nn.Conv2d(plan[-1], shape[0], 3, padding=1))
        self.end = nn.Tanh() if bounded else nn.Identity()

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        code = one_hot_of(labels, self.classes, z) if self.classes else None  # (B, K)
        x = self.project(z).unflatten(1, (*self.start[:2], -1)).permute(0, 3, 1, 2)  # (B, C, h, w), channels last
        for block in self.blocks:
            x = block(x, code)
        return self.end(self.out(relu(self.norm(x))))


class Discriminator(nn.Module):
    """Halve the sides of the picture (B, C, H, W) until ``smallest``, where the start counts as 4; ``blocks`` more.

    One logit, (B,), or ``outputs`` numbers.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        width: int,
        widest: int,
        norm: str,
        smallest: int,
        blocks: int,
        pooling: str,
        outputs: int | None = None,
    ) -> None:
        super().__init__()
        self.classes, self.pooling, self.outputs = classes, pooling, outputs
        plan = doubling_plan(width, widest, doubling_of(*shape[1:]).side // 2, smallest)[::-1]
        halving = [Block(*channels, norm, down=True) for channels in pairwise(plan)]
        same = [Block(plan[-1], plan[-1], norm, down=False) for _ in range(blocks)]
        self.blocks = nn.Sequential(FirstBlock(shape[0], plan[0], norm), *halving, *same)
        self.out = layer(nn.Linear(plan[-1], outputs or 1))
        if classes:
            self.embedding = layer(nn.Linear(classes, plan[-1], bias=False))
        if norm == "spectral":
            for part in [part for part in self.modules() if isinstance(part, nn.Conv2d | nn.Linear)]:
                spectral_norm(part)

    def features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """The features that the last layer works on, (B, F)."""
        maps = relu(self.blocks(x))
        return maps.sum(dim=(2, 3)) if self.pooling == "sum" else maps.mean(dim=(2, 3))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        features = self.features(x)
        y = self.out(features)
        if self.outputs:
            return y
        logits = y.squeeze(1)
        if not self.classes:
            return logits
        return logits + (features * self.embedding(one_hot_of(labels, self.classes, x))).sum(dim=1)


class ResNet(OfOptions):
    """Makes the networks from their options; see ``conf/architecture/resnet.yaml``."""

    generators, discriminators, sides = Generator, Discriminator, SIDES_OF_RESNET
    projects = True

    def __init__(self, width: int, widest: int, generator: Values, discriminator: Values) -> None:
        super().__init__(generator, discriminator, decoder={"bounded": False}, encoder={})
