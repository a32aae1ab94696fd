"""What architectures, losses, penalties, priors, optimizers and schedules may be told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gan_cli.config.options.base import Choice, Count, Finite, Fraction, NonNegative, Options, Positive, Whole

# --- architecture ----------------------------------------------------------------------------------------------------
Activation = Literal["relu", "leaky_relu", "tanh", "elu", "gelu", "silu", "maxout"]


class MLPGeneratorOptions(Options):
    hidden: list[Count]
    activation: Activation
    pieces: Annotated[Count, Field(ge=2)]
    norm: Literal["none", "batch", "layer"]
    dropout: Fraction
    output: Literal["auto", "tanh", "sigmoid", "none"]
    init: Positive | None


class MLPDiscriminatorOptions(Options):
    hidden: list[Count]
    activation: Activation
    pieces: Annotated[Count, Field(ge=2)]
    norm: Literal["none", "batch", "layer", "spectral"]
    dropout: Fraction
    input_dropout: Fraction
    minibatch_std: bool
    init: Positive | None
    pixels: Literal["signed", "unit"]


class MLPOptions(Choice):
    generator: MLPGeneratorOptions
    discriminator: MLPDiscriminatorOptions


class DCGANGeneratorOptions(Options):
    width: Count
    norm: Literal["batch", "instance", "group", "layer", "none"]


class DCGANDiscriminatorOptions(Options):
    width: Count
    norm: Literal["batch", "instance", "group", "layer", "none", "spectral"]
    minibatch_std: bool


class DCGANOptions(Choice):
    width: Count
    norm: Literal["batch", "instance", "group", "layer", "none"]
    generator: DCGANGeneratorOptions
    discriminator: DCGANDiscriminatorOptions


# --- loss, penalty ---------------------------------------------------------------------------------------------------
class CrossEntropyOptions(Choice):
    smoothing: Annotated[float, Field(ge=0, lt=0.5)]


class LeastSquaresOptions(Choice):
    a: Finite
    b: Finite
    c: Finite


class WassersteinOptions(Choice):
    clip: NonNegative


class FGANOptions(Choice):
    divergence: Literal["kl", "reverse_kl", "pearson", "squared_hellinger", "jensen_shannon", "gan", "total_variation"]
    generator_step: Literal["paper", "alternative"]


class PenaltyOptions(Choice):
    weight: NonNegative
    final_weight: NonNegative | None
    anneal_images: Whole
    interval: Count


class GradientPenaltyOptions(PenaltyOptions):
    sides: Literal["one", "two"]
    target: NonNegative


class DRAGANOptions(GradientPenaltyOptions):
    deviation: Positive


class ConsistencyOptions(PenaltyOptions):
    shift: Fraction
    noise: NonNegative


# --- prior, optimizer, schedule --------------------------------------------------------------------------------------
class PriorOptions(Choice):
    size: Count
    scale: Positive


class AdamOptions(Choice):
    lr: Positive
    betas: Annotated[list[Fraction], Field(min_length=2, max_length=2)]
    eps: Positive
    weight_decay: NonNegative


class RMSpropOptions(Choice):
    lr: Positive
    alpha: Fraction
    eps: Positive
    momentum: Fraction
    weight_decay: NonNegative


class SGDOptions(Choice):
    lr: Positive
    momentum: Fraction
    final_momentum: Fraction | None
    momentum_steps: Whole
    nesterov: bool
    weight_decay: NonNegative


class ScheduleOptions(Choice):
    warmup: Whole


class DecayOptions(ScheduleOptions):
    start: Whole
    duration: Count
    final: Annotated[float, Field(ge=0, le=1)]


class ExponentialOptions(ScheduleOptions):
    half_life: Positive
    final: Annotated[float, Field(ge=0, le=1)]
