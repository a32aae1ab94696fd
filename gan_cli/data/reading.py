"""Loads the samples of a dataset, shipped or your own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext

from gan_cli import memory
from gan_cli.config.asking import asked, is_own, kind, method
from gan_cli.data.knows import Dataset, Drawn, HoldsOut, Imported, LeavesOut, Presents
from gan_cli.data.samples import Samples
from gan_cli.errors import UserError

log = logging.getLogger(__name__)
TRAINED_ON, HELD_OUT, UNUSED = "train", "test", "unused"  # which samples of a source: each has a draw of its own


def require_room(dataset: Dataset, who: str) -> None:
    """Refuses a dataset that is told to draw more than fits into memory, or whose pictures do not fit on the disk.

    Raises:
        UserError: with what it needs.
    """
    if isinstance(dataset, Imported):
        dataset.require_disk()
    if isinstance(dataset, Drawn):
        memory.require(dataset.needs, who, f"ask for fewer of {dataset.counted}")


def load(dataset: Dataset, name: str) -> Samples:
    """The samples of ``dataset=name``, binarised if that is done once.

    Raises:
        UserError: if they cannot be had, or are not what a dataset must give.
    """
    who = f"dataset={name}"
    read = method(dataset, who, "load", "")
    require_room(dataset, who)
    with asked(f"{who}: load()") if is_own(dataset) else nullcontext():
        try:
            samples = read()
        except ValueError as error:
            raise error if isinstance(error, UserError) else UserError(f"{who}: {error}") from error
    if not isinstance(samples, Samples):
        raise UserError(
            f"{who}: load() returned {kind(samples)}: return gan_cli.data.Samples(values, labels), NumPy arrays: uint8 "
            "(N, C, H, W), float32 (N, C, H, W) in [-1, 1], (N, C, L) or (N, d), and int64 (N,) or None"
        )
    if samples.is_image and isinstance(dataset, Presents):
        return dataset.presentation.stored(samples, TRAINED_ON)
    return samples


def held_out(dataset: object) -> Samples | None:
    """Samples of the same source that no player has seen; None, with a line, where they cannot be used."""
    return _usable(dataset.held_out, "no held-out samples") if isinstance(dataset, HoldsOut) else None


def unused(dataset: object) -> Samples | None:
    """Samples of the split that the limit leaves out; None, with a line, where they cannot be used."""
    none = "no samples beside those that are trained on"
    return _usable(dataset.unused, none) if isinstance(dataset, LeavesOut) else None


def _usable(read: Callable[[], Samples | None], otherwise: str) -> Samples | None:
    try:
        return read()
    except ValueError as error:  # what ``Samples`` says of values or labels that it cannot be of, or a UserError
        log.warning("%s: %s", otherwise, error)
        return None


def still(dataset: object, samples: Samples, part: str) -> Samples:
    """Samples of a dataset as a judge sees them: see ``Presentation.still``; points as they are."""
    if samples.is_image and isinstance(dataset, Presents):
        return dataset.presentation.still(samples, part)
    return samples
