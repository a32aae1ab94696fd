"""The keys at the root of the config that are not groups, by subject, and rules about their combinations.

Values live in ``conf/config.yaml``; here are only types, limits and rules. Those of the machine are in ``machine``.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from gan_cli.config.annealing import half_annealed, uses_images
from gan_cli.config.durations import duration
from gan_cli.config.flags import SEVERAL
from gan_cli.config.machine import MachineKeys, of_machine
from gan_cli.config.mistakes import shown
from gan_cli.config.options import (
    GROUPS,
    BatchSize,
    Chosen,
    Count,
    Finite,
    NonNegative,
    Options,
    Positive,
    Several,
    Share,
    Text,
    Whole,
)

FROZEN = re.compile(r"\w+:(0*[1-9]\d{0,8}|[A-Za-z_][\w.]*)")
MOST_STEPS = 999_999_999  # nine digits, as the names of checkpoints and grids have them


class PlayerOptions(Options):
    steps: Count
    lr: Positive


class InstanceNoiseOptions(Options):
    sigma: NonNegative
    images: Whole


class AugmentationOptions(Options):
    probability: Share | None
    final_probability: Share | None
    anneal_images: Whole
    target: Annotated[Finite, Field(gt=-1, lt=1)] | None
    adapt_images: Count


def _frozen(value: object) -> list[str]:
    """``discriminator:3``, or a list of such: a player and how many of its first layers, or the name of a part.

    Raises:
        ValueError: saying what it must be.
    """
    each = [value] if isinstance(value, str) else value
    if not isinstance(each, list) or not all(isinstance(e, str) and FROZEN.fullmatch(e) for e in each):
        raise ValueError("must be a player and its first so many layers, such as discriminator:3, or a list of such")
    return each


Frozen = Annotated[Any, BeforeValidator(_frozen)]  # list[str]


class GameKeys(Options):
    """The game: Algorithm 1."""

    steps: Annotated[Count, Field(le=MOST_STEPS)]
    batch_size: BatchSize
    seed: Whole
    conditional: Literal["auto", True, False]
    conditioning: Literal["concat", "projection", "auxiliary", "embedding"]
    updates: Literal["alternating", "simultaneous", "extragradient", "optimistic"]
    reuse_fakes: bool
    discriminator: PlayerOptions
    generator: PlayerOptions
    anneal_images: Whole
    ema_half_life: NonNegative
    final_ema_half_life: NonNegative | None
    instance_noise: InstanceNoiseOptions
    augment: list[Literal["color", "translation", "cutout", "blit", "geometric", "ada_color"]]
    augmentation: AugmentationOptions
    pack: Annotated[Count, Field(le=16)]
    freeze: Frozen


def of_game(chosen: Chosen) -> list[str]:
    """What cannot be combined with packs, and augmentation and annealing without effect."""
    return _packs(chosen) + _conditioning(chosen) + _augmentation(chosen) + _annealing(chosen)


def augmentation_of(chosen: Chosen) -> AugmentationOptions | None:
    """How often what D sees is augmented; None if that is not valid."""
    try:
        return AugmentationOptions.model_validate(chosen.root.get("augmentation"))
    except ValidationError:
        return None


def _augmentation(chosen: Chosen) -> list[str]:
    if (options := augmentation_of(chosen)) is None:
        return []
    problems, target, final = [], options.target, options.final_probability
    given = [(k, v) for k, v in options.model_dump().items() if v is not None and k in ("probability", "target")]
    if given and not chosen.root.get("augment"):
        key, value = given[-1]
        problems.append(f"augmentation.{key}={value}: of what? add augment=[blit,geometric,ada_color], or set null")
    if target is not None and final is not None:
        problems.append(
            f"augmentation.final_probability={final}: augmentation.target decides it: leave one of them out"
        )
    problems += half_annealed(chosen, "augmentation", "final_probability", final, options.anneal_images)
    if target is not None and (size := chosen.count("ensemble")):
        problems.append(
            f"augmentation.target={target}: ensemble={size} has one augmentation for all: use --multirun seed=0,1,2"
        )
    return problems


def _annealing(chosen: Chosen) -> list[str]:
    final, images = chosen.root.get("final_ema_half_life"), chosen.count("anneal_images")
    if final is not None and not images:
        return [f"final_ema_half_life={shown(final)}: after how many images? add anneal_images=…"]
    several = [chosen.several(group).get(name) for group in SEVERAL for name in chosen.root.get(group) or ()]
    options = [augmentation_of(chosen), *several, *(chosen.one(group) for group in GROUPS if group not in SEVERAL)]
    if not images or final is not None or any(option is None or uses_images(option) for option in options):
        return []
    return [
        f"anneal_images={images}: towards what? add a final value, such as optimizer.final_betas=[0.0,0.99] or "
        "final_ema_half_life=500000"
    ]


def _packs(chosen: Chosen) -> list[str]:
    pack = chosen.count("pack")
    if pack < 2:
        return []
    if chosen.on("conditional"):
        return [f"pack={pack}: packs have no label of their own: use pack=1 or conditional=false"]
    return []


def _conditioning(chosen: Chosen) -> list[str]:
    how, model = chosen.root.get("conditioning"), chosen.one("model")
    if not isinstance(how, str) or how == "concat" or model is None or not model.heeds("conditioning"):
        return []
    if chosen.root.get("conditional") is False:
        return [unlabelled(how)]
    if how not in model.conditionings:
        ways = " or ".join(model.conditionings)
        return [f"conditioning={how}: model={model.name} takes labels in another way: use conditioning={ways}"]
    return []


def unlabelled(how: str) -> str:
    """What is said of a way to tell labels where none are told."""
    return f"conditioning={how}: no player is told of labels: add conditional=true, or use concat"


def _file_name(value: str) -> str:
    if not re.fullmatch(r"[\w.,+=-]{1,100}", value) or value.startswith("."):
        raise ValueError("must be letters, digits and -_.,+= alone: it names a folder")
    if (size := len(value.encode())) > 200:
        raise ValueError(f"must have 200 bytes at most, not {size}: it names a folder")
    return value


class Published(Options):
    """A figure of somebody's paper that this run can be compared with."""

    result: Text  # as metrics.jsonl and status.json name it: frechet, modes, high_quality
    model: Text
    value: Finite
    spread: NonNegative | None = None
    source: Text
    protocol: Text | None = None


