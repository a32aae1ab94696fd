"""Latents out of a file: those that ``project=…`` and ``directions=…`` write, or anybody's."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan_cli.commands.sampling.keys import Sampling
from gan_cli.config.numbers import numbers
from gan_cli.config.paths import expanded
from gan_cli.errors import UserError, reason_of
from gan_cli.games.labels import Label
from gan_cli.games.sampler import Sampler
from gan_cli.runs.hydra_files import Unreadable, bytes_of

LARGEST = 64_000_000  # bytes of the JSON beside them


def places_of(config: Sampling, sampler: Sampler) -> Sequence[int]:
    """The seeds that are drawn, or the numbers of the latents in the file.

    Raises:
        UserError: if the file cannot be read.
    """
    return range(len(latents_in(config, sampler))) if config.latents else numbers(config.seeds_text)


def latents_at(config: Sampling, sampler: Sampler, places: Sequence[int]) -> Tensor:
    """The latents of these seeds, or with these numbers in the file, float32 (n, size)."""
    return latents_in(config, sampler)[list(places)] if config.latents else sampler.latents_of(places)


def latents_in(config: Sampling, sampler: Sampler) -> Tensor:
    """The latents of ``latents=FILE.npy``, float32 (n, size).

    Raises:
        UserError: if the file cannot be read, or they are none of this generator.
    """
    typed, size = str(config.latents), sampler.prior.size
    path = expanded(typed, "latents=")
    if not path.is_file():
        raise UserError(f"latents={typed}: no such file: give a .npy file of numbers, (n, {size})")
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)  # whatever its head says that it holds
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"latents={typed}: is no .npy file that can be read ({reason_of(error)})") from error
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "fiu":
        raise UserError(f"latents={typed}: holds no array of numbers: give one, (n, {size})")
    found = found[None] if found.ndim == 1 else found
    if found.ndim != 2 or found.shape[1] != size or not len(found):
        shape = " × ".join(map(str, found.shape))
        raise UserError(f"latents={typed}: is {shape}, and latents of this generator are (n, {size})")
    latents = torch.from_numpy(found.astype(np.float32))
    if not latents.isfinite().all():
        raise UserError(f"latents={typed}: holds numbers that are not finite")
    return latents


def labels_beside(config: Sampling, sampler: Sampler, count: int) -> list[Label]:
    """The label of each latent, which ``project=…`` wrote into the JSON beside them.

    Raises:
        UserError: if there are none.
    """
    path = Path(expanded(str(config.latents), "latents=")).with_suffix(".json")
    first = sampler.said(sampler.turn()[0])  # type: ignore[index]
    missing = UserError(f"label: is missing: these latents have none in {path.name}: add one, such as label={first}")
    try:
        pictures = json.loads(bytes_of(path, LARGEST))["pictures"]
        labels = [_label(picture["label"], sampler) for picture in pictures]
    except (OSError, Unreadable, ValueError, KeyError, TypeError, RecursionError) as error:
        raise missing from error
    if len(labels) != count:
        raise missing
    return labels


def _label(written: object, sampler: Sampler) -> Label:
    """A label out of a file. Raises ValueError if it is none of this generator."""
    if sampler.conditions is None and type(written) is int and 0 <= written < sampler.classes:
        return written
    if sampler.conditions is not None and isinstance(written, list) and len(written) == sampler.classes:
        row = tuple(float(number) for number in written)
        if all(map(math.isfinite, row)):
            return row
    raise ValueError("no label")
