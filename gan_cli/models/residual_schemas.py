"""The options of networks of residual blocks, and how many channels they have: types and limits. Torch-free."""

from __future__ import annotations

import math
from typing import Literal

from gan_cli.config.options import Choice, Chosen, Count, Options
from gan_cli.data.schemas import ImageOptions
from gan_cli.models.doubling import doubling_of, is_side, not_doubled

SIDES_OF_RESNET, SIDES_OF_R3GAN = (8, 256), (8, 1024)


def doubling_plan(width: int, widest: int, size: int, smallest: int = 4) -> list[int]:
    """Channels at the sides ``smallest``, … ``size`` of squares: ``width``, doubling inwards up to ``widest`` times."""
    sides = (size // smallest).bit_length()
    return [width * min(2**i, widest) for i in reversed(range(sides))]


def halving_plan(width: int, wide_to: int, size: int) -> list[int]:
    """Channels at the sides 4, 8, … ``size``: ``width`` up to the side ``wide_to``, then half with each doubling.

    Raises:
        ValueError: if that are no whole numbers.
    """
    narrowest = max(1, size // wide_to)
    if width % narrowest:
        raise ValueError(f"width={width}: pictures of {size} × {size} need a multiple of {narrowest}")
    sides = (size // 4).bit_length()
    return [width // max(1, 4 * 2**i // wide_to) for i in range(sides)]


class ResNetGeneratorOptions(Options):
    width: Count
    widest: Count
    norm: Literal["batch", "instance", "group", "layer", "none"]


class ResNetDiscriminatorOptions(Options):
    width: Count
    widest: Count
    norm: Literal["none", "spectral", "layer", "group", "instance", "batch"]
    smallest: Count
    blocks: Count
    pooling: Literal["sum", "mean"]


class ResNetOptions(Choice):
    width: Count
    widest: Count
    generator: ResNetGeneratorOptions
    discriminator: ResNetDiscriminatorOptions

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Points, pictures that are no small start doubled, and a side at which D cannot end."""
        problems = not_doubled(self.name, chosen, *SIDES_OF_RESNET)
        dataset, smallest = chosen.one("dataset"), self.discriminator.smallest
        if isinstance(dataset, ImageOptions) and not problems:
            start = doubling_of(dataset.height, dataset.width)
            largest = start.side // 2
            if not is_side(smallest, 4, largest):
                half = "half of dataset.size" if start[:2] == (4, 4) else f"where 4 is {start[0]} × {start[1]}"
                problems.append(
                    f"architecture.discriminator.smallest={smallest}: must be a power of two from 4 to {largest}, "
                    f"{half}, such as {min(8, largest)}"
                )
        return problems


class R3GANPlayerOptions(Options):
    width: Count
    blocks: Count


class R3GANOptions(Choice):
    width: Count
    wide_to: Count
    blocks: Count
    expansion: Count
    group: Count
    generator: R3GANPlayerOptions
    discriminator: R3GANPlayerOptions

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Points, pictures that are no small start doubled, and channels that cannot be divided into groups."""
        problems = not_doubled(self.name, chosen, *SIDES_OF_R3GAN)
        dataset = chosen.one("dataset")
        if not is_side(self.wide_to, 4, SIDES_OF_R3GAN[1]):
            problems.append(
                f"architecture.wide_to={self.wide_to}: must be a power of two from 4 to {SIDES_OF_R3GAN[1]}, such as 32"
            )
        elif isinstance(dataset, ImageOptions) and not problems:
            side = doubling_of(dataset.height, dataset.width).side
            shares = max(1, side // self.wide_to)  # the narrowest stage has this part of the width
            widths = {"generator.width": self.generator.width, "discriminator.width": self.discriminator.width}
            for key, width in {"width": self.width}.items() if {self.width} == {*widths.values()} else widths.items():
                if width % shares or self.expansion * (width // shares) % self.group:
                    unit = shares * self.group // math.gcd(self.group, self.expansion)
                    problems.append(
                        f"architecture.{key}={width}: at {dataset.height} × {dataset.width} these are "
                        f"{width / shares:g} channels, times expansion={self.expansion}, which must be whole groups of "
                        f"group={self.group}: use a multiple of {unit}, such as {max(1, round(width / unit)) * unit}"
                    )
        return problems
