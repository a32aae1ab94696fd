"""Checks that samples are those that a checkpoint was trained on."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from gan_cli.data.columns import saved as saved_fields
from gan_cli.data.conditions import Condition, like, saved_columns
from gan_cli.data.images import ImageDataset
from gan_cli.data.knows import Dataset
from gan_cli.data.reading import TRAINED_ON, load
from gan_cli.data.samples import Samples
from gan_cli.errors import UserError
from gan_cli.output.text import composed, few

log = logging.getLogger(__name__)
SHOWN = 8  # names in a message


def identity_of(samples: Samples) -> dict[str, Any]:
    """The identity of samples, for a checkpoint."""
    identity = {
        "fingerprint": samples.fingerprint(),
        "shape": list(samples.shape),
        "classes": samples.classes,
        "names": list(samples.names),
        "decoder": samples.decoder,
        **({"fields": saved_fields(samples.fields)} if samples.fields else {}),
    }
    if (known := samples.known) is not None:
        identity |= {"conditions": known.saved(), "rows": known.rows.tolist()}
    if samples.full_depth:
        identity["full_depth"] = True
    return identity


def trained_on(dataset: Dataset, name: str, saved: Mapping[str, Any]) -> Samples:
    """The samples of a dataset that a checkpoint was trained on, with the classes that they had there.

    If they were decoded by another version of the decoder, they are taken from the cache, if they are there.

    Raises:
        UserError: if the dataset holds other samples now.
    """
    found = load(dataset, name)
    samples = found.as_in(saved)
    if _are_those(samples, saved):
        if (now := _words(found.names, found.conditions)) != (then := _words(samples.names, samples.conditions)):
            log.warning("dataset=%s: has %s, and had %s, as they go on being called", name, now, then)
        return samples
    if isinstance(dataset, ImageDataset):
        for decoded in dataset.decoded_by_others():
            other = dataset.presentation.stored(decoded, TRAINED_ON)
            if other.matches(saved["fingerprint"]):
                log.info("the pictures are those that %s decoded, as the checkpoint's", other.decoder)
                return other.as_in(saved)
    require_same(samples, name, saved)
    return samples


def _are_those(samples: Samples, saved: Mapping[str, Any]) -> bool:
    return samples.matches(saved["fingerprint"]) and _same_columns(samples, saved) and _same_units(samples, saved)


def _same_columns(samples: Samples, saved: Mapping[str, Any]) -> bool:
    now, then = (
        [{**each, "name": composed(str(each["name"]))} for each in fields]
        for fields in (saved_fields(samples.fields), saved.get("fields", []))
    )
    return now == then


def _same_units(samples: Samples, saved: Mapping[str, Any]) -> bool:
    """Whether conditions are those of the checkpoint; as networks see them, others may be the same numbers."""
    return like(samples.conditions, saved_columns(saved))


def require_same(samples: Samples, name: str, saved: Mapping[str, Any]) -> None:
    """Raises UserError, saying what differs, if the samples are not those of the checkpoint."""
    if _are_those(samples, saved):
        return
    fix = "point dataset.root or dataset.path at them"
    what = "pictures" if len(samples.shape) == 3 else "samples"
    if not _same_columns(samples, saved):
        what = "columns"
    elif saved["fingerprint"].rpartition("-")[0] == samples.fingerprint().rpartition("-")[0]:
        there = samples.labels is not None
        now = _words(samples.names if there else (), samples.conditions, samples.classes if there else 0)
        what, before_that = "labels", _words(saved.get("names", ()), saved_columns(saved), saved.get("classes", 0))
        if now != before_that:
            fix = f"now {now}, then {before_that}: {fix}"
    elif (before := saved.get("decoder")) != samples.decoder and before:
        fix += f", or decode them as then, with {before.replace('-', ' ', 1)}: here it is {samples.decoder}"
    raise UserError(f"dataset={name}: its {what} are not those the checkpoint was trained on: {fix}")


def _words(names: Sequence[str], conditions: Sequence[Condition], classes: int = 0) -> str:
    """The classes or the conditions in words."""
    each = list(names) or [
        c.name if c.kind == "attribute" else f"{c.name} ({c.mean:.4g} ± {c.scale:.4g})" for c in conditions
    ]
    if not each:
        return f"{classes} classes without names" if classes else "none"
    return f"{'classes' if names else 'conditions'} {few(each, SHOWN)}"
