"""Conditions: labels that are several attributes or numbers for each sample, instead of one class.

A sample has a row of them, float32 (k,): attributes are 0 or 1, and numbers standardised, so that 0 is their mean over
the whole source and 1 a standard deviation above it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["attribute", "number"]
SWEPT = 8  # values of a number, or combinations, that are shown in turn
ALIKE = 1e-6  # how near means and scales are that were computed from the same numbers
ROWS, VALUES = 256, 16_384  # rows, and numbers in them, that stand for a whole source


@dataclass(frozen=True)
class Condition:
    """A column of conditions.

    Attributes:
        mean, scale: of a number in its own unit: ``(value − mean) / scale`` is what networks see.
    """

    name: str
    kind: Kind = "number"
    mean: float = 0.0
    scale: float = 1.0

    def seen(self, value: float) -> float:
        """What networks see for a value."""
        return (value - self.mean) / self.scale

    def value(self, seen: float) -> float:
        """The value in its own unit."""
        return seen * self.scale + self.mean

    def said(self, seen: float, between: str = ":") -> str:
        """``smiling``, ``no smiling``, ``angle:45``."""
        if self.kind == "attribute":
            return self.name if seen > 0.5 else f"no {self.name}"
        return f"{self.name}{between}{self.value(seen):.4g}"


class Columns(int):
    """The number of columns of conditions, where networks are given these (float32) and not a class (int64).

    Attributes:
        kinds: of each column.
    """

    kinds: tuple[Kind, ...]

    def __new__(cls, kinds: Iterable[Kind]) -> Columns:
        made = super().__new__(cls, len(kinds := tuple(kinds)))
        made.kinds = kinds
        return made

    @classmethod
    def of_numbers(cls, count: int) -> Columns:
        each: list[Kind] = ["number"]
        return cls(each * count)

    def __getnewargs__(self) -> tuple[tuple[Kind, ...]]:  # type: ignore[override]
        return (self.kinds,)  # for copies


@dataclass(frozen=True)
class Conditions:
    """The conditions that a model knows, and rows of them as they occur.

    Attributes:
        columns: what each column is.
        rows: float32 (M, k), which stand for those of the whole source: in their shares, in an order in which
            neighbours differ.
    """

    columns: tuple[Condition, ...]
    rows: np.ndarray

    def of(self, places: Iterable[int]) -> np.ndarray:
        """A row for each place, float32 (n, k): in turn."""
        return self.rows[[place % len(self.rows) for place in places]]  # places may be larger than an int64

    def sweep(self, count: int) -> np.ndarray:
        """Rows that show what the conditions do, float32 (n, k), in rising order.

        Of attributes each combination that occurs. Where there are numbers, ``count`` of the rows at equal distances in
        their order, which are quantiles of the first number.
        """
        if all(column.kind == "attribute" for column in self.columns):
            return np.unique(self.rows, axis=0)
        each = self.rows[np.lexsort(self.rows.T[::-1])]
        return np.unique(each[spaced(len(each), count)], axis=0)

    def words(self, row: Sequence[float], between: str = ":") -> list[str]:
        """``["smiling", "angle:45"]``; attributes that are not there are not named, unless all are not."""
        pairs = zip(self.columns, row, strict=True)
        return [c.said(seen, between) for c, seen in pairs if c.kind == "number" or seen > 0.5] or ["none"]

    def said(self, row: Sequence[float]) -> str:
        """``smiling+glasses``, ``angle:45``: these words as one."""
        return "+".join(self.words(row))

    def beyond(self, row: Sequence[float]) -> list[str]:
        """``["height:500 (the data have 1 to 99)"]``: numbers that lie beyond the rows by a tenth of their extent."""
        found = []
        for column, seen, low, high in zip(self.columns, row, self.rows.min(0), self.rows.max(0), strict=True):
            margin = (high - low) / 10
            if column.kind == "number" and not low - margin <= seen <= high + margin:
                found.append(f"{column.said(seen)} (the data have {column.value(low):.4g} to {column.value(high):.4g})")
        return found

    def titles(self, rows: Iterable[Sequence[float]]) -> list[str]:
        """What tells each row from the others, a line for each word, and a number below its name.

        What all have in common is left out, unless it is all that one of them has.
        """
        each = [self.words(row, "\n") for row in rows]
        common = set(each[0]).intersection(*each) if each else set()
        if any(common.issuperset(words) for words in each):
            common = set()
        return ["\n".join(word for word in words if word not in common) for words in each]

    def saved(self) -> list[dict[str, Any]]:
        """The columns, for a checkpoint."""
        return [asdict(column) for column in self.columns]


def like(some: Sequence[Condition], others: Sequence[Condition]) -> bool:
    """Whether columns are of the same kinds in the same units, whatever they are called."""
    return len(some) == len(others) and all(
        one.kind == other.kind
        and math.isclose(one.scale, other.scale, rel_tol=ALIKE)
        and math.isclose(one.mean, other.mean, rel_tol=ALIKE, abs_tol=ALIKE * abs(one.scale))
        for one, other in zip(some, others, strict=True)
    )


def saved_columns(data: Mapping[str, Any]) -> tuple[Condition, ...]:
    """The columns that the identity of a checkpoint's data, or an export, tells of; empty where it has none."""
    return tuple(Condition(**column) for column in data.get("conditions") or ())


