"""Stacked MNIST: pictures of a thousand modes that can be counted."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import ClassVar

import numpy as np

from gan_cli.data.images import ImageDataset
from gan_cli.data.samples import Samples
from gan_cli.data.sources import MNIST, Digits, FashionMNIST

SOURCES = {"mnist": MNIST, "fashion_mnist": FashionMNIST, "digits": Digits}


@dataclass(frozen=True, kw_only=True)
class Stacked(ImageDataset):
    """Three random pictures as the red, green and blue of one (Metz et al. 2017); label 100 r + 10 g + b.

    Args:
        source: the dataset of the single pictures.
        stacks: the number of stacks, which are drawn once, by ``seed``.
        limit: limits the single pictures.
    """

    counted: ClassVar[str] = "dataset.stacks"

    root: str
    source: str
    stacks: int
    seed: int

    @property
    def classes(self) -> int:
        return 1000

    @property
    def needs(self) -> int:
        """Bytes that the stacks take."""
        return self.canvas.nbytes * self.stacks

    def count(self) -> int:
        return self.stacks

    def held_out_count(self) -> int:
        return self.stacks if self.split == "train" else 0

    def glyphs(self) -> Samples:
        """The single pictures: (N, 1, H, W) with labels 0 to 9."""
        shared = {field.name: vars(self)[field.name] for field in fields(ImageDataset)}
        shared["channels"] = 1
        if self.source != "digits":
            shared["root"] = self.root
        return SOURCES[self.source](**shared).load()

    def load(self) -> Samples:
        glyphs = self.glyphs()
        assert glyphs.labels is not None
        rows = np.random.default_rng(self.seed).integers(len(glyphs), size=(self.stacks, 3))
        values = np.empty((self.stacks, *self.canvas.shape), np.uint8)  # channels last, as they are drawn
        for channel in range(3):
            values[..., channel] = glyphs.values[rows[:, channel], 0]
        return Samples(values.transpose(0, 3, 1, 2), glyphs.labels[rows] @ np.array([100, 10, 1]), classes=self.classes)

    def held_out(self) -> Samples | None:
        return replace(self, split="test", limit=0).load() if self.split == "train" else None

    def unused(self) -> Samples | None:
        return None
