"""``gan-sample directions=…``: strips along directions in the latent space, one a row, with their numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan_cli.commands.sampling.draw import chosen_labels, samples
from gan_cli.commands.sampling.given import latents_at, places_of
from gan_cli.commands.sampling.grammar import direction
from gan_cli.commands.sampling.keys import Sampling
from gan_cli.commands.sampling.knowing import evidence_of, prepared
from gan_cli.commands.sampling.output import output
from gan_cli.config.library import Library
from gan_cli.config.mistakes import suggestion
from gan_cli.data.conditions import Condition
from gan_cli.data.samples import as_input
from gan_cli.errors import UserError
from gan_cli.games.directions import Directions, between, first_layer, of_samples, of_weights, spread
from gan_cli.games.exactly import as_used
from gan_cli.games.game import Encodes
from gan_cli.games.labels import ALL, Label, labels_of, tensor_of
from gan_cli.games.projectable import refusal
from gan_cli.games.sampler import Sampler
from gan_cli.metrics.evidence import Evidence
from gan_cli.output.curves import as_pictures
from gan_cli.output.pictures import as_bytes, grid, save_png
from gan_cli.output.replacing import replacing
from gan_cli.output.text import composed
from gan_cli.output.titles import titled
from gan_cli.runs.loading import Trained
from gan_cli.version import __version__

DRAWN = 2000  # samples, or pictures with labels, that tell a direction
FEWEST = 20  # of them on each side of a direction between classes

Told = dict[str, object]


def problems(config: Sampling, sampler: Sampler) -> list[str]:
    """One line for each reason that this model has no such directions."""
    text = str(config.directions)
    if (why := refusal(sampler)) is not None:
        return [f"directions={text}: {why}"]
    number, size = direction(text), sampler.prior.size
    if number is not None and number > size:
        return [f"directions={text}: a latent of this generator has {size} numbers: at most {size}"]
    if number is None and sampler.classes:
        return [
            f"directions={text}: this generator is conditional: label=… chooses the class, and its latents hold the "
            "rest: use directions=5 label=…"
        ]
    return []


def directed(config: Sampling, found: Trained, library: Library) -> tuple[str, Path]:
    """Writes the strips, ``.npy`` with the directions and ``.json`` with their numbers; what it wrote, and where.

    Raises:
        UserError: if there are no such directions, or the output cannot be written.
    """
    sampler, number = found.sampler, direction(str(config.directions))
    labels = chosen_labels(config, sampler)
    label = labels[0] if labels else None
    if number is None:
        vectors, told, what = _of_classes(config, found, library)
    else:
        vectors, told, what = _principal(config, found, number, label)
    sigma, most = spread(sampler.prior), config.sigmas or 3.0
    steps = torch.linspace(-most, most, config.in_a_row)
    places = places_of(config, sampler)
    about = {
        "checkpoint": str(found.weights.folder),
        "step": found.weights.step,
        "ema": found.weights.ema,
        **told,
        "sigma": sigma,
        "steps_in_sigma": steps.tolist(),
        **({"latents": str(config.latents)} if config.latents else {"seeds": list(places)}),
        **({} if config.truncation is None else {"truncation": config.truncation}),
        **({} if label is None else {"label": label}),
        "program": f"gan-cli {__version__}",
    }
    starts = latents_at(config, sampler, places) * (1.0 if config.truncation is None else config.truncation)
    way = starts[:, None, None] + sigma * steps[:, None] * vectors[:, None]  # (starts, directions, steps, size)
    rows = [place if step == 0 else i for place in places for _ in vectors for i, step in enumerate(steps.tolist())]
    given = tensor_of([label] * len(rows))
    pictures = samples(found, way.flatten(0, 2), rows, given, None)
    with output(config, found.weights.folder, found.weights.step) as path:
        with replacing(path.with_suffix(".npy")) as aside:
            np.save(aside, vectors.numpy())
        with replacing(path.with_suffix(".json")) as aside:
            text = json.dumps(about, indent=2, ensure_ascii=False, allow_nan=False)
            aside.write_text(f"{text}\n", encoding="utf-8", errors="backslashreplace")
        save_png(
            titled(
                grid(as_pictures(pictures), len(steps)), [f"{step:+.3g}" if step else "0" for step in steps.tolist()]
            ),
            path,
        )
    return what, path


def _principal(config: Sampling, found: Trained, count: int, label: Label | None) -> tuple[Tensor, Told, str]:
    """By the first layer's weights where it takes latents as they are, else by samples."""
    sampler = found.sampler
    layer, few = None, sampler.latents(4, 0).to(sampler.device)
    if config.method != "samples":
        given = tensor_of([label] * len(few))
        given = None if given is None else given.to(sampler.device)
        with as_used(sampler.game, sampler.device, 0) if sampler.game else nullcontext():
            layer = first_layer(sampler.network, few, given)
    if layer is None and config.method == "weights":
        raise UserError("method=weights: no layer of this network takes whole latents linearly: use method=samples")
    if layer is not None:
        made = of_weights(layer.weight, count)
        how: Told = {"method": "weights: singular vectors of a first layer (SeFa)", "layer": layer.name}
        of, unit = f"weights of {layer.name}", "singular_value"
    else:
        z = sampler.latents(max(DRAWN, 4 * count), 0)
        x = samples(found, z, range(len(z)), tensor_of([label] * len(z)), None)
        made = of_samples(z, x, count)
        how = {"method": "samples: principal components and regression (GANSpace)", "samples": len(z)}
        of, unit = f"principal components of {len(z):,} samples", "deviation"
    if len(made.vectors) < count:
        raise UserError(f"directions={count}: there are {len(made.vectors)} of the {of}: ask for so many")
    what = f"{count} direction{'s' * (count > 1)} ({of}, {made.shares.sum():.1%} of the variance)"
    return made.vectors, {**how, "directions": _numbers(made, unit)}, what


