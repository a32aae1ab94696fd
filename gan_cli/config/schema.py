"""The typed config: which keys there are, and what their values may be.

Nothing here imports torch, so every mistake in a command is found in a fraction of a second and before any
folder is made. Values live in the YAML files of ``conf/``; here are only types and limits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from gan_cli.config.command import Command
from gan_cli.config.compose import compose
from gan_cli.config.library import Library
from gan_cli.config.mistakes import shown
from gan_cli.config.options import SCHEMAS, SEVERAL, Choice
from gan_cli.config.options.base import BatchSize, Count, NonNegative, Options, Positive, Several, Text, Whole, sizes_of
from gan_cli.config.options.datasets import (
    CelebAOptions,
    GaussianOptions,
    ImageOptions,
    LSUNOptions,
    PointOptions,
    SwissRollOptions,
)
from gan_cli.config.options.ensemble import ensemble_problems
from gan_cli.config.options.games import AdamOptions, DCGANOptions, WassersteinOptions
from gan_cli.config.typed import typed
from gan_cli.errors import UserError


def known_device(value: str) -> str:
    """Raises ValueError unless it can name a device."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value):
        raise ValueError("must be auto, cpu, cuda, cuda:N or mps")
    return value


def _file_name(value: str) -> str:
    if not re.fullmatch(r"[\w.,+=-]{1,100}", value) or value.startswith("."):
        raise ValueError("must be letters, digits and -_.,+= alone: it names a folder")
    if (size := len(value.encode())) > 200:
        raise ValueError(f"must have 200 bytes at most, not {size}: it names a folder")
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
    batch_size: BatchSize
    seed: Whole
    conditional: bool
    updates: Literal["alternating", "simultaneous", "extragradient", "optimistic"]
    reuse_fakes: bool
    discriminator: PlayerOptions
    generator: PlayerOptions
    ema_half_life: NonNegative
    instance_noise: InstanceNoiseOptions
    augment: list[Literal["color", "translation", "cutout"]]
    pack: Annotated[Count, Field(le=16)]
    on_divergence: Literal["stop", "continue"]

    device: Annotated[str, AfterValidator(known_device)]
    devices: Count
    sync_batchnorm: bool
    precision: Literal["fp32", "tf32", "bf16", "fp16", "auto"]
    capture: Literal["auto", True, False]
    compile: bool
    deterministic: bool
    ensemble: Whole

    log_every: Whole
    sample_every: Whole
    sample_count: Count
    checkpoint_every: Whole
    keep_checkpoints: Count
    evaluate_every: Whole
    evaluate_count: Several
    watch: Text | None
    patience: Whole
    figure: Literal["saturation", "kl_vs_js"] | None

    name: Annotated[str, AfterValidator(_file_name)] | None
    resume: Text | None
    dry_run: bool


class Config(Root):
    """Everything a run needs to know."""

    model: Choice
    dataset: Choice
    architecture: Choice
    loss: Choice
    prior: Choice
    optimizer: Choice
    schedule: Choice
    penalty: dict[str, Choice]
    metrics: dict[str, Choice]
    extractor: Choice
    logger: dict[str, Choice]

    def player(self, name: str) -> PlayerOptions:
        """Moves in a turn and rate of a player: what stands under its name, else one move at the optimizer's rate."""
        own = {"discriminator": self.discriminator, "generator": self.generator}
        return own.get(name) or PlayerOptions(steps=1, lr=getattr(self.optimizer, "lr"))  # noqa: B009

    def saved(self) -> dict[str, Any]:
        """Plain values for a checkpoint. Names only: nothing in it can say which code to run."""
        saved = self.model_dump(exclude={"name", "resume", "dry_run"})
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
    values, problems = typed(raw, library, Root, tuple(SCHEMAS))
    problems.extend(_contradictions(values, raw))
    if problems:
        raise UserError(*problems)
    return Config.model_construct(None, **values)


def from_saved(saved: Mapping[str, Any], library: Library) -> Config:
    """The config in a checkpoint; keys that the program has learnt since take their defaults.

    Raises:
        UserError: if it does not fit this version otherwise, or an option is of one's own and its folder not given.
    """
    return validate(completed(saved, library), library)


def completed(saved: Mapping[str, Any], library: Library) -> dict[str, Any]:
    """The values in a checkpoint, and the defaults of keys that it does not know."""
    complete = {"name": None, "resume": None, "dry_run": False, **saved}
    if not {*SCHEMAS, *Root.model_fields} <= complete.keys():
        complete = {**compose(Command(), library, []).values, **complete}
    for group in SCHEMAS:
        node = complete.get(group) or {}
        if group in SEVERAL:
            complete[group] = {name: _completed(group, options, library) for name, options in node.items()}
        else:
            complete[group] = _completed(group, node, library)
    return complete


