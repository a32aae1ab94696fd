"""A part of many samples that stays nearly the same when some are added. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np


def spread(hashes: np.ndarray, labels: np.ndarray | None, limit: int) -> np.ndarray:
    """The places of ``limit`` samples, in their order, int64: the same for every seed, and nearly so with one more.

    Each class has its share of them, and at least one while there is room. Within a class they are drawn by a hash.

    Args:
        hashes: uint64 (n,), of what tells one sample from another.
        labels: int64 (n,), the class of each; or None.
        limit: 0 for all.
    """
    if not limit or len(hashes) <= limit:
        return np.arange(len(hashes))
    drawn = np.argsort(hashes, kind="stable")
    if labels is None:
        return np.sort(drawn[:limit])
    of_class = labels[drawn]
    place, counts = np.empty(len(drawn)), np.unique(of_class, return_counts=True)[1]
    before = np.repeat(np.cumsum(counts) - counts, counts)  # of the members of each class, those of classes before it
    place[np.argsort(of_class, kind="stable")] = (np.arange(len(drawn)) - before) / np.repeat(counts, counts)
    return np.sort(drawn[np.argsort(place, kind="stable")[:limit]])


def hashes_of_names(names: Iterable[str]) -> np.ndarray:
    digests = (blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest() for name in names)
    return np.frombuffer(b"".join(digests), ">u8").astype(np.uint64)


def hashes_of_rows(rows: np.ndarray) -> np.ndarray:
    """A number for each place that says nothing of its order: the finaliser of SplitMix64 (Steele et al. 2014)."""
    x = (rows.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
