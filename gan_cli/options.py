"""Types and limits of every shipped option: what ``dataset=…``, ``loss=…`` and the others may be told.

Values live in the YAML files of ``conf/``; nothing here imports torch.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _whole(value: Any) -> Any:
    """``1e4`` is a float to YAML and a count to everybody else."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Count = Annotated[int, BeforeValidator(_whole), Field(ge=1)]
Whole = Annotated[int, BeforeValidator(_whole), Field(ge=0)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Text = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) in (int, float) else value)]


class Options(BaseModel):
    """Some keys of the config; unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Choice(Options):
    """The keys of one option of a group, such as ``loss=minimax``; ``name`` is the option's own."""

    name: str

    def keywords(self) -> dict[str, Any]:
        """The options as keyword arguments of the class they configure."""
        return {key: value for key, value in self.model_dump().items() if key != "name"}


# --- dataset ---------------------------------------------------------------------------------------------------------
class ImageOptions(Choice):
    size: Annotated[Count, Field(ge=4, le=1024)]
    channels: Literal[1, 3]
    limit: Whole
    flip: bool
    split: Literal["train", "test"]


class WebImageOptions(ImageOptions):
    root: Text


class QMNISTOptions(WebImageOptions):
    split: Literal["train", "test", "test10k", "test50k", "nist"]  # type: ignore[assignment]


class SVHNOptions(WebImageOptions):
    split: Literal["train", "test", "extra"]  # type: ignore[assignment]


class STL10Options(WebImageOptions):
    split: Literal["train", "test", "unlabeled", "train+unlabeled"]  # type: ignore[assignment]


class CelebAOptions(WebImageOptions):
    split: Literal["train", "valid", "test", "all"]  # type: ignore[assignment]


class LSUNOptions(WebImageOptions):
    split: Literal["train", "val", "test"]  # type: ignore[assignment]
    category: str


class FolderOptions(ImageOptions):
    root: Text
    path: Text
    split: Literal["all", "train", "test"]  # type: ignore[assignment]


class PointOptions(Choice):
    points: Count
    seed: Whole


class MixtureOptions(PointOptions):
    means: Annotated[list[Annotated[list[Finite], Field(min_length=1)]], Field(min_length=1)]
    weights: list[Positive] | None
    sigma: Positive


class RingOptions(PointOptions):
    modes: Count
    radius: Positive
    sigma: Positive


class GridOptions(PointOptions):
    side: Count
    spacing: Positive
    sigma: Positive


class GaussianOptions(PointOptions):
    dimension: Count
    mean: Finite
    sigma: Positive


class SwissRollOptions(PointOptions):
    turns: Positive
    radius: Positive
    noise: NonNegative


# --- architecture ----------------------------------------------------------------------------------------------------
Activation = Literal["relu", "leaky_relu", "tanh", "elu", "gelu", "silu", "maxout"]


class MLPGeneratorOptions(Options):
    hidden: list[Count]
    activation: Activation
    pieces: Annotated[Count, Field(ge=2)]
    norm: Literal["none", "batch", "layer"]
    dropout: Fraction
    output: Literal["auto", "tanh", "sigmoid", "none"]


class MLPDiscriminatorOptions(Options):
    hidden: list[Count]
    activation: Activation
    pieces: Annotated[Count, Field(ge=2)]
    norm: Literal["none", "batch", "layer", "spectral"]
    dropout: Fraction
    input_dropout: Fraction
    minibatch_std: bool


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


SCHEMAS: dict[str, dict[str, type[Choice]]] = {
    "dataset": {
        "digits": ImageOptions,
        **dict.fromkeys(("mnist", "fashion_mnist", "kmnist", "cifar10"), WebImageOptions),
        "qmnist": QMNISTOptions,
        "svhn": SVHNOptions,
        "stl10": STL10Options,
        "celeba": CelebAOptions,
        "lsun": LSUNOptions,
        "image_folder": FolderOptions,
        "ring": RingOptions,
        "mixture": MixtureOptions,
        "grid": GridOptions,
        "gaussian": GaussianOptions,
        "swiss_roll": SwissRollOptions,
    },
    "architecture": {"mlp": MLPOptions, "dcgan": DCGANOptions},
    "loss": {
        **dict.fromkeys(("minimax", "non_saturating", "maximum_likelihood", "feature_matching"), CrossEntropyOptions),
        **dict.fromkeys(("hinge", "relativistic", "relativistic_average"), Choice),
        "least_squares": LeastSquaresOptions,
        "wasserstein": WassersteinOptions,
        "f_gan": FGANOptions,
    },
    "penalty": {
        **dict.fromkeys(("r1", "r2"), PenaltyOptions),
        "gradient_penalty": GradientPenaltyOptions,
        "dragan": DRAGANOptions,
        "consistency": ConsistencyOptions,
    },
    "prior": {"normal": PriorOptions, "uniform": PriorOptions},
    "optimizer": {"adam": AdamOptions, "adamw": AdamOptions, "rmsprop": RMSpropOptions, "sgd": SGDOptions},
    "schedule": {
        "constant": ScheduleOptions,
        "linear": DecayOptions,
        "cosine": DecayOptions,
        "exponential": ExponentialOptions,
    },
}
