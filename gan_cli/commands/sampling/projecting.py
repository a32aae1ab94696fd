"""``gan-sample project=photo.jpg``: the nearest latents, each picture beside its sample, and how near they are."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gan_cli.commands.sampling.draw import SHEET, chosen_labels
from gan_cli.commands.sampling.keys import OF_SEARCH, Sampling
from gan_cli.commands.sampling.knowing import evidence_of, prepared
from gan_cli.commands.sampling.output import output
from gan_cli.config.library import Library
from gan_cli.config.numbers import numbers
from gan_cli.data.samples import as_input
from gan_cli.data.single import pictures_at
from gan_cli.errors import UserError
from gan_cli.games.comparing import Features
from gan_cli.games.game import Encodes, Inverts
from gan_cli.games.projectable import chosen_features, refusal
from gan_cli.games.projection import Projection, Search, project, tried
from gan_cli.games.sampler import Sampler
from gan_cli.metrics.extractors.extractor import Differentiable
from gan_cli.output import screen
from gan_cli.output.pictures import columns_of, grid, save_png
from gan_cli.output.replacing import replacing
from gan_cli.output.screen import say
from gan_cli.output.titles import titled
from gan_cli.runs.loading import Trained
from gan_cli.version import __version__

PAIR = ["picture", "nearest"]


def problems(config: Sampling, sampler: Sampler) -> list[str]:
    """One line for each key of a search that this model has no use for."""
    if (why := refusal(sampler)) is not None:
        return [f"project={config.project}: {why}"]
    found, name = [], sampler.config.model.name
    with suppress(ValueError):  # of a label that is none, which is told with other misfits
        if len(chosen_labels(config, sampler)) > 1:
            found.append(f"label={config.label}: a picture has one label: give one, or none, and each is tried")
    if isinstance(sampler.game, Inverts):
        idle = [key for key in OF_SEARCH if vars(config)[key] is not None]
        found += [f"{key}={vars(config)[key]}: model={name} has an exact inverse: leave it out" for key in idle]
    elif config.encoder in ("start", "alone") and not isinstance(sampler.game, Encodes):
        found.append(f"encoder={config.encoder}: model={name} has no encoder here: leave it out")
    return found


def projected(config: Sampling, found: Trained, library: Library) -> tuple[str, Path]:
    """Writes the pairs, ``.npy`` with the latents and ``.json`` with what is known of them; what it wrote, and where.

    Raises:
        UserError: if the pictures cannot be read, or the output cannot be written.
    """
    sampler, labels = found.sampler, chosen_labels(config, found.sampler)
    options = sampler.config.dataset.model_dump()
    pictures = pictures_at(str(config.project), "project", found.weights.shape, options, SHEET // 2)
    for note in pictures.notes:
        say("gan-sample", note)
    kind = config.features or "auto"
    features = _of_extractor(found, library) if kind == "extractor" else chosen_features(sampler, kind)
    search = _search(config)
    several = len(tried(sampler)) if sampler.classes and not labels else 1
    with screen.progress("projecting", len(pictures.names) * search.steps(several)) as tick:
        results = [
            project(sampler, x, labels[0] if labels else None, search, features, tick)
            for x in as_input(pictures.values)
        ]
    told = features if isinstance(features, str) else "none" if features is None else "extractor"
    about = {
        "checkpoint": str(found.weights.folder),
        "step": found.weights.step,
        "ema": found.weights.ema,
        **_how(results[0], search, told, config.seeds_text),
        "units": "rmse: levels of 0 to 255; cost: 1 is the mean of random latents",
        "pictures": [_told(name, result, sampler) for name, result in zip(pictures.names, results, strict=True)],
        "program": f"gan-cli {__version__}",
    }
    with output(config, found.weights.folder, found.weights.step) as path:
        with replacing(path.with_suffix(".npy")) as aside:
            np.save(aside, torch.stack([result.latent for result in results]).numpy())
        with replacing(path.with_suffix(".json")) as aside:
            text = json.dumps(about, indent=2, ensure_ascii=False, allow_nan=False)
            aside.write_text(f"{text}\n", encoding="utf-8", errors="backslashreplace")
        save_png(_pairs(results), path)
    return _line(results, sampler), path


def _search(config: Sampling) -> Search:
    typed = {"restarts": config.restarts, "iterations": config.iterations, "weight": config.feature_weight}
    options = {key: value for key, value in typed.items() if value is not None}
    return Search(numbers(config.seeds_text), **options, encoder=config.encoder or "start")  # type: ignore[arg-type]


def _of_extractor(found: Trained, library: Library) -> Features:
    """The features of the run's extractor.

    Raises:
        UserError: if it cannot be had here, or has no gradient.
    """
    key = "features=extractor"
    extractor = prepared(key, evidence_of(key, found, library), found, library)
    if not isinstance(extractor, Differentiable):
        name = found.sampler.config.extractor.name
        raise UserError(
            f"features=extractor: extractor={name} has no gradient to follow: use features=none, or discriminator"
        )
    return lambda x, _: extractor.embedded(x)


def _how(result: Projection, search: Search, features: str, seeds: str) -> dict[str, object]:
    """What led to all of the latents."""
    if result.found == "inverse":
        return {"method": "exact inverse", "random_seeds": seeds}
    if search.encoder == "alone" and result.found == "code":
        return {"method": "encoder", "random_seeds": seeds}
    weight = 0.0 if features == "none" else search.weight
    how = {"features": features, "feature_weight": weight, "restarts": search.restarts}
    return {"method": "descent", **how, "random_seeds": seeds}


def _told(name: str, result: Projection, sampler: Sampler) -> dict[str, object]:
    """What is known of a latent."""
    of_label: dict[str, object] = {}
    if result.label is not None:
        of_label = {"label": result.label, "label_name": sampler.said(torch.tensor(result.label))}
    if result.by_label:
        key = "negative_log_likelihood_by_label" if result.found == "inverse" else "cost_by_label"
        of_label[key] = result.by_label
    return {
        "file": name,
        **of_label,
        "rmse": result.rmse,
        "psnr": result.psnr if math.isfinite(result.psnr) else None,
        "random_rmse": result.random_rmse,
        "found_from": result.found,
        "iterations": result.iterations,
        "start_cost": result.start_cost,
        "end_cost": result.end_cost,
        "latent_norm": float(result.latent.norm()),
        "random_norm": float(sampler.latents(64, 0).norm(dim=1).mean()),
    }


def _pairs(results: Sequence[Projection]) -> Image.Image:
    """Each picture as the model may make it, and the sample of its latent beside it."""
    both: list[Tensor] = [x for result in results for x in (result.target, result.sample)]
    columns = max(1, columns_of(len(both)) // 2) * 2
    return titled(grid(torch.stack(both), columns), PAIR * (columns // 2))


def _line(results: Sequence[Projection], sampler: Sampler) -> str:
    """``the nearest latent of 1 picture (label 7; RMSE 7.1 of 255, random latents 67.6; cost 0.32 to 0.009 …)``"""
    one, many = results[0], len(results) > 1

    def mean(name: str) -> float:
        return float(np.mean([vars(result)[name] for result in results]))

    label = "" if one.label is None or many else f"label {sampler.said(torch.tensor(one.label))}; "
    how = {"inverse": "exact inverse", "code": "by the encoder"}.get(one.found if not one.iterations else "", "")
    how = how or f"cost {mean('start_cost'):.3g} to {mean('end_cost'):.3g} in {one.iterations} iterations"
    what = f"the nearest latents of {len(results)} pictures (means: " if many else "the nearest latent of 1 picture ("
    return f"{what}{label}RMSE {mean('rmse'):.3g} of 255, random latents {mean('random_rmse'):.3g}; {how})"