FigureName = Literal[
    "saturation", "kl_vs_js", "dimension", "vae_bias", "vae_gan", "mixing", "sampling_time", "simulator"
]


class WritingKeys(Options):
    """What is written down; none of it changes the training."""

    log_every: Whole
    sample_every: Whole
    sample_count: Annotated[Count, Field(le=10_000)]  # on one sheet
    checkpoint_every: Whole
    checkpoint_minutes: NonNegative
    keep_checkpoints: Count
    evaluate_every: Whole
    evaluate_count: Several
    unfit_metrics: Literal["refuse", "leave_out"]
    watch: Text | None
    patience: Whole
    figure: FigureName | None
    published: list[Published]

    time_limit: Annotated[Text, AfterValidator(duration)] | None

    name: Annotated[str, AfterValidator(_file_name)] | None
    start: Text | None
    resume: Text | None
    dry_run: Literal[True, False, "full"]


def of_writing(chosen: Chosen) -> list[str]:
    """Keys that have no effect without another key."""
    root, problems = chosen.root, []
    if root.get("watch") and not chosen.several("metrics"):
        problems.append(f"watch={root['watch']}: nothing is measured: add metrics=[…], such as metrics=[frechet]")
    if patience := root.get("patience"):
        if not root.get("watch"):
            problems.append(f"patience={patience}: of which metric? add watch=…, such as watch=frechet")
        if root.get("evaluate_every") == 0:
            problems.append(f"patience={patience}: is measured at the end alone: set evaluate_every to 1 or more")
    if (figure := root.get("figure")) and root.get("log_every") == 0:
        problems.append(f"figure={shown(figure)}: is drawn from what is logged: set log_every to 1 or more")
    if figure and (model := chosen.one("model")) and figure not in model.figures:
        problems.append(f"figure={shown(figure)}: is not about model={model.name}: leave it out")
    if figure == "simulator":
        problems += _of_simulator(chosen)
    return problems


def _of_simulator(chosen: Chosen) -> list[str]:
    """Futures of what has none, or without what they follow from."""
    dataset = chosen.one("dataset")
    if dataset and "simulator" not in dataset.figures:
        return [f"figure=simulator: is not about dataset={dataset.name}: use dataset=pendulum, or leave it out"]
    if chosen.root.get("conditional") is False:
        return ["figure=simulator: a future follows from a state and a torque, the conditions: use conditional=true"]
    return []


class Root(WritingKeys, MachineKeys, GameKeys):
    """All keys at the root that are not groups."""


RULES = (of_game, of_machine, of_writing)
