"""The samples that a metric judges, and what is known about them."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch

from gan_cli.data import reading
from gan_cli.data.columns import Fields
from gan_cli.data.images import ImageDataset
from gan_cli.data.knows import Counted, Dataset, HoldsOut, Presents, Stacks, with_options
from gan_cli.data.reading import HELD_OUT, TRAINED_ON, UNUSED, still
from gan_cli.data.samples import Samples
from gan_cli.games.sampler import Sampler
from gan_cli.metrics.extractors.extractor import Extractor
from gan_cli.metrics.extractors.pixels import Pixels
from gan_cli.metrics.judge import Judge
from gan_cli.metrics.kept_features import KeptFeatures
from gan_cli.random import key

log = logging.getLogger(__name__)


@dataclass
class Evidence:
    """Real and generated samples, and what is known about their origin. Costly parts are computed at first use.

    Attributes:
        training: all samples that the players were trained on.
        real: samples to compare with: some of the training samples, or of another split.
        source: the extractor, before ``prepare``.
        dataset: the dataset, for what it knows about itself (its density, its modes); None for two folders.
        judge: the trained discriminator with its loss, or None.
        model: what draws the samples, with its game, if that has a likelihood or an encoder to ask; or None.
        fake: generated samples of the same kind, or None before there are any.
        planned: the number of generated samples that there will be.
        players: how many parameters the network of each player of the model has.
        picture: name → the path of a picture that a metric may write, or None.
        kept: where features of real pictures are kept for other evaluations, or None.
        kinds: what values are of, by name: they are compared with those of the same kind alone.
    """

    training: Samples
    real: Samples
    source: Extractor
    dataset: Dataset | None = None
    judge: Judge | None = None
    model: Sampler | None = None
    fake: Samples | None = None
    planned: int = 0
    players: Mapping[str, int] = field(default_factory=dict)
    picture: Callable[[str], Path] | None = None
    kept: KeptFeatures | None = None
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    notes: dict[str, str] = field(default_factory=dict)  # what a reader of a value must know, by the value's name
    kinds: dict[str, str] = field(default_factory=dict)
    _of_fake: tuple[Samples, np.ndarray] | None = None
    _told: set[str] = field(default_factory=set)
    _of_real: dict[bytes, np.ndarray] = field(default_factory=dict)  # features of real pictures, by their digests

    @cached_property
    def extractor(self) -> Extractor:
        """The extractor, ready to use; where the dataset stacks pictures, it was prepared with the single ones."""
        if isinstance(self.dataset, Stacks):
            unseen = with_options(self.dataset, split="test", limit=0)
            glyphs = still(self.dataset, self.dataset.glyphs(), TRAINED_ON)
            self.source.prepare(glyphs, lambda: still(unseen, unseen.glyphs(), HELD_OUT), self.device)
        elif isinstance(self.dataset, ImageDataset) and self.dataset.only:  # what tells all classes apart
            every = replace(self.dataset, only=())
            whole = Evidence(self.training, self.real, self.source, every)
            self.source.prepare(still(every, every.load(), TRAINED_ON), lambda: whole.held_out, self.device)
        else:
            self.source.prepare(self.training, lambda: self.held_out, self.device)
        return self.source

    @cached_property
    def held_out(self) -> Samples | None:
        """Samples of the same source that no player has seen, if there are any."""
        found = self._as_trained_on(reading.held_out(self.dataset))
        return None if found is None else still(self.dataset, found, HELD_OUT)

    @cached_property
    def unused(self) -> Samples | None:
        """Samples of the training split that ``dataset.limit`` left out, if there are any."""
        found = self._as_trained_on(reading.unused(self.dataset))
        return None if found is None else still(self.dataset, found, UNUSED)

    def _as_trained_on(self, found: Samples | None) -> Samples | None:
        """Without samples that have no label, where every training sample has one."""
        if found is None or found.labels is None or len(self.training.labelled) < len(self.training):
            return found
        return found.with_labels() if len(found.labelled) else None

    @property
    def is_image(self) -> bool:
        return self.real.is_image

    @property
    def shown(self) -> str:
        """What pictures are shown as, where it is not as they are: ``binarise=dynamic``."""
        data = self.dataset
        binarise = data.presentation.binarise if self.is_image and isinstance(data, Presents) else "none"
        return "" if binarise in ("auto", "none") else f"binarise={binarise}"

    @property
    def count(self) -> int:
        """The number of samples of each kind, for metrics that compare equal numbers."""
        return min(len(self.real), self.generated)

    @property
    def generated(self) -> int:
        """The number of generated samples that there are, or will be."""
        return self.planned if self.fake is None else len(self.fake)

    @property
    def drawn(self) -> Samples:
        """The generated samples."""
        assert self.fake is not None, "metrics are called with samples to judge"
        return self.fake

    @property
    def pair(self) -> tuple[np.ndarray, np.ndarray]:
        """Features of real and of generated samples, float32 (N, F) and (M, F)."""
        return self.real_features, self.features(self.drawn)

    @property
    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Real and generated samples for distances between single ones: their features, float32 (N, F) and (M, F).

        With extractor=pixels, the pictures as they are stored (N, C, H, W): distances of bytes are exact, so that ties
        stay ties.
        """
        if self.is_image and isinstance(self.source, Pixels):
            return self.real.values, self.drawn.values
        return self.pair

    @property
    def width(self) -> int:
        """The number of features of a sample, without computing them where that is known."""
        if not self.is_image:
            return math.prod(self.real.shape)
        known = None if isinstance(self.dataset, Stacks) else self.extractor.width(self.real.shape)
        return known or self.real_features.shape[1]

    @cached_property
    def real_features(self) -> np.ndarray:
        found = self.features(self.real)
        if self.is_image:
            self._of_real = dict(zip(digests(self.real.values), found, strict=True))
        return found

    def features(self, samples: Samples) -> np.ndarray:
        """The features of samples, float32 (N, F); points and signals are their own features."""
        if not self.is_image:
            return samples.values.reshape(len(samples), -1)
        if samples is self.fake:
            if self._of_fake is None or self._of_fake[0] is not samples:
                self._of_fake = samples, self._extracted(samples.values, self.extractor.features)
            return self._of_fake[1]
        return self._extracted(samples.values, self._kept_or_computed)

    def _kept_or_computed(self, values: np.ndarray) -> np.ndarray:
        """The features of real pictures, which another evaluation may have kept."""
        return self.kept.of(self.extractor, values) if self.kept else self.extractor.features(values)

    def _extracted(self, values: np.ndarray, features: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """The features of pictures. Equal pictures, real or generated, get equal features: each is extracted once.

        (A network rounds differently in batches of another size, so extracting twice may give two results.)
        """
        names = digests(values)
        new = {name: row for row, name in reversed([*enumerate(names)]) if name not in self._of_real}
        rows = np.sort(np.fromiter(new.values(), np.int64, len(new)))
        if len(rows) == len(values):
            return features(values)
        known = self._of_real
        if len(rows):
            found = features(values[rows])
            known = known | {names[row]: feature for row, feature in zip(rows, found, strict=True)}
        return np.stack([known[name] for name in names])

    def say(self, line: str) -> None:
        """Logs what a reader of the values should know, once for each line."""
        if line not in self._told:
            self._told.add(line)
            log.info("%s", line)

    def note(self, names: Iterable[str], line: str) -> None:
        """Logs an explanation of values, once, and keeps it to be shown beside each of them."""
        self.notes |= dict.fromkeys(names, line)
        self.say(f"{next(iter(names))}: {line}")

    def some(self, values: np.ndarray, count: int, purpose: str) -> np.ndarray:
        """At most ``count`` of the values, drawn without replacement, in their order."""
        return values if len(values) <= count else values[self._rows(len(values), count, purpose)]

    def some_samples(self, samples: Samples, count: int, purpose: str) -> Samples:
        """The same for samples with their labels."""
        return samples if len(samples) <= count else samples.take(self._rows(len(samples), count, purpose))

    def _rows(self, size: int, count: int, purpose: str) -> np.ndarray:
        self.say(f"{purpose}: {count:,} of {size:,} samples, drawn at random")
        return np.sort(self.generator(purpose).choice(size, count, replace=False))

    def generator(self, purpose: str) -> np.random.Generator:
        """The random generator of a metric, which depends on the seed and the purpose alone."""
        return np.random.default_rng(key(self.seed, "metric", purpose))


def digests(pictures: np.ndarray) -> list[bytes]:
    """A hash of each picture (N, C, H, W)."""
    return [blake2b(picture.tobytes(), digest_size=16).digest() for picture in pictures]


class Unseen(Exception):
    """An ``Outline`` was asked for something that depends on the data."""


class Outline(Evidence):
    """Evidence before there are data: blank samples of the number, shape and classes that there will be.

    Args:
        count: of the training samples, as far as it is known; None: as many as are planned.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        *,
        planned: int,
        count: int | None = None,
        source: Extractor,
        dataset: Dataset | None,
        judge: Judge | None,
        model: Sampler | None,
        fields: Fields = (),
    ) -> None:
        blank = np.zeros(1, np.uint8 if len(shape) == 3 else np.float32)

        def samples(number: int) -> Samples:
            labels = np.arange(number) % classes if classes > 1 else None
            return Samples(np.broadcast_to(blank, (number, *shape)), labels, classes=classes, fields=fields)

        count = planned if count is None else count
        training, real = samples(count), samples(min(count, planned))
        super().__init__(training, real, source, dataset, judge, model, planned=planned)

    @property
    def extractor(self) -> Extractor:
        return self.source

    @property
    def held_out(self) -> Samples | None:
        none = isinstance(self.dataset, Counted) and self.dataset.held_out_count() == 0
        return self.training if isinstance(self.dataset, HoldsOut) and not none else None

    def features(self, samples: Samples) -> np.ndarray:
        raise Unseen
