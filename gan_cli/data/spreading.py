"""A part of many files that stays nearly the same when files are added. Torch-free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b

from gan_cli.data.listing import File


def spread(files: Sequence[File], labels: Mapping[str, int], limit: int) -> list[File]:
    """``limit`` of the files, in their order: the same for every seed, and nearly the same with a file more.

    Each class has its share of them, and at least one while there is room. Within a class they are drawn by the hash of
    their names.
    """
    count = Counter(labels.get(file.name) for file in files)
    rank: Counter[int | None] = Counter()
    places = []
    for drawn, index in sorted((_hash(file.name), index) for index, file in enumerate(files)):
        label = labels.get(files[index].name)
        places.append((rank[label] / count[label], drawn, index))
        rank[label] += 1
    return [files[index] for index in sorted(index for _, _, index in sorted(places)[:limit])]


def _hash(name: str) -> bytes:
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
