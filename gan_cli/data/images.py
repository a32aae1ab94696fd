"""The base of all datasets of pictures, and resizing of pictures in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch.nn.functional import interpolate

from gan_cli import memory
from gan_cli.data.canvas import Canvas
from gan_cli.data.colours import colour_of, grey_of
from gan_cli.data.presenting import Presentation
from gan_cli.data.samples import SHOWN, Samples
from gan_cli.data.sizes import Size, sides_of, size_of
from gan_cli.errors import UserError
from gan_cli.output.text import composed


@dataclass(frozen=True, kw_only=True)
class ImageDataset:
    """Options that all datasets of pictures share; the last ones are optional for a class of your own.

    Args:
        only: labels or names of the classes that are given, under the numbers that they have among all; () for all.
    """

    test_split: ClassVar[str] = "test"
    sizes: ClassVar[Mapping[str, int]] = {}  # pictures of each split, where that is known before they are read

    size: Size
    channels: int
    limit: int
    flip: bool
    split: str
    binarise: str = "none"
    dequantise: bool | str = False
    only: Sequence[int | str] = ()
    fit: str = "crop"
    background: str | int = "white"

    @property
    def canvas(self) -> Canvas:
        """What pictures are brought to."""
        return Canvas(*sides_of(self.size), self.channels, self.fit, colour_of(self.background), self.full_depth)

    @property
    def full_depth(self) -> bool:
        """Whether it gives pictures at full depth, float32 in [−1, 1]."""
        return False

    @property
    def classes(self) -> int:
        """The number of classes in the whole source, whatever split or limit is chosen."""
        return 10

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, *sides_of(self.size)

    @property
    def presentation(self) -> Presentation:
        """How they are shown to a model."""
        return Presentation(self.binarise, self.dequantise is True)

    def chosen_labels(self, names: Sequence[str] = ()) -> list[int]:
        """The labels of ``only``. A name comes before a number, as where labels are typed for samples.

        Raises:
            UserError: if there are no such classes.
        """
        numbers = {composed(name): label for label, name in enumerate(names)}
        found = []
        for wanted in self.only:
            label = numbers.get(composed(str(wanted)), wanted)
            if not isinstance(label, int) or not 0 <= label < self.classes:
                known = ", ".join(names[:SHOWN]) if names else f"0 to {self.classes - 1}" if self.classes else "none"
                raise UserError(f"dataset.classes=[{wanted}]: no such class; there are: {known}")
            found.append(label)
        return found

    def load(self) -> Samples:
        """All pictures, packed."""
        raise AssertionError("a dataset defines load()")

    def count(self) -> int | None:
        """How many pictures it gives, as far as that is known before they are read."""
        whole = None if self.only else self.sizes.get(self.split)
        return min(whole, self.limit) if whole and self.limit else whole

    def held_out_count(self) -> int | None:
        """How many ``held_out`` gives, as far as that is known before they are read."""
        if not self._trained_apart:
            return 0
        return None if self.only else self.sizes.get(self.test_split)

    def decoded_by_others(self) -> Iterator[Samples]:
        """The same pictures, as decoded by other versions of the decoder in the cache; for datasets of files."""
        yield from ()

    def held_out(self) -> Samples | None:
        """Pictures of the test split; None if the training split may contain them."""
        return replace(self, split=self.test_split, limit=0).load() if self._trained_apart else None

    @property
    def _trained_apart(self) -> bool:
        return self.split in ("train", "extra", "unlabeled", "train+unlabeled")

    def unused(self) -> Samples | None:
        """Samples of the same split that ``limit`` left out, if there are any."""
        if not self.limit:
            return None
        every = replace(self, limit=0).load()
        return every.take(slice(self.limit, None)) if len(every) > self.limit else None

    def fitted(self, pictures: np.ndarray, labels: np.ndarray | None, names: Sequence[str] = ()) -> Samples:
        """Resizes pictures in memory, uint8 (N, H, W), (N, H, W, C) or (N, C, H, W), onto the canvas.

        ``limit`` takes the first ones, because the well-known datasets are published in random order.
        """
        if self.only:
            rows = np.flatnonzero(np.isin([] if labels is None else labels, self.chosen_labels(names)))
            pictures, labels = pictures[rows], None if labels is None else labels[rows]
        if self.limit:
            pictures, labels = pictures[: self.limit], None if labels is None else labels[: self.limit]
        packed = resized(pictures, self.canvas)
        if labels is None or not self.classes:
            return Samples(packed)
        return Samples(packed, np.array(labels, np.int64), tuple(names), self.classes)


def resized(pictures: np.ndarray, canvas: Canvas) -> np.ndarray:
    """Pictures on a canvas, resized with antialiasing: uint8 (N, C, H, W), channels last in memory."""
    if pictures.ndim == 3:
        pictures = pictures[..., None]
    if pictures.shape[1] in (1, 3) and pictures.shape[3] not in (1, 3):
        pictures = pictures.transpose(0, 2, 3, 1)
    memory.require(
        len(pictures) * canvas.nbytes,
        f"dataset.size={size_of(canvas.height, canvas.width)}",
        "ask for smaller or fewer pictures",
    )
    background = canvas.background if canvas.channels == 3 else grey_of(canvas.background)
    packed = np.full((len(pictures), *canvas.shape), background, np.uint8)
    top, left, height, width = canvas.place(*pictures.shape[1:3])
    for start in range(0, len(pictures), 4096):
        there = packed[start : start + 4096, top : top + height, left : left + width]
        there[:] = _resized_batch(pictures[start : start + 4096], canvas, height, width)
    return packed.transpose(0, 3, 1, 2)


def _resized_batch(batch: np.ndarray, canvas: Canvas, height: int, width: int) -> np.ndarray:
    top, left, tall, wide = canvas.part(*batch.shape[1:3])
    batch = batch[:, top : top + tall, left : left + wide]
    if batch.shape[3] == 3 and canvas.channels == 1:
        batch = (batch @ np.array([0.299, 0.587, 0.114], np.float32) + 0.5).astype(np.uint8)[..., None]
    elif batch.shape[3] == 1 and canvas.channels == 3:
        batch = batch.repeat(3, axis=3)
    if (tall, wide) == (height, width):
        return batch
    x = torch.from_numpy(np.ascontiguousarray(batch)).permute(0, 3, 1, 2).float()
    x = interpolate(x, (height, width), mode="bicubic", antialias=True, align_corners=False)
    return x.round_().clamp_(0, 255).byte().permute(0, 2, 3, 1).numpy()
