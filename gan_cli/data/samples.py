"""The samples of a dataset: one array, and perhaps a label for each entry."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypedDict

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from typing_extensions import NotRequired

SHOWN = 20  # classes in a line of the log
BLOCK = 2**24  # bytes that are hashed at a time


class Identity(TypedDict):
    """What a checkpoint says about the samples that it was trained on; the first versions wrote fewer keys."""

    fingerprint: str
    shape: list[int]
    classes: NotRequired[int]
    names: NotRequired[list[str]]
    decoder: NotRequired[str | None]


@dataclass(frozen=True)
class Samples:
    """Pictures or points, with their labels.

    Args:
        values: pictures, uint8 (N, C, H, W), or points, float32 (N, d).
        labels: int64 (N,), or None.
        names: the names of the classes by label; empty where they have none.
        classes: the number of classes of the whole source; by default the number of names, or the largest label + 1.
        digest: ``digest_of(values)``, if it is known already.
        decoder: the decoder with its version, for pictures that come from files.

    Raises:
        ValueError: if the arrays have another type or shape, are empty or not finite, or a label belongs to no class.
    """

    values: np.ndarray
    labels: np.ndarray | None = None
    names: tuple[str, ...] = ()
    classes: int = 0
    digest: str | None = None
    decoder: str | None = None

    def __post_init__(self) -> None:
        for array in (self.values, self.labels):
            if array is not None and not isinstance(array, np.ndarray):
                raise ValueError(f"samples and labels must be NumPy arrays, not {type(array).__name__}: take .numpy()")
        wanted = {4: np.uint8, 2: np.float32}.get(self.values.ndim)
        if wanted is None or self.values.dtype != wanted:
            fix = {4: "bytes from 0 to 255, .astype(np.uint8)", 2: ".astype(np.float32)"}.get(self.values.ndim)
            raise ValueError(
                f"samples must be uint8 (N, C, H, W) or float32 (N, d), "
                f"not {self.values.dtype} {tuple(self.values.shape)}" + (f": give {fix}" if fix else "")
            )
        if not len(self.values):
            raise ValueError("the dataset is empty")
        if self.values.ndim == 4 and self._channels_last():
            raise ValueError(
                f"samples must be uint8 (N, C, H, W), and {self.values.shape} looks like (N, H, W, C): "
                "give .transpose(0, 3, 1, 2)"
            )
        if self.values.ndim == 2 and not np.isfinite(self.values).all():
            raise ValueError("the samples hold numbers that are not finite")
        if self.labels is not None:
            self._check_labels(self.labels)

        seen = 0 if self.labels is None else int(self.labels.max()) + 1
        classes = (self.classes or len(self.names) or seen) if seen else 0
        if seen > classes or (seen and len(self.names) not in (0, classes)):
            raise ValueError(f"a label is {seen - 1}, and there are {classes} classes with {len(self.names)} names")
        object.__setattr__(self, "classes", classes)

    def _check_labels(self, labels: np.ndarray) -> None:
        if not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(f"labels must be whole numbers, int64 (N,), not {labels.dtype}: give .astype(np.int64)")
        if labels.shape != self.values.shape[:1] or labels.min() < 0:
            raise ValueError(
                f"labels must be one number from 0 up for each of the {len(self.values)} samples, int64 (N,), "
                f"not {labels.shape}"
            )
        object.__setattr__(self, "labels", labels.astype(np.int64, copy=False))

    def _channels_last(self) -> bool:
        """Whether the last axis can only be the channels: it is at most 4, and the second is larger."""
        _, first, height, last = self.values.shape
        return last <= 4 < first and height != last

    def __len__(self) -> int:
        return len(self.values)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample: (C, H, W) or (d,)."""
        return tuple(self.values.shape[1:])

    def take(self, rows: np.ndarray | slice) -> Samples:
        """A part of the samples, with the same classes."""
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, values=self.values[rows], labels=labels, digest=None)

    def as_in(self, data: Identity) -> Samples:
        """The same samples with the classes of a checkpoint (``classes``, ``names``).

        Old checkpoints lack these keys; their runs had as many classes as the largest label + 1.
        """
        seen = 0 if self.labels is None else int(self.labels.max()) + 1
        classes = data.get("classes", seen)
        if classes < seen:  # other data, which ``require_same`` reports
            return self
        names = tuple(data["names"]) if "names" in data else self.names[:classes]
        return replace(self, classes=classes, names=names if len(names) == classes else ())

    def told(self) -> str:
        """The names of the classes with their labels and numbers of samples, for the log; empty without names."""
        if self.labels is None or not self.names:
            return ""
        counts = np.bincount(self.labels, minlength=self.classes)
        words = [f"{label} {name} ({counts[label]:,})" for label, name in enumerate(self.names[:SHOWN])]
        return ", ".join(words) + (f" and {self.classes - SHOWN} more" if self.classes > SHOWN else "")

    def fingerprint(self) -> str:
        """Identifies the samples: a hash of all values in their order, and one of their labels."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:  # every checkpoint asks for it
        labels = "none" if self.labels is None else digest_of(self.labels)
        return f"2-{self.digest or digest_of(self.values)}-{labels}"

    def matches(self, fingerprint: str) -> bool:
        """Whether a checkpoint with this fingerprint, of any version, was trained on these samples."""
        return fingerprint == (self.fingerprint() if "-" in fingerprint else self._first_fingerprint())

    def _first_fingerprint(self) -> str:
        """The fingerprint of the first version: a hash of the shape and of 4,096 to 8,192 samples, without labels."""
        some = self.values[:: max(1, len(self.values) // 4096)]
        digest = hashlib.blake2b(repr(self.values.shape).encode(), digest_size=8)
        digest.update(np.ascontiguousarray(some).tobytes())
        return digest.hexdigest()


def digest_of(values: np.ndarray) -> str:
    """A hash of the type, the shape and every value of an array; pictures (N, C, H, W) are read channels last."""
    rows = values.transpose(0, 2, 3, 1) if values.ndim == 4 else values
    digest = hashlib.blake2b(f"{rows.dtype.str} {rows.shape}".encode(), digest_size=16)
    block = max(1, BLOCK // max(1, rows[:1].nbytes))
    for start in range(0, len(rows), block):
        digest.update(np.ascontiguousarray(rows[start : start + block]).data.cast("B"))
    return digest.hexdigest()


def as_input(values: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """Converts stored samples to the networks' input: float32, pixels in [−1, 1], channels last in memory."""
    x = torch.from_numpy(values).to(device)
    return x if x.ndim == 2 else x.to(torch.float32, memory_format=torch.channels_last).mul_(2 / 255).sub_(1)
