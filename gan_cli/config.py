"""The typed config: which keys there are, and what their values may be.

Nothing here imports torch, so every mistake in a command is found in a fraction of a second and before any
folder is made. Values live in the YAML files of ``conf/``; here are only types and limits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from gan_cli.errors import UserError

if TYPE_CHECKING:
    from gan_cli.library import Library


def _whole(value: Any) -> Any:
    """``1e4`` is a float to YAML and a count to everybody else."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _known_device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value):
        raise ValueError("must be auto, cpu, cuda, cuda:N or mps")
    return value


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


class MLPOptions(Choice):
    generator: MLPGeneratorOptions
    discriminator: MLPDiscriminatorOptions


class DCGANGeneratorOptions(Options):
    width: Count
    norm: Literal["batch", "instance", "group", "layer", "none"]


class DCGANDiscriminatorOptions(Options):
    width: Count
    norm: Literal["batch", "instance", "group", "layer", "none", "spectral"]


class DCGANOptions(Choice):
    width: Count
    norm: Literal["batch", "instance", "group", "layer", "none"]
    generator: DCGANGeneratorOptions
    discriminator: DCGANDiscriminatorOptions


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
        "grid": GridOptions,
        "gaussian": GaussianOptions,
        "swiss_roll": SwissRollOptions,
    },
    "architecture": {"mlp": MLPOptions, "dcgan": DCGANOptions},
    "loss": dict.fromkeys(("minimax", "non_saturating", "maximum_likelihood"), Choice),
    "prior": {"normal": PriorOptions, "uniform": PriorOptions},
    "optimizer": {"adam": AdamOptions, "adamw": AdamOptions, "rmsprop": RMSpropOptions, "sgd": SGDOptions},
    "schedule": {
        "constant": ScheduleOptions,
        "linear": DecayOptions,
        "cosine": DecayOptions,
        "exponential": ExponentialOptions,
    },
}


# --- the root --------------------------------------------------------------------------------------------------------
class PlayerOptions(Options):
    steps: Count
    lr: Positive


class Root(Options):
    """The keys at the root of the config that are not groups."""

    steps: Count
    batch_size: Count
    seed: Whole
    conditional: bool
    updates: Literal["alternating", "simultaneous"]
    discriminator: PlayerOptions
    generator: PlayerOptions
    ema_half_life: NonNegative
    on_divergence: Literal["stop", "continue"]

    device: Annotated[str, AfterValidator(_known_device)]
    precision: Literal["fp32", "tf32", "bf16"]
    compile: bool
    deterministic: bool

    log_every: Whole
    sample_every: Whole
    sample_count: Count
    checkpoint_every: Whole
    keep_checkpoints: Count

    resume: Text | None
    dry_run: bool


class Config(Root):
    """Everything a run needs to know."""

    dataset: Choice
    architecture: Choice
    loss: Choice
    prior: Choice
    optimizer: Choice
    schedule: Choice

    def saved(self) -> dict[str, Any]:
        """Plain values for a checkpoint. Names only: nothing in it can say which code to run."""
        saved = self.model_dump(exclude={"resume", "dry_run"})
        for group in SCHEMAS:
            saved[group] = getattr(self, group).model_dump()
        return saved


def validate(raw: Mapping[str, Any], library: Library) -> Config:
    """Plain nested values, as composed from YAML, to a typed config.

    Raises:
        UserError: with one line for *every* mistake found.
    """
    problems: list[str] = []
    choices: dict[str, Choice] = {}
    for group in SCHEMAS:
        node = raw.get(group)
        if not isinstance(node, Mapping) or "name" not in node:
            problems.append(f"{group}: choose one of: {', '.join(library.options(group))}")
            continue
        try:
            choices[group] = check_choice(group, node, library)
        except UserError as error:
            problems.extend(error.problems)
    rest = {key: value for key, value in raw.items() if key not in SCHEMAS}
    root = None
    try:
        root = Root.model_validate(rest)
    except ValidationError as error:
        problems.extend(_explain(error, Root))
    problems.extend(_contradictions(choices, rest))
    if problems or root is None:
        raise UserError(*problems)
    return Config.model_construct(None, **{key: getattr(root, key) for key in Root.model_fields}, **choices)


