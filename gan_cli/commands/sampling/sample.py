"""The work of ``gan-sample``."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, pairwise, repeat
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan_cli.commands.sampling import files
from gan_cli.commands.sampling.draw import Shot, chosen_labels, drawn_shots, misfits, samples, shots
from gan_cli.commands.sampling.grammar import numbers, terms
from gan_cli.commands.sampling.keys import ENDINGS, Sampling, output_name
from gan_cli.commands.sampling.labels import file_words
from gan_cli.commands.sampling.ways import legs, loop, summed
from gan_cli.config.library import Library
from gan_cli.config.paths import expanded, says_folder
from gan_cli.data.knows import DATASET
from gan_cli.data.minibatches import Minibatches
from gan_cli.data.reading import load
from gan_cli.errors import UserError
from gan_cli.memory import enough
from gan_cli.output.pictures import as_bytes, grid, save_png
from gan_cli.output.text import printable
from gan_cli.output.titles import titled, titles
from gan_cli.runs import checkpoint
from gan_cli.runs.links import leads_out
from gan_cli.runs.loading import Trained, trained
from gan_cli.runs.observers.samples import POINTS_PER_PICTURE, shown, some_real


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
        if problems := misfits(config, found):
            raise UserError(*problems)
        make = {"export": _export, "interpolation": _interpolation, "arithmetic": _arithmetic}.get(config.mode)
        with enough(f"seeds={config.seeds_text}", "draw fewer at a time, or use format=png"):
            what, path = make(config, found) if make else _each(config, found, library)
        what = f"{what} of step {found.weights.step}"
    _say(f"wrote {what}: {path}")


def _say(line: str) -> None:
    print(f"gan-sample: {printable(line)}", file=sys.stderr)


@contextmanager
def _output(config: Sampling, folder: Path, step: int | None) -> Iterator[Path]:
    """A context with the path of the output, whose folder exists.

    Raises:
        UserError: if the output cannot be written.
    """
    path = _path(config, folder, "" if step is None else f"step-{step:09d}")
    generated = folder / "generated"
    if not config.out and generated.is_symlink() and leads_out(generated, folder.resolve()):
        raise UserError(f"checkpoint={folder}: its generated/ is a link to {generated.readlink()}: say where, out=PATH")
    try:
        (path.parent if ENDINGS[config.kind] else path).mkdir(parents=True, exist_ok=True)
        yield path
    except OSError as error:
        raise UserError(f"out={path}: cannot be written ({error.strerror or error}): give another, out=PATH") from error


def _path(config: Sampling, folder: Path, step: str) -> Path:
    ending, name = ENDINGS[config.kind], output_name(config)
    if config.out:
        out = expanded(config.out, "out=")
        if not ending or (out.suffix == ending and not says_folder(config.out)):
            return out
        return out / f"{name if config.export or not step else f'{step}-{name}'}{ending}"
    generated = folder / "generated"
    if config.export:
        return generated / (step if config.ema else f"{step}-without-ema") / f"{name}{ending}"
    return generated / f"{step}-{name}{ending}".lstrip("-")


def _each(config: Sampling, found: Trained, library: Library) -> tuple[str, Path]:
    """A sample for each seed, as a grid, single files or arrays."""
    wanted = shots(config, found.sampler)
    words = file_words(found.sampler.names, found.sampler.classes)
    is_image = len(found.weights.shape) == 3
    parts = drawn_shots(found, wanted, config.truncation)
    what = f"{len(wanted)} {'picture' if is_image else 'point'}{'s' * (len(wanted) > 1)}"
    if config.kind == "png":
        first = next(parts)  # if it fails, nothing is made
        with _output(config, found.weights.folder, found.weights.step) as path:
            _write_each(chain([first], parts), wanted, path, words)
    elif config.kind == "npz":
        values = torch.cat([as_bytes(part) if is_image else part for _, part in parts])
        with _output(config, found.weights.folder, found.weights.step) as path:
            files.write_npz(path, _arrays(values, wanted, is_image, found.sampler.names))
    else:
        values = torch.cat([part for _, part in parts])
        columns = config.columns or _columns(config, found, len(wanted))
        if is_image:
            above = titles([shot.label or 0 for shot in wanted], columns, found.sampler.names)
            sheet = titled(grid(values, columns), above)
        else:
            sheet = shown(values, torch.from_numpy(_real(found, library)), found.sampler.game, found.sampler)
        with _output(config, found.weights.folder, found.weights.step) as path:
            save_png(sheet, path, seeds=config.seeds_text, **({"label": config.label} if config.label else {}))
    return what, path


def _write_each(
    parts: Iterable[tuple[Sequence[Shot], Tensor]], wanted: Sequence[Shot], folder: Path, words: Sequence[str]
) -> None:
    """Writes a file for each picture; if interrupted, reports how many there are."""
    try:
        with ThreadPoolExecutor() as pool:
            for part, pictures in parts:
                list(pool.map(_save, part, as_bytes(pictures), repeat(folder), repeat(words)))
    except KeyboardInterrupt:
        there = sum(_file(shot, folder, words).exists() for shot in wanted)
        _say(f"{there} of {len(wanted)} pictures are in {folder}")
        raise


def _save(shot: Shot, pixels: Tensor, folder: Path, words: Sequence[str]) -> None:
    save_png(files.image_of(pixels), _file(shot, folder, words))


def _file(shot: Shot, folder: Path, words: Sequence[str]) -> Path:
    label = "" if shot.label is None else f"-label-{words[shot.label]}"
    return folder / f"seed-{shot.seed:07d}{label}.png"


def _arrays(values: Tensor, wanted: list[Shot], is_image: bool, names: Sequence[str]) -> dict[str, np.ndarray]:
    arrays = {"images" if is_image else "points": values.numpy(), "seeds": np.array([shot.seed for shot in wanted])}
    if wanted[0].label is not None:
        arrays["labels"] = np.array([shot.label for shot in wanted])
        arrays |= {"names": np.array(names)} if names else {}
    return arrays


def _columns(config: Sampling, found: Trained, count: int) -> int:
    """One column for each label if there are at most 20, else about as many columns as rows."""
    labels = len(chosen_labels(config, found.sampler)) or found.sampler.classes
    return min(count, labels) if 1 < labels <= 20 else math.isqrt(count - 1) + 1


def _real(found: Trained, library: Library) -> np.ndarray:
    """The points of the data in the run's own plots, (n, d); empty if the data cannot be loaded here."""
    sampler = found.sampler
    config = sampler.config
    try:
        data = load(library.build(DATASET, config.dataset), config.dataset.name)
    except ValueError as error:
        _say(f"drawn without the data: {error}")
        return np.empty((0, *found.weights.shape), np.float32)
    batches = Minibatches(data, torch.device("cpu"), seed=config.seed)
    count = config.sample_count * POINTS_PER_PICTURE
    return some_real(batches, count, config.seed, sampler.labels_of(range(count))).numpy()


