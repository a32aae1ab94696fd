"""The options of architectures and priors: types and limits. Torch-free."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from gan_cli.config.options import Choice, Chosen, Count, Fraction, NonNegative, Options, Positive
from gan_cli.models.doubling import not_doubled
from gan_cli.models.lengths import not_signals

Activation = Literal["relu", "leaky_relu", "tanh", "elu", "gelu", "silu", "softplus", "maxout"]
SIDES_OF_DCGAN = 8, 256
LEAST_LOG_SCALE = -7.0  # of a discretised logistic distribution: a narrower one is taken for this one


def _init(value: object) -> object:
    if value is None or value == "glorot":
        return value
    if type(value) not in (int, float) or not 0 < value < math.inf:  # type: ignore[operator]
        raise ValueError("must be glorot, a number r > 0 (weights from U(-r, r)), or null")
    return value


Init = Annotated[Any, BeforeValidator(_init)]  # float, "glorot" or None


class MLPGeneratorOptions(Options):
    hidden: list[Count]
    activation: Activation
    pieces: Annotated[Count, Field(ge=2)]
    norm: Literal["none", "batch", "layer"]
    dropout: Fraction
    output: Literal["auto", "tanh", "sigmoid", "none"]
    output_norm: Literal["none", "weight"]
    init: Init


class MLPDiscriminatorOptions(Options):
    hidden: list[Count]
    activation: Activation
    pieces: Annotated[Count, Field(ge=2)]
    norm: Literal["none", "batch", "layer", "spectral", "weight"]
    dropout: Fraction
    input_dropout: Fraction
    noise: NonNegative
    input_noise: NonNegative
    minibatch_std: bool
    init: Init
    pixels: Literal["signed", "unit"]


class MLPOptions(Choice):
    together = True

    generator: MLPGeneratorOptions
    discriminator: MLPDiscriminatorOptions

    def contradictions(self, chosen: Chosen) -> list[str]:
        """A start from data, which an ensemble cannot make for each of its members."""
        size = chosen.count("ensemble")
        if not size or self.discriminator.norm != "weight":
            return []
        return [
            f"architecture.discriminator.norm=weight: takes its scales from the first minibatch, which ensemble={size} "
            "cannot: use norm=layer, or --multirun seed=0,1,2"
        ]


class DCGANGeneratorOptions(Options):
    width: Count
    norm: Literal["batch", "instance", "group", "layer", "none"]
    upsampling: Literal["transposed", "nearest", "bilinear"]


class DCGANDiscriminatorOptions(Options):
    width: Count
    norm: Literal["batch", "instance", "group", "layer", "none", "spectral"]
    minibatch_std: bool


class DCGANOptions(Choice):
    width: Count
    norm: Literal["batch", "instance", "group", "layer", "none"]
    generator: DCGANGeneratorOptions
    discriminator: DCGANDiscriminatorOptions

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Points, and pictures that are no small start doubled."""
        return not_doubled(self.name, chosen, *SIDES_OF_DCGAN)


def _odd(kernel: int) -> int:
    if kernel % 2 == 0:
        raise ValueError("must be an odd number, with as many values on either side")
    return kernel


Kernel = Annotated[int, Field(ge=3, le=101), AfterValidator(_odd)]


class DCGAN1dGeneratorOptions(Options):
    width: Count
    norm: Literal["batch", "instance", "group", "layer", "none"]
    kernel: Kernel


class DCGAN1dDiscriminatorOptions(Options):
    width: Count
    norm: Literal["batch", "instance", "group", "layer", "none", "spectral"]
    kernel: Kernel
    minibatch_std: bool


class DCGAN1dOptions(Choice):
    width: Count
    norm: Literal["batch", "instance", "group", "layer", "none"]
    kernel: Kernel
    generator: DCGAN1dGeneratorOptions
    discriminator: DCGAN1dDiscriminatorOptions

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Samples that are no signals, and lengths that cannot be halved."""
        return not_signals(self.name, chosen)


class PriorOptions(Choice):
    size: Count
    scale: Positive
