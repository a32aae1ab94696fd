"""Which samples keep their labels where some are to be missing."""

from __future__ import annotations

import numpy as np

from gan_cli.data.samples import Samples
from gan_cli.errors import UserError
from gan_cli.random import key

NAMED = 200  # places in a line of the log


def balanced(labels: np.ndarray, classes: int, count: int, seed: int) -> np.ndarray:
    """The places of ``count`` labels, drawn by a seed, in order: int64 (count,).

    Each class that has samples keeps as many; what is left over goes to some of them, one each. The draw depends on the
    labels and the seed alone.

    Args:
        labels: int64 (N,), of which each is below ``classes``, or −1 where there is none.

    Raises:
        UserError: if there are fewer labels, or a class has too few.
    """
    generator = np.random.default_rng(key(seed, "labels"))
    places = [np.flatnonzero(labels == label) for label in range(classes)]
    there = [label for label in range(classes) if len(places[label])]
    if count > (every := int((labels >= 0).sum())):
        raise UserError(f"model.labels={count}: the data have {every:,}: use fewer, or 0 for all of them")
    if count < len(there):
        raise UserError(f"model.labels={count}: there are {len(there)} classes: use {len(there)} or more, one of each")
    shares = np.full(len(there), count // len(there))
    shares[generator.permutation(len(there))[: count % len(there)]] += 1
    for label, share in zip(there, shares, strict=True):
        if len(places[label]) < share:
            raise UserError(
                f"model.labels={count}: {share} of each class, and class {label} has {len(places[label])} samples: use "
                f"{min(len(places[each]) for each in there) * len(there)} or fewer"
            )
    drawn = [generator.permutation(places[label])[:share] for label, share in zip(there, shares, strict=True)]
    return np.sort(np.concatenate(drawn))


def told(samples: Samples, kept: np.ndarray, seed: int) -> str:
    """Which samples keep their labels, in one line."""
    if len(kept) == (every := len(samples.labelled)):
        return f"labels: all {every:,}" + (f" there are, of {len(samples):,} samples" if every < len(samples) else "")
    assert samples.labels is not None
    counts = np.bincount(samples.labels[kept], minlength=samples.classes)
    each = " or ".join(map(str, sorted({*counts[counts > 0].tolist()})))
    places = ", ".join(map(str, kept[:NAMED])) + (f" and {len(kept) - NAMED:,} more" if len(kept) > NAMED else "")
    of_each = f"{each} of each of {(counts > 0).sum()} classes"
    return f"labels: {len(kept):,} of {every:,}, {of_each}, drawn by seed {seed}: numbers {places}"
