"""Whether samples are those that a checkpoint was trained on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from gan_cli.data.images import ImageDataset
from gan_cli.data.reading import TRAINED_ON, load
from gan_cli.data.samples import Samples
from gan_cli.errors import UserError

log = logging.getLogger(__name__)


def identity_of(samples: Samples) -> dict[str, Any]:
    """What a checkpoint says about its data."""
    return {
        "fingerprint": samples.fingerprint(),
        "shape": list(samples.shape),
        "classes": samples.classes,
        "names": list(samples.names),
        "decoder": samples.decoder,
    }


def trained_on(dataset: Any, name: str, saved: Mapping[str, Any]) -> Samples:
    """The samples of a dataset that a checkpoint was trained on, with the classes that they had there.

    Pictures that another version of the decoder has left in the cache are used if they are the ones.

    Raises:
        UserError: if the dataset holds others now.
    """
    samples = load(dataset, name).as_in(saved)
    if samples.matches(saved["fingerprint"]):
        return samples
    for other in dataset.decoded_by_others() if isinstance(dataset, ImageDataset) else ():
        other = dataset.presentation.stored(other, TRAINED_ON)
        if other.matches(saved["fingerprint"]):
            log.info("the pictures are those that %s decoded, as the checkpoint's", other.decoder)
            return other.as_in(saved)
    require_same(samples, name, saved)
    return samples


def require_same(samples: Samples, name: str, saved: Mapping[str, Any]) -> None:
    """Raises a UserError that says what differs, if the samples are not those of the checkpoint."""
    if samples.matches(saved["fingerprint"]):
        return
    fix = "point dataset.root or dataset.path at them"
    what = "pictures"
    if saved["fingerprint"].rpartition("-")[0] == samples.fingerprint().rpartition("-")[0]:
        what = "labels"
    elif (before := saved.get("decoder")) != samples.decoder and before:
        fix += f", or decode them as then, with {before.replace('-', ' ', 1)}: here it is {samples.decoder}"
    raise UserError(f"dataset={name}: its {what} are not those the checkpoint was trained on: {fix}")