def _interpolation(config: Sampling, found: Trained) -> tuple[str, Path]:
    """A strip with a row from each seed to the next, or an animation that returns to the first."""
    assert config.interpolation
    seeds = numbers(config.seeds_text)
    ends = found.sampler.latents_of(seeds)
    if config.kind == "strip":
        way = legs(ends, config.interpolation, config.frames).flatten(0, 1)
        places = [place for a, b in pairwise(seeds) for place in (a, *range(1, config.frames - 1), b)]
        return f"the way between {len(seeds)} seeds", _strip(config, found, way, places, config.frames)
    places = [place for seed in seeds for place in (seed, *range(1, config.frames - 1))]
    pictures = _samples(config, found, loop(ends, config.interpolation, config.frames), places)
    with _output(config, found.weights.folder, found.weights.step) as path:
        files.ANIMATIONS[config.kind](path, files.frames_of(pictures), config.fps)
    return f"{len(pictures)} frames between {len(seeds)} seeds", path


def _arithmetic(config: Sampling, found: Trained) -> tuple[str, Path]:
    """A strip of the terms and, last, their sum."""
    assert config.arithmetic
    wanted = terms(config.arithmetic)
    latents, places = summed(found.sampler, wanted), [*(term.seeds[0] for term in wanted), 0]
    return f"the {len(wanted)} terms and the result", _strip(config, found, latents, places, len(latents))


def _strip(config: Sampling, found: Trained, latents: Tensor, places: Sequence[int], columns: int) -> Path:
    pictures = _samples(config, found, latents, places)
    with _output(config, found.weights.folder, found.weights.step) as path:
        save_png(grid(pictures, columns), path)
    return path


def _samples(config: Sampling, found: Trained, latents: Tensor, places: Sequence[int]) -> Tensor:
    """The samples of given latents. A latent that belongs to a seed has that seed as its place, for the same bits."""
    labels = torch.full((len(latents),), chosen_labels(config, found.sampler)[0]) if config.label else None
    return samples(found, latents, places, labels, config.truncation)


def _morph(config: Sampling, folder: Path) -> tuple[str, Path]:
    """The run's sample grids as an animation; the last one is shown for a second."""
    frames = files.training_frames(folder / "samples")
    if len(frames) < 2:
        raise UserError(
            f"checkpoint={config.checkpoint}: has {len(frames)} sample grids in {folder / 'samples'}, and an animation "
            "needs two: train with a smaller sample_every"
        )
    with _output(config, folder, None) as path:
        files.ANIMATIONS[config.kind](path, [*frames, *[frames[-1]] * config.fps], config.fps)
    return f"{len(frames)} sample grids", path


def _export(config: Sampling, found: Trained) -> tuple[str, Path]:
    from gan_cli.commands.sampling.export import EXPORTS

    with _output(config, found.weights.folder, found.weights.step) as path:
        EXPORTS[config.kind](found, path)
    return "the generator", path