def _numbers(made: Directions, unit: str) -> list[dict[str, float]]:
    pairs = zip(made.strengths.tolist(), made.shares.tolist(), strict=True)
    return [{unit: strength, "explained_share": share} for strength, share in pairs]


def _of_classes(config: Sampling, found: Trained, library: Library) -> tuple[Tensor, Told, str]:
    """From some classes of the data to others: by the codes of labelled pictures, or by what samples are taken for.

    Of data with conditions, from where one of them is not or is below its mean, to where it is.
    """
    text, sampler = str(config.directions), found.sampler
    key, encodes = f"directions={text}", isinstance(sampler.game, Encodes)
    evidence = evidence_of(key, found, library)
    if evidence.training.labels is None:
        raise UserError(f"{key}: the data have no labels: give a number of directions, such as directions=5")
    if (conditions := evidence.training.conditions) and not encodes:
        raise UserError(f"{key}: an extractor tells classes, and these data have conditions: use directions=5")
    names, classes = evidence.training.names, evidence.training.classes
    sides = None if conditions else _sides(key, text, names, classes)
    latents, labels, by = _coded(evidence, found) if encodes else _classified(key, evidence, found, library)
    if sides is None:
        one, other = _halves(key, text, conditions, labels)
        told: Told = {"condition": text}
    else:
        one, other = (np.isin(labels, side) for side in sides)
        told = {"from_labels": sides[0], "to_labels": sides[1]}
    counts = [int(one.sum()), int(other.sum())]
    if min(counts) < FEWEST:
        raise UserError(f"{key}: {counts[0]:,} and {counts[1]:,} of {len(labels):,} {by}: too few to tell a direction")
    vector, area = between(latents[one], latents[other])
    told = {"method": f"labels: mean latents of two sides, by {by}", **told, "counts": counts}
    what = f"a direction by {sum(counts):,} {by} (area under the ROC curve {area:.3f})"
    return vector[None], {**told, "directions": [{"roc_area": area}]}, what


def _halves(key: str, text: str, conditions: Sequence[Condition], labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a condition is not or is below its mean, and where it is: masks of the rows (N, k).

    Raises:
        UserError: if there is no such condition.
    """
    names = [composed(condition.name) for condition in conditions]
    if (wanted := composed(text.strip())) not in names:
        raise UserError(f"{key}: no condition is called so{suggestion(text, names)}: they are {', '.join(names[:20])}")
    place = names.index(wanted)
    there = labels[:, place] > (0.5 if conditions[place].kind == "attribute" else 0.0)
    return ~there, there


def _sides(key: str, text: str, names: Sequence[str], classes: int) -> tuple[list[int], list[int]]:
    """The labels that ``from:to`` names; ``cat`` is from all others to cat.

    Raises:
        UserError: if there are no such labels, or both sides hold one.
    """
    first, colon, last = text.partition(":")
    if not colon or composed(text.strip()) in map(composed, names):
        first, last = ALL, text
    try:
        sides = [None if side.strip() == ALL else labels_of(side, names, classes) for side in (first, last)]
    except ValueError as error:
        raise UserError(f"{key}: {error}") from error
    every, (one, other) = range(classes), sides
    one = [each for each in every if each not in (other or [])] if one is None else one
    other = [each for each in every if each not in one] if other is None else other
    if not one or not other or set(one) & set(other):
        raise UserError(f"{key}: needs different classes on both sides: write from:to, such as cat:dog or all:dog")
    return one, other


def _coded(evidence: Evidence, found: Trained) -> tuple[Tensor, np.ndarray, str]:
    """Codes of training pictures, and their labels."""
    training = evidence.some_samples(evidence.training, DRAWN, "directions")
    assert training.labels is not None
    return found.sampler.encode(as_input(training.values)), training.labels, "training pictures"


def _classified(key: str, evidence: Evidence, found: Trained, library: Library) -> tuple[Tensor, np.ndarray, str]:
    """Latents of seeds, and what the extractor takes their samples for.

    Raises:
        UserError: if it does not tell the classes of the data.
    """
    if not evidence.is_image:
        raise UserError(f"{key}: an extractor tells classes of pictures, and these samples are none: use directions=5")
    extractor = prepared(key, evidence, found, library)
    if not extractor.tells_classes or not extractor.of_labels:
        name = found.sampler.config.extractor.name
        raise UserError(f"{key}: extractor={name} does not tell the classes of the data: use directions=5")
    z = found.sampler.latents(DRAWN, 0)
    probabilities = extractor.probabilities(as_bytes(samples(found, z, range(DRAWN), None, None)).numpy())
    if probabilities.ndim != 2:
        raise UserError(f"{key}: its pictures are stacks, of a class for each channel: use directions=5")
    return z, probabilities.argmax(axis=1), "classified samples"
