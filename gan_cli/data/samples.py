"""The samples of a dataset: one array, and perhaps a label for each entry."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.columns import Fields, fit, read, spelled_alike
from gan_cli.data.conditions import Columns, Condition, Conditions, like, saved_columns, standing_for
from gan_cli.output.pictures import as_bytes
from gan_cli.output.text import few, printable

LONGEST = 1000  # characters of a class's or a condition's name
SHOWN = 20  # classes in a line of the log
BLOCK = 2**24  # bytes that are hashed at a time
UNKNOWN = -1  # the label of a sample whose class is not known
KINDS: dict[int, tuple[type, ...]] = {  # of samples, by their dimensions
    4: (np.uint8, np.float32),
    3: (np.float32,),
    2: (np.float32,),
}
FIXES = {
    4: "bytes from 0 to 255, .astype(np.uint8), or numbers from -1 to 1, .astype(np.float32)",
    3: ".astype(np.float32)",
    2: ".astype(np.float32)",
}


@dataclass(frozen=True)
class Samples:
    """Pictures, points or signals, with their labels.

    Args:
        values: pictures, uint8 (N, C, H, W), or at full depth, float32 (N, C, H, W) in [−1, 1]; points, float32
            (N, d); or signals, float32 (N, C, L).
        labels: int64 (N,), one class each, −1 where it is not known; float32 (N, k), which ``conditions`` describe; or
            None.
        names: the names of the classes by label; empty where they have none.
        classes: the number of classes of the whole source; by default the number of names, or the largest label + 1.
        digest: ``digest_of(values)``, if it is known already.
        decoder: the decoder with its version, for pictures that come from files.
        conditions: what each column of the labels is, if they are no classes.
        fields: what the numbers of a point, or the channels of a signal, stand for; empty where they are themselves.

    Raises:
        ValueError: if the arrays have another type or shape, are empty or not finite, or a label belongs to no class.
    """

    values: np.ndarray
    labels: np.ndarray | None = None
    names: tuple[str, ...] = ()
    classes: int = 0
    digest: str | None = None
    decoder: str | None = None
    conditions: tuple[Condition, ...] = ()
    fields: Fields = ()

    def __post_init__(self) -> None:
        for array in (self.values, self.labels):
            if array is not None and not isinstance(array, np.ndarray):
                raise ValueError(f"samples and labels must be NumPy arrays, not {type(array).__name__}: take .numpy()")
        if self.values.dtype not in KINDS.get(self.values.ndim, ()):
            fix = FIXES.get(self.values.ndim)
            raise ValueError(
                f"samples must be uint8 (N, C, H, W), float32 (N, C, H, W) in [-1, 1], float32 (N, d) or (N, C, L), "
                f"not {self.values.dtype} {tuple(self.values.shape)}" + (f": give {fix}" if fix else "")
            )
        if not len(self.values):
            raise ValueError("the dataset is empty")
        if self.values.ndim == 4 and self._channels_last():
            raise ValueError(
                f"samples must be {self.values.dtype} (N, C, H, W), and {self.values.shape} looks like (N, H, W, C): "
                "give .transpose(0, 3, 1, 2)"
            )
        for name in (*self.names, *(condition.name for condition in self.conditions)):
            if not name.isprintable() or len(name) > LONGEST:
                raise ValueError(
                    f"a class or condition is called {printable(name[:40])}…: names are one line of at most "
                    f"{LONGEST:,} characters that can be seen: give it another"
                )
        if not fit(self.fields, self.shape):
            raise ValueError(f"the columns are not those of samples {self.shape}")
        if self.values.dtype == np.float32:
            self._check_numbers()
        if self.conditions or (self.labels is not None and self.labels.ndim == 2):
            self._check_conditions()
            return
        if self.labels is not None:
            self._check_labels(self.labels)

        there, seen = self.labels is not None, 0 if self.labels is None else int(self.labels.max()) + 1
        classes = (self.classes or len(self.names) or seen) if there else 0
        if seen > classes or (there and len(self.names) not in (0, classes)):
            raise ValueError(f"a label is {seen - 1}, and there are {classes} classes with {len(self.names)} names")
        object.__setattr__(self, "classes", classes)

    def _check_numbers(self) -> None:
        low, high = np.inf, -np.inf
        for rows in blocks(self.values):
            low, high = min(low, float(rows.min())), max(high, float(rows.max()))  # NaN if a number is none
            if not np.isfinite(low + high):
                raise ValueError("the samples hold numbers that are not finite")
        if self.is_image and not -1 <= low <= high <= 1:
            raise ValueError(
                f"float32 pictures must lie in [-1, 1], and these hold {low:g} to {high:g}: scale them, black to -1 "
                "and white to 1"
            )

    def _check_labels(self, labels: np.ndarray) -> None:
        if not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(f"labels must be whole numbers, int64 (N,), not {labels.dtype}: give .astype(np.int64)")
        if labels.shape != self.values.shape[:1] or labels.min() < UNKNOWN:
            raise ValueError(
                f"labels must be one number from 0 up for each of the {len(self.values)} samples, int64 (N,), or "
                f"{UNKNOWN} where it has none, not {labels.shape}"
            )
        object.__setattr__(self, "labels", labels.astype(np.int64, copy=False))

    def _check_conditions(self) -> None:
        labels, wanted = self.labels, (len(self.values), len(self.conditions))
        if labels is None or labels.dtype != np.float32 or labels.shape != wanted or not self.conditions:
            found = None if labels is None else f"{labels.dtype} {labels.shape}"
            raise ValueError(
                f"labels that are no classes must be float32 (N, k), and k conditions say what they are: not "
                f"{found} for {len(self.values)} samples and {len(self.conditions)} conditions"
            )
        if not np.isfinite(labels).all():
            raise ValueError("the labels hold numbers that are not finite")
        names = [column.name for column in self.conditions]
        if again := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two conditions are called {again}: give each a name of its own")
        if self.names or self.classes:
            raise ValueError("labels are either classes or conditions: give no classes and no names with conditions")

    def _channels_last(self) -> bool:
        """Whether the last axis can only be the channels: it is at most 4, and the second is larger."""
        _, first, height, last = self.values.shape
        return last <= 4 < first and height != last

    def __len__(self) -> int:
        return len(self.values)

    @property
    def is_image(self) -> bool:
        return self.values.ndim == 4

    @property
    def full_depth(self) -> bool:
        """Whether they are pictures of more levels than bytes have."""
        return self.is_image and self.values.dtype == np.float32

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample: (C, H, W), (d,) or (C, L)."""
        return tuple(self.values.shape[1:])

    @property
    def columns(self) -> int:
        """What networks that are given the labels see of them: so many classes, or ``Columns`` of conditions."""
        return Columns(c.kind for c in self.conditions) if self.conditions else self.classes

    @cached_property
    def known(self) -> Conditions | None:
        """The conditions with rows that stand for all of them; None without conditions."""
        if not self.conditions or self.labels is None:
            return None
        return Conditions(self.conditions, standing_for(self.labels))

    @property
    def labelled(self) -> np.ndarray:
        """The places of the samples that have a label, in order: int64 (n,)."""
        if self.labels is None:
            return np.arange(0)
        return np.arange(len(self)) if self.conditions else np.flatnonzero(self.labels != UNKNOWN)

    def with_labels(self) -> Samples:
        """Those that have a label; the same, not copied, if all have one."""
        rows = self.labelled
        return self if len(rows) == len(self) else self.take(rows)

    def take(self, rows: np.ndarray | slice) -> Samples:
        """A part of the samples, with the same classes."""
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, values=self.values[rows], labels=labels, digest=None)

    def as_in(self, data: Mapping[str, Any]) -> Samples:
        """The same samples with the classes of a checkpoint (``classes``, ``names``).

        Old checkpoints lack these keys; their runs had as many classes as the largest label + 1. Conditions have their
        names of then, if they are of the same numbers, and numbers that are categories are written as then.
        """
        if spelled_alike(self.fields, fields := read(data.get("fields", ()))) and fields != self.fields:
            return replace(self, fields=fields).as_in(data)
        if self.conditions:
            then = saved_columns(data)
            return replace(self, conditions=then) if like(self.conditions, then) else self
        seen = 0 if self.labels is None else int(self.labels.max()) + 1
        classes = data.get("classes", seen)
        if classes < seen:  # other data, which ``require_same`` reports
            return self
        names = tuple(data["names"]) if "names" in data else self.names[:classes]
        return replace(self, classes=classes, names=names if len(names) == classes else ())

    def told(self) -> str:
        """The classes or conditions in a line of the log; empty without names.

        Classes with their labels and numbers of samples, attributes with their shares, numbers with mean and deviation.
        """
        if self.conditions and self.labels is not None:
            each = [
                f"{c.name} ({c.mean:.4g} ± {c.scale:.4g})" if c.kind == "number" else f"{c.name} ({share:.1%})"
                for c, share in zip(self.conditions, self.labels.mean(axis=0), strict=True)
            ]
            return f"conditions: {few(each, SHOWN)}"
        if self.labels is None or not self.names:
            return ""
        counts = np.bincount(self.labels[self.labelled], minlength=self.classes)
        left = f"; {without:,} have none" if (without := len(self) - len(self.labelled)) else ""
        return f"classes: {few([f'{i} {name} ({counts[i]:,})' for i, name in enumerate(self.names)], SHOWN)}{left}"

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
    for block in blocks(rows):
        digest.update(np.ascontiguousarray(block).data.cast("B"))
    return digest.hexdigest()


def blocks(values: np.ndarray) -> Iterator[np.ndarray]:
    """Some samples at a time, ``BLOCK`` bytes at most: those on a disk are not all read at once."""
    size = max(1, BLOCK // max(1, values[:1].nbytes))
    for start in range(0, len(values), size):
        yield values[start : start + size]


def as_input(values: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """Converts stored samples to the networks' input: float32, pixels in [−1, 1], channels last in memory.

    Numbers, and pictures at full depth, are what they are.
    """
    x = torch.from_numpy(values).to(device)
    if x.ndim != 4:
        return x
    wide = x.to(torch.float32, memory_format=torch.channels_last)
    return wide if x.is_floating_point() else wide.mul_(2 / 255).sub_(1)


def as_stored(x: Tensor, *, full_depth: bool) -> Tensor:
    """Converts what a model draws to how a dataset stores samples: pictures to bytes, or clamped to [−1, 1]."""
    if x.ndim != 4:
        return x
    return x.clamp(-1, 1) if full_depth else as_bytes(x)