def _completed(group: str, node: Any, library: Library) -> Any:
    if not isinstance(node, Mapping) or node.get("name") not in library.options(group):
        return node  # validation says what is wrong with it
    defaults = {key: value for key, value in library.values(group, node["name"]).items() if key != "class"}
    return _filled(node, {**defaults, **library.schema(group, node["name"]).before})


def _filled(node: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """``node`` with the defaults it lacks, at any depth, but for those that refer to other keys."""
    filled = dict(node)
    for key, default in defaults.items():
        if isinstance(default, Mapping) and isinstance(filled.get(key), Mapping):
            filled[key] = _filled(filled[key], default)
        elif key not in filled and not str(default).startswith("${"):
            filled[key] = default
    return filled


def _contradictions(choices: Mapping[str, Any], root: Mapping[str, Any]) -> list[str]:
    """Values that are fine alone and wrong together."""
    problems = ensemble_problems(choices, root) if root.get("ensemble") else []
    dataset, architecture = choices.get("dataset"), choices.get("architecture")
    if (model := choices.get("model")) and model.name != "gan":
        architecture = None  # its networks are its own
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
    pack, batches = root.get("pack", 1), sizes_of(root.get("batch_size", 0))
    if isinstance(pack, int) and pack > 1:
        problems += [
            f"pack={pack}: D sees {pack} samples at a time, so batch_size={batch} must be a multiple"
            for batch in batches
            if batch % pack
        ]
        if root.get("conditional") is True:
            problems.append(f"pack={pack}: packs have no label of their own: use pack=1 or conditional=false")
    if isinstance(devices := root.get("devices", 1), int) and devices > 1:
        problems += _several(devices, pack, batches, root)
    if root.get("augment") and isinstance(dataset, PointOptions):
        problems.append(f"augment={shown(root['augment'])}: is for pictures, and dataset={dataset.name} holds points")
    if (
        root.get("compile") is True
        and not root.get("ensemble")
        and (slopes := sorted(set(choices.get("penalty", ())) - {"consistency"}))
    ):
        problems.append(
            f"compile=true: a compiled discriminator has no second derivative, which penalty={slopes[0]} needs: "
            "use compile=false (on a GPU, capture does more)"
        )
    device, precision = root.get("device"), root.get("precision")
    if device in ("cpu", "mps"):
        if root.get("capture") is True:
            problems.append(f"capture=true: is for CUDA devices, and device={device}: use capture=auto")
        if precision in ("tf32", "fp16"):
            problems.append(f"precision={precision}: is for CUDA devices, and device={device}: use fp32 or bf16")
    optimizer = choices.get("optimizer")
    if precision == "fp16" and optimizer is not None and not isinstance(optimizer, AdamOptions):
        problems.append(
            f"precision=fp16: moves that overflow are skipped, which optimizer={optimizer.name} cannot: "
            "use optimizer=adam or precision=bf16"
        )
    if root.get("watch") and not choices.get("metrics"):
        problems.append(f"watch={root['watch']}: nothing is measured: add metrics=[…], such as metrics=[frechet]")
    if root.get("patience") and not root.get("watch"):
        problems.append(f"patience={root['patience']}: of which metric? add watch=…, such as watch=frechet")
    if root.get("patience") and root.get("evaluate_every") == 0:
        problems.append(f"patience={root['patience']}: is measured at the end alone: set evaluate_every to 1 or more")
    if root.get("figure") and root.get("log_every") == 0:
        problems.append(f"figure={root['figure']}: is drawn from what is logged: set log_every to 1 or more")
    if isinstance(loss := choices.get("loss"), WassersteinOptions) and not loss.clip and not choices.get("penalty"):
        problems.append("loss.clip=0: nothing keeps the critic Lipschitz: add penalty=gradient_penalty, or clip=0.01")
    return problems


def _several(devices: int, pack: Any, batches: Sequence[int], root: Mapping[str, Any]) -> list[str]:
    """What several processes cannot do."""
    part = devices * pack if isinstance(pack, int) else devices
    packs = f" of whole packs of {pack}" if part > devices else ""
    problems = [
        f"devices={devices}: each takes an equal share{packs} of batch_size={batch}, so it must be a multiple "
        f"of {part}, such as batch_size={max(1, round(batch / part)) * part}"
        for batch in batches
        if batch % part
    ]
    if root.get("capture") is True:
        problems.append(f"capture=true: devices={devices} average gradients within a move: use capture=auto")
    if re.fullmatch(r"mps|cuda:\d+", str(root.get("device"))):
        problems.append(
            f"device={root['device']}: is one device, and devices={devices} wants {devices}: use device=auto or cpu"
        )
    return problems
