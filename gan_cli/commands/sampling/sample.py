"""The work of ``gan-sample``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan_cli.commands.sampling import directing, files, projecting
from gan_cli.commands.sampling import values as values_of
from gan_cli.commands.sampling.draw import (
    Shot,
    chosen_labels,
    drawn_shots,
    misfits,
    samples,
    shots,
    words_of,
)
from gan_cli.commands.sampling.given import latents_at, places_of
from gan_cli.commands.sampling.grammar import terms
from gan_cli.commands.sampling.keys import PICTURES, THERE, Sampling
from gan_cli.commands.sampling.output import output, path_of
from gan_cli.commands.sampling.sheets import sheet
from gan_cli.commands.sampling.ways import legs, loop, summed
from gan_cli.config.library import Library
from gan_cli.data.coding import restored
from gan_cli.data.samples import as_stored
from gan_cli.errors import UserError
from gan_cli.games.labels import Label, tensor_of
from gan_cli.games.sampler import Sampler
from gan_cli.memory import enough
from gan_cli.output.curves import as_pictures
from gan_cli.output.pictures import as_bytes, deep_image_of, grid, image_of, save_png
from gan_cli.output.replacing import is_free
from gan_cli.output.screen import say
from gan_cli.runs import checkpoint
from gan_cli.runs.loading import Trained, trained

Saver = Callable[[Tensor, Path], None]


def run(config: Sampling, library: Library) -> None:
    """Writes the output and reports it in one line on stderr.

    Raises:
        UserError: if the checkpoint cannot be read, the generator cannot do it, or the output cannot be written.
    """
    assert config.checkpoint  # its absence is a contradiction
    if config.mode == "morph":
        what, path = _morph(config, checkpoint.run_folder(config.checkpoint, "checkpoint"))
    else:
        found = trained(config.checkpoint, library, "cpu" if config.export else config.device, ema=config.ema)
        refuse = {"project": projecting.problems, "directions": directing.problems}.get(config.mode)
        if problems := (refuse(config, found.sampler) if refuse else []) or misfits(config, found):
            raise UserError(*problems)
        if (known := found.sampler.conditions) is not None:
            rows = [row for row in chosen_labels(config, found.sampler) if not isinstance(row, int)]
            for far in dict.fromkeys(far for row in rows for far in known.beyond(row)):
                say("gan-sample", f"label={far}: beyond what was learnt")
        make = {
            PICTURES: _each,
            "interpolation": _interpolation,
            "arithmetic": _arithmetic,
            "project": projecting.projected,
            "directions": directing.directed,
            "export": _hub if config.export == "hub" else _export,
        }
        with enough(f"seeds={config.seeds_text}", "draw fewer at a time, or use format=png"):
            what, path = make[config.mode](config, found, library)
        what = f"{what} of step {found.weights.step}"
    say("gan-sample", f"wrote {what}: {path}")


def _each(config: Sampling, found: Trained, library: Library) -> tuple[str, Path]:
    """A sample for each seed, as a grid, single files or arrays."""
    wanted = shots(config, found.sampler)
    words, shape = words_of(wanted, found.sampler), found.weights.shape
    is_image, noun = len(shape) == 3, {2: "signal", 3: "picture"}.get(len(shape), "point")
    deep = found.weights.full_depth
    parts = drawn_shots(config, found, wanted)
    noun = "row" if noun == "point" and found.sampler.fields else noun
    what = f"{len(wanted)} {noun}{'s' * (len(wanted) > 1)}"
    if config.kind in ("png", "wav"):
        first = next(parts)  # if it fails, nothing is made
        with output(config, found.weights.folder, found.weights.step) as path:
            places = {shot: path / _file_name(config, shot, words) for shot in wanted}
            _write_each(chain([first], parts), places, path, _saver(config, found))
    elif config.kind == "npz":
        values = torch.cat([as_stored(part, full_depth=deep) for _, part in parts])
        with output(config, found.weights.folder, found.weights.step) as path:
            files.write_npz(path, _arrays(config, values, wanted, f"{noun}s", found.sampler))
    elif config.kind == "npy":
        each = [as_stored(part, full_depth=deep).numpy() if is_image else _units(found, part) for _, part in parts]
        with output(config, found.weights.folder, found.weights.step) as path:
            values_of.write_npy(path, np.concatenate(each))
    elif config.kind in values_of.TABLES:
        table = values_of.arranged(found.sampler, torch.cat([part for _, part in parts]), wanted)
        with output(config, found.weights.folder, found.weights.step) as path:
            values_of.TABLES[config.kind](path, table)
    else:
        values = torch.cat([part for _, part in parts])
        image = sheet(config, found, library, wanted, values)
        with output(config, found.weights.folder, found.weights.step) as path:
            drawn = {"latents": Path(config.latents).name} if config.latents else {"seeds": config.seeds_text}
            save_png(image, path, **drawn, **({"label": config.label} if config.label else {}))
    return what, path


def _write_each(
    parts: Iterable[tuple[Sequence[Shot], Tensor]], places: Mapping[Shot, Path], folder: Path, save: Saver
) -> None:
    """Writes a file for each sample; if interrupted, reports how many there are."""
    try:
        with ThreadPoolExecutor() as pool:
            for part, drawn in parts:
                list(pool.map(save, drawn, map(places.__getitem__, part)))
    except KeyboardInterrupt:
        there = sum(place.exists() for place in places.values())
        what = "sounds" if next(iter(places.values())).suffix == ".wav" else "pictures"
        say("gan-sample", f"{there} of {len(places)} {what} are in {folder}")
        raise


def _saver(config: Sampling, found: Trained) -> Saver:
    """What writes a sample, a picture or a signal, to a path."""
    if config.kind == "png" and found.weights.full_depth and found.weights.shape[0] == 1:
        return lambda x, path: save_png(deep_image_of(x), path)
    if config.kind == "png":
        return lambda x, path: save_png(image_of(as_bytes(as_pictures(x[None]))[0]), path)
    if not (rate := values_of.rate_of(found.sampler.fields)):
        rate = values_of.RATE
        say("gan-sample", f"the data does not say how many values a second it has: written with {rate:,}")
    if (most := values_of.loudest(found.sampler.fields)) > 1:
        say("gan-sample", f"the data go to ±{most:.6g}, and a sound to ±1: all is divided by that")
    return lambda x, path: values_of.write_wav(path, _units(found, x[None])[0] / most, rate)


def _units(found: Trained, values: Tensor) -> np.ndarray:
    return restored(found.sampler.fields, values.numpy())


def _file_name(config: Sampling, shot: Shot, words: Mapping[Label, str]) -> str:
    label = "" if shot.label is None else f"-label-{words[shot.label]}"
    return f"{'latent' if config.latents else 'seed'}-{shot.seed:07d}{label}.{config.kind}"


def _arrays(config: Sampling, values: Tensor, wanted: list[Shot], kind: str, sampler: Sampler) -> dict[str, np.ndarray]:
    kind = {"pictures": "images", "rows": "points"}.get(kind, kind)
    arrays, places = {kind: values.numpy()}, [shot.seed for shot in wanted]
    if config.latents:
        arrays["latents"] = latents_at(config, sampler, places).numpy()
    else:
        arrays["seeds"] = np.array(places)
    if (labels := tensor_of([shot.label for shot in wanted])) is not None:
        arrays["labels"] = labels.numpy()
        arrays |= {"names": np.array(sampler.names)} if sampler.names else {}
        if sampler.conditions is not None:  # in their own units
            columns = sampler.conditions.columns
            arrays["conditions"] = np.array(
                [[c.value(seen) for c, seen in zip(columns, row, strict=True)] for row in arrays["labels"].tolist()]
            )
            arrays["names"] = np.array([column.name for column in columns])
    return arrays


def _interpolation(config: Sampling, found: Trained, library: Library) -> tuple[str, Path]:
    """A strip with a row from each seed to the next, or an animation that returns to the first."""
    assert config.interpolation
    seeds, frames = places_of(config, found.sampler), config.in_a_row
    ends, ending = latents_at(config, found.sampler, seeds), "latents" if config.latents else "seeds"
    if config.kind == "strip":
        way = legs(ends, config.interpolation, frames).flatten(0, 1)
        places = [place for a, b in pairwise(seeds) for place in (a, *range(1, frames - 1), b)]
        return f"the way between {len(seeds)} {ending}", _strip(config, found, way, places, frames)
    places = [place for seed in seeds for place in (seed, *range(1, frames - 1))]
    pictures = _samples(config, found, loop(ends, config.interpolation, frames), places)
    with output(config, found.weights.folder, found.weights.step) as path:
        files.ANIMATIONS[config.kind](path, files.frames_of(pictures), config.fps)
    return f"{len(pictures)} frames between {len(seeds)} {ending}", path


def _arithmetic(config: Sampling, found: Trained, library: Library) -> tuple[str, Path]:
    """A strip of the terms and, last, their sum."""
    assert config.arithmetic
    wanted = terms(config.arithmetic)
    latents, places = summed(found.sampler, wanted), [*(term.seeds[0] for term in wanted), 0]
    return f"the {len(wanted)} terms and the result", _strip(config, found, latents, places, len(latents))


def _strip(config: Sampling, found: Trained, latents: Tensor, places: Sequence[int], columns: int) -> Path:
    pictures = _samples(config, found, latents, places)
    with output(config, found.weights.folder, found.weights.step) as path:
        save_png(grid(pictures, columns), path)
    return path


def _samples(config: Sampling, found: Trained, latents: Tensor, places: Sequence[int]) -> Tensor:
    """The samples of given latents. A latent that belongs to a seed has that seed as its place, for the same bits."""
    labels = tensor_of([*chosen_labels(config, found.sampler)[:1]] * len(latents))
    return as_pictures(samples(found, latents, places, labels, config.truncation))


def _morph(config: Sampling, folder: Path) -> tuple[str, Path]:
    """The run's sample grids as an animation; the last one is shown for a second."""
    frames = files.training_frames(folder / "samples")
    if len(frames) < 2:
        raise UserError(
            f"checkpoint={config.checkpoint}: has {len(frames)} sample grids in {folder / 'samples'}, and an animation "
            "needs two: train with a smaller sample_every"
        )
    with output(config, folder, None) as path:
        files.ANIMATIONS[config.kind](path, [*frames, *[frames[-1]] * config.fps], config.fps)
    return f"{len(frames)} sample grids", path


def _export(config: Sampling, found: Trained, library: Library) -> tuple[str, Path]:
    from gan_cli.commands.sampling.export import EXPORTS

    with output(config, found.weights.folder, found.weights.step) as path:
        EXPORTS[config.kind](found, path)
    return "the generator", path


def _hub(config: Sampling, found: Trained, library: Library) -> tuple[str, Path]:
    """Exports a folder, which everything in it is made before."""
    from gan_cli.commands.sampling.hub import Model

    folder, step = found.weights.folder, found.weights.step
    if not is_free(path := path_of(config, folder, f"step-{step:09d}")):
        raise UserError(f"out={path}: {THERE}")
    model = Model.of(config, found, library)
    with output(config, folder, step) as path:
        model.write(path)
    return "the generator and its card", path
