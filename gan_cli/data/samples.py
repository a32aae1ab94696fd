"""What every dataset becomes: one array, and a label for each entry."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

SHOWN = 20  # classes in a line of the log


@dataclass(frozen=True)
class Samples:
    """Pictures or points, and the class of each.

    Args:
        values: pictures, uint8 (N, C, H, W), or points, float32 (N, d).
        labels: int64 (N,), or None.
        names: of the classes, by label, where they have names.
        classes: how many the source has of which these are samples. Without it, as many as there are names, or else as
            the labels show. Of a part of a source it is what the whole source has.

    Raises:
        ValueError: if the arrays have another type or shape, or are empty, or a label is of no class.
    """

    values: np.ndarray
    labels: np.ndarray | None = None
    names: tuple[str, ...] = ()
    classes: int = 0

    def __post_init__(self) -> None:
        wanted = {4: np.uint8, 2: np.float32}.get(self.values.ndim)
        if wanted is None or self.values.dtype != wanted:
            raise ValueError(
                f"samples must be uint8 (N, C, H, W) or float32 (N, d), "
                f"not {self.values.dtype} {tuple(self.values.shape)}"
            )
        if not len(self.values):
            raise ValueError("the dataset is empty")
        if self.labels is not None and (self.labels.shape != self.values.shape[:1] or self.labels.min() < 0):
            raise ValueError(f"labels must be one number from 0 up for each of the {len(self.values)} samples")
        seen = 0 if self.labels is None else int(self.labels.max()) + 1
        classes = (self.classes or len(self.names) or seen) if seen else 0
        if seen > classes or (seen and len(self.names) not in (0, classes)):
            raise ValueError(f"a label is {seen - 1}, and there are {classes} classes with {len(self.names)} names")
        object.__setattr__(self, "classes", classes)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample: (C, H, W) or (d,)."""
        return tuple(self.values.shape[1:])

    def take(self, rows: np.ndarray | slice) -> Samples:
        """Some of them, of the same classes."""
        return replace(self, values=self.values[rows], labels=None if self.labels is None else self.labels[rows])

    def as_in(self, data: Mapping[str, Any]) -> Samples:
        """The same with the classes that a checkpoint says there are (``classes``, ``names``).

        One that does not say it is of a time when a run had as many classes as its labels showed.
        """
        seen = 0 if self.labels is None else int(self.labels.max()) + 1
        classes = data.get("classes", seen)
        if classes < seen:  # other data, which is for others to say
            return self
        names = tuple(data.get("names", self.names[:classes]))
        return replace(self, classes=classes, names=names if len(names) == classes else ())

    def told(self) -> str:
        """The names of the classes with their labels, and how many samples each has; empty without names."""
        if self.labels is None or not self.names:
            return ""
        counts = np.bincount(self.labels, minlength=self.classes)
        words = [f"{label} {name} ({counts[label]:,})" for label, name in enumerate(self.names[:SHOWN])]
        return ", ".join(words) + (f" and {self.classes - SHOWN} more" if self.classes > SHOWN else "")

    def fingerprint(self) -> str:
        """Tells one set of samples from another: a hash of their number, shape and up to 4,096 of them."""
        return self._digest

    @cached_property
    def _digest(self) -> str:  # every checkpoint asks for it
        some = self.values[:: max(1, len(self.values) // 4096)]
        digest = hashlib.blake2b(repr(self.values.shape).encode(), digest_size=8)
        digest.update(np.ascontiguousarray(some).tobytes())
        return digest.hexdigest()


def as_input(values: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """Stored samples as networks take them: float32, pixels in [−1, 1], channels last in memory."""
    x = torch.from_numpy(values).to(device)
    return x if x.ndim == 2 else x.to(torch.float32, memory_format=torch.channels_last).mul_(2 / 255).sub_(1)