def check_choice(group: str, node: Mapping[str, Any], library: Library) -> Choice:
    """One group's values, typed.

    Raises:
        UserError: with one line for every mistake found.
    """
    schema = library.schema(group, node["name"])
    dotted = library.class_of(group, node["name"])
    if node.get("class", dotted) != dotted:
        raise UserError(f"{group}.class={node['class']}: is set by {group}/{node['name']}.yaml alone")
    try:
        return schema.model_validate({key: value for key, value in node.items() if key != "class"})
    except ValidationError as error:
        raise UserError(*_explain(error, schema, prefix=f"{group}.")) from error


def _contradictions(choices: Mapping[str, Choice], root: Mapping[str, Any]) -> list[str]:
    """Values that are fine alone and wrong together."""
    problems = []
    dataset, architecture = choices.get("dataset"), choices.get("architecture")
    if isinstance(architecture, DCGANOptions):
        if isinstance(dataset, PointOptions):
            problems.append(
                f"architecture=dcgan: makes pictures, but dataset={dataset.name} holds points: use architecture=mlp"
            )
        elif isinstance(dataset, ImageOptions) and (dataset.size & (dataset.size - 1) or not 8 <= dataset.size <= 256):
            problems.append(
                f"dataset.size={dataset.size}: architecture=dcgan needs a power of two from 8 to 256, "
                f"such as dataset.size={min(256, max(8, 1 << (dataset.size - 1).bit_length()))}"
            )
    if root.get("conditional") is True and isinstance(
        dataset, GaussianOptions | SwissRollOptions | LSUNOptions | CelebAOptions
    ):
        problems.append(f"conditional=true: dataset={dataset.name} has no labels: use conditional=false")
    return problems


def _explain(error: ValidationError, schema: type[BaseModel], prefix: str = "") -> list[str]:
    """Each mistake pydantic found, in our words: ``key=value: what is wrong (and what would be right)``."""
    from gan_cli.suggest import suggestion

    lines = []
    for problem in error.errors(include_url=False):
        key = prefix + ".".join(str(part) for part in problem["loc"])
        value, context = shown(problem["input"]), problem.get("ctx", {})
        kind = problem["type"]
        if kind == "extra_forbidden":
            lines.append(
                f"{key}={value}: no such key{suggestion(key, keys_of(schema, prefix) if prefix else known_keys())}"
            )
        elif kind == "missing":
            lines.append(f"{key}: has no value: set {key}=…")
        elif kind in _WORDS:
            lines.append(f"{key}={value}: must be {_WORDS[kind].format(**context)}")
        else:
            lines.append(f"{key}={value}: {problem['msg'].removeprefix('Value error, ')}")
    return lines


_WORDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "finite",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list, such as [128,128]",
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "one of {expected}",
    "too_short": "a list of at least {min_length} values",
    "too_long": "a list of at most {max_length} values",
    "model_type": "a group of keys, not one value",
}


def shown(value: Any) -> str:
    """A value as one would type it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def keys_of(schema: type[BaseModel], prefix: str) -> list[str]:
    """Every dotted key a schema has."""
    keys: list[str] = []
    for name, field in schema.model_fields.items():
        keys.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += keys_of(field.annotation, f"{prefix}{name}.")
    return keys


def known_keys() -> list[str]:
    """Every dotted key of the root and of the shipped options, for suggestions."""
    keys = keys_of(Root, "")
    for group, options in SCHEMAS.items():
        keys.append(group)
        for schema in options.values():
            keys += keys_of(schema, f"{group}.")
    return sorted(set(keys))
