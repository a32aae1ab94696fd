"""From seeds and labels to samples: which ones are drawn, whether the generator can draw them, and the drawing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.commands.sampling.given import labels_beside, latents_at, places_of
from gan_cli.commands.sampling.grammar import direction, terms
from gan_cli.commands.sampling.keys import PICTURES, Sampling
from gan_cli.data.columns import groups
from gan_cli.errors import UserError
from gan_cli.games.labels import Label, file_words, labels_typed, tensor_of
from gan_cli.games.sampler import Sampler
from gan_cli.models.priors import Seeds, Uniform
from gan_cli.output import screen
from gan_cli.runs.loading import Trained

SHEET = 10_000  # pictures on one sheet or in one animation
AT_ONCE = 1024  # samples in memory before they are written
OF_LATENTS = ("truncation", "interpolation", "arithmetic", "latents")  # keys that are about what lies between latents


@dataclass(frozen=True)
class Shot:
    """One picture: its seed, and its label if the generator is conditional."""

    seed: int
    label: Label | None


def misfits(config: Sampling, found: Trained) -> list[str]:
    """One line for each key whose value this generator cannot draw."""
    problems, sampler = [], found.sampler
    shared = config.mode in ("interpolation", "arithmetic", "directions")
    labels: Sequence[Label] = ()
    if config.label and not sampler.classes:
        problems.append(f"label={config.label}: this generator is not conditional: leave it out")
    elif config.label:
        try:
            labels = chosen_labels(config, sampler)
        except ValueError as error:
            problems.append(f"label={config.label}: {error}")
    elif sampler.classes and config.latents and config.mode == PICTURES:
        labels_beside(config, sampler, len(places_of(config, sampler)))
    elif sampler.classes and shared:
        first = _default(0, sampler)
        assert first is not None
        one = said(first, sampler)
        problems.append(f"label: is missing: the pictures of {config.mode}=… share one, such as label={one}")
    if len(labels) > 1 and shared:
        one = said(labels[0], sampler)
        problems.append(f"label={config.label}: the pictures of {config.mode}=… share one label, such as label={one}")
    if config.export in ("torch", "onnx") and sampler.game is not None and sampler.game.draws_in_steps:
        name = sampler.config.model.name
        problems.append(f"export={config.export}: model={name} draws in steps: use export=safetensors")
    if isinstance(sampler.prior, Seeds):
        problems += [
            f"{key}={value}: a latent of model={sampler.config.model.name} only seeds its Markov chain: leave it out"
            for key in OF_LATENTS
            if (value := vars(config)[key]) is not None
        ]
    elif config.interpolation == "spherical" and isinstance(sampler.prior, Uniform):
        problems.append("interpolation=spherical: leaves the cube of prior=uniform: use interpolation=linear")
    problems += _of_format(config, found)
    if config.project and _what(found) == "signals":
        problems.append(f"project={config.project}: is for pictures, and this generator makes signals: leave it out")
    if not _has_cells(found):
        foreign = {"interpolation": config.interpolation, "arithmetic": config.arithmetic, "columns": config.columns}
        foreign |= {"project": config.project, "directions": config.directions}
        foreign["format"] = config.format if config.format == "png" else None
        foreign["captions"] = "true" if config.captions else None
        problems += [
            f"{key}={value}: is for pictures, and this generator makes {_what(found)}: leave it out"
            for key, value in foreign.items()
            if value is not None
        ]
    elif config.kind in ("grid", "strip", "gif", "mp4") and (count := _count(config, sampler, len(labels))) > SHEET:
        problems.append(
            f"format={config.kind}: would hold {count:,} pictures, at most {SHEET:,} fit: "
            + ("use format=png or npz" if config.mode == PICTURES else "name fewer seeds")
        )
    if config.latents and config.mode == "interpolation" and len(places_of(config, sampler)) < 2:
        problems.append(f"latents={config.latents}: holds one latent, and an interpolation needs two or more")
    return problems


def _has_cells(found: Trained) -> bool:
    """Whether its samples are pictures, or signals, which are drawn as such."""
    return len(found.weights.shape) > 1


def _what(found: Trained) -> str:
    pictures = {2: "signals", 3: "pictures"}.get(len(found.weights.shape), "points")
    return "rows of a table" if pictures == "points" and found.sampler.fields else pictures


def _of_format(config: Sampling, found: Trained) -> list[str]:
    """A format that cannot hold what this generator makes."""
    kind, made = config.kind, _what(found)
    if kind in ("csv", "parquet") and made == "pictures":
        return [f"format={kind}: holds rows of numbers, and this generator makes pictures: use format=png, npz or npy"]
    if kind == "wav" and made != "signals":
        return [f"format=wav: holds sounds, and this generator makes {made}: leave it out"]
    if kind == "npy" and any(group != -1 for group in groups(found.sampler.fields)):
        return ["format=npy: holds numbers alone, and this table has categories: use format=csv or parquet"]
    return []


def chosen_labels(config: Sampling, sampler: Sampler) -> Sequence[Label]:
    """The labels in ``label=…``; empty without it.

    Raises:
        ValueError: if this generator has no such labels.
    """
    return labels_typed(config.label, sampler) if config.label else []


def said(label: Label, sampler: Sampler) -> str:
    """A label in words."""
    return sampler.said(torch.tensor(label))


def words_of(wanted: Sequence[Shot], sampler: Sampler) -> dict[Label, str]:
    """A word for each label that is valid in a file name, each different."""
    if sampler.conditions is None:
        return dict(enumerate(file_words(sampler.names, sampler.classes)))
    each = list(dict.fromkeys(shot.label for shot in wanted if shot.label is not None))
    return dict(zip(each, file_words([said(label, sampler) for label in each], len(each)), strict=True))


def _default(seed: int, sampler: Sampler) -> Label | None:
    """The label that a seed has of its own."""
    labels = sampler.labels_of([seed])
    if labels is None:
        return None
    return tuple(labels[0].tolist()) if sampler.conditions is not None else int(labels[0])


def _count(config: Sampling, sampler: Sampler, labels: int) -> int:
    seeds = len(places_of(config, sampler))
    if config.mode == "interpolation":
        return seeds * config.in_a_row
    if config.directions:
        return seeds * config.in_a_row * (direction(config.directions) or 1)
    if config.arithmetic:
        return len(terms(config.arithmetic)) + 1
    return seeds * max(1, labels)


def shots(config: Sampling, sampler: Sampler) -> list[Shot]:
    """Each seed with each label in ``label=…``; without it, each seed with its own label.

    Of latents out of a file, their numbers there stand for seeds, and their labels are those that lie beside them.
    """
    seeds = places_of(config, sampler)
    if not sampler.classes:
        return [Shot(seed, None) for seed in seeds]
    labels = chosen_labels(config, sampler)
    if config.latents and not labels:
        return [Shot(*each) for each in zip(seeds, labels_beside(config, sampler, len(seeds)), strict=True)]

    def of(seed: int) -> Sequence[Label | None]:
        return labels or [_default(seed, sampler)]

    return [Shot(seed, label) for seed in seeds for label in of(seed)]


def drawn_shots(config: Sampling, found: Trained, wanted: Sequence[Shot]) -> Iterator[tuple[Sequence[Shot], Tensor]]:
    """The samples of the shots, in batches. The bits of a sample do not depend on the other shots."""
    with screen.progress("drawing", len(wanted)) as tick:
        for start in range(0, len(wanted), AT_ONCE):
            part = wanted[start : start + AT_ONCE]
            seeds = [shot.seed for shot in part]
            labels, z = tensor_of([shot.label for shot in part]), latents_at(config, found.sampler, seeds)
            yield part, samples(found, z, seeds, labels, config.truncation, tick)


def samples(
    found: Trained,
    latents: Tensor,
    places: Sequence[int],
    labels: Tensor | None,
    truncation: float | None,
    tick: Callable[[], None] | None = None,
) -> Tensor:
    """The samples of latents (n, size), scaled by ``truncation``; ``tick`` is called after each sample.

    Raises:
        UserError: if they are not finite.
    """
    z = latents if truncation is None else truncation * latents
    x = found.sampler.decode_apart(z, places, labels, tick=tick)
    if not x.isfinite().all():
        raise UserError(
            f"checkpoint={found.weights.folder}: its samples at step {found.weights.step} are not finite, training "
            "diverged: give an earlier checkpoint"
        )
    return x