def conditions_in(data: Mapping[str, Any]) -> Conditions | None:
    """The same with the rows that stand for the data's; None where there are no columns."""
    made = saved_columns(data)
    return Conditions(made, np.array(data["rows"], np.float32).reshape(-1, len(made))) if made else None


def columns_in(classes: int, data: Mapping[str, Any]) -> int:
    """The number of labels that networks see, as ``Columns`` where the data have conditions."""
    columns = data.get("conditions")
    return Columns(column["kind"] for column in columns) if classes and columns else classes


def standing_for(rows: np.ndarray) -> np.ndarray:
    """At most ``ROWS`` of many rows (N, k), in their shares: each combination once at least, if there is room.

    They depend on the rows alone, not on their order.
    """
    count = max(2, min(ROWS, VALUES // rows.shape[1]))
    each, numbers = np.unique(rows, axis=0, return_counts=True)
    if len(each) > count:
        chosen = np.repeat(each, numbers, axis=0)[spaced(len(rows), count)]
    else:
        once = np.maximum(1, np.floor(numbers / numbers.sum() * min(count, len(rows))).astype(int))
        while once.sum() > count:
            once[once.argmax()] -= 1
        chosen = np.repeat(each, once, axis=0)
    return chosen[np.random.default_rng(0).permutation(len(chosen))]


def spaced(number: int, count: int) -> np.ndarray:
    """``count`` places among ``number``, at equal distances, from half of one on: int64 (count,)."""
    return ((np.arange(count) + 0.5) * number / count).astype(np.int64)


def standardised(
    values: np.ndarray, names: Sequence[str], kinds: Sequence[Kind] | None = None
) -> tuple[np.ndarray, tuple[Condition, ...]]:
    """Values (N, k) in their own units as the labels of ``Samples``, float32 (N, k), and their conditions.

    Args:
        kinds: of each column; by default all are numbers.
    """
    values = np.asarray(values, np.float64)
    if kinds is None:
        kinds = ["number"] * len(names)
    columns = [_column(*each) for each in zip(names, kinds, values.T, strict=True)]
    means, scales = np.array([c.mean for c in columns]), np.array([c.scale for c in columns])
    return ((values - means) / scales).astype(np.float32), tuple(columns)


def _column(name: str, kind: Kind, values: np.ndarray) -> Condition:
    if kind == "attribute":
        return Condition(name, kind)
    return Condition(name, kind, float(values.mean()), float(values.std()) or 1.0)
