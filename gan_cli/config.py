"""The typed config: which keys there are, and what their values may be.

Nothing here imports torch, so every mistake in a command is found in a fraction of a second and before any
folder is made. Values live in the YAML files of ``conf/``; here are only types and limits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from gan_cli.errors import UserError
from gan_cli.options import (
    SCHEMAS,
    CelebAOptions,
    Choice,
    Count,
    DCGANOptions,
    GaussianOptions,
    ImageOptions,
    LSUNOptions,
    NonNegative,
    Options,
    PointOptions,
    Positive,
    SwissRollOptions,
    Text,
    WassersteinOptions,
    Whole,
)

if TYPE_CHECKING:
    from gan_cli.library import Library

SEVERAL = ("penalty",)  # groups of which any number can be chosen


def _known_device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value):
        raise ValueError("must be auto, cpu, cuda, cuda:N or mps")
    return value


class PlayerOptions(Options):
    steps: Count
    lr: Positive


class InstanceNoiseOptions(Options):
    sigma: NonNegative
    images: Whole


class Root(Options):
    """The keys at the root of the config that are not groups."""

    steps: Count
    batch_size: Count
    seed: Whole
    conditional: bool
    updates: Literal["alternating", "simultaneous", "extragradient", "optimistic"]
    discriminator: PlayerOptions
    generator: PlayerOptions
    ema_half_life: NonNegative
    instance_noise: InstanceNoiseOptions
    augment: list[Literal["color", "translation", "cutout"]]
    pack: Annotated[Count, Field(le=16)]
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
    penalty: dict[str, Choice]

    def saved(self) -> dict[str, Any]:
        """Plain values for a checkpoint. Names only: nothing in it can say which code to run."""
        saved = self.model_dump(exclude={"resume", "dry_run"})
        for group in SCHEMAS:
            if group in SEVERAL:
                saved[group] = {name: choice.model_dump() for name, choice in getattr(self, group).items()}
            else:
                saved[group] = getattr(self, group).model_dump()
        return saved


def validate(raw: Mapping[str, Any], library: Library) -> Config:
    """Plain nested values, as composed from YAML, to a typed config.

    Raises:
        UserError: with one line for *every* mistake found.
    """
    problems: list[str] = []
    choices: dict[str, Any] = {}
    for group in SCHEMAS:
        node = raw.get(group)
        if group in SEVERAL:
            choices[group] = {}
            for name, options in (node or {}).items():
                if not isinstance(options, Mapping) or "name" not in options:
                    problems.append(f"{group}.{name}: is not chosen: {group}={name}, or {group}=[{name},…] for several")
                    continue
                try:
                    choices[group][name] = check_choice(group, options, library, prefix=f"{group}.{name}.")
                except UserError as error:
                    problems.extend(error.problems)
            continue
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


def check_choice(group: str, node: Mapping[str, Any], library: Library, prefix: str = "") -> Choice:
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
        raise UserError(*_explain(error, schema, prefix=prefix or f"{group}.")) from error


def _contradictions(choices: Mapping[str, Any], root: Mapping[str, Any]) -> list[str]:
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
    pack, batch = root.get("pack", 1), root.get("batch_size", 0)
    if isinstance(pack, int) and isinstance(batch, int) and pack > 1:
        if batch % pack:
            problems.append(f"pack={pack}: D sees {pack} samples at a time, so batch_size={batch} must be a multiple")
        if root.get("conditional") is True:
            problems.append(f"pack={pack}: packs have no label of their own: use pack=1 or conditional=false")
    if root.get("augment") and isinstance(dataset, PointOptions):
        problems.append(f"augment={shown(root['augment'])}: is for pictures, and dataset={dataset.name} holds points")
    if isinstance(loss := choices.get("loss"), WassersteinOptions) and not loss.clip and not choices.get("penalty"):
        problems.append("loss.clip=0: nothing keeps the critic Lipschitz: add penalty=gradient_penalty, or clip=0.01")
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
