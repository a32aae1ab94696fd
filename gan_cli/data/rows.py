"""Which rows of an array or a table are used: splits and limits, by the rules that folders have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gan_cli.data.samples import Samples
from gan_cli.data.spreading import hashes_of_rows, spread
from gan_cli.errors import UserError

TENTH = 10  # every so many-th sample is held out


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A dataset of rows that lie in one place: a class to derive from.

    Args:
        path: the place.
        split: ``all``, ``train`` (nine of ten) or ``test`` (the tenth).
        limit: so many of them; 0 for all.
    """

    path: str
    split: str
    limit: int

    @property
    def who(self) -> str:
        return f"dataset.path={self.path}"

    @property
    def classes(self) -> np.ndarray | None:
        """The class of each row of the source, int64; None without classes."""
        return None

    def rows_of(self, split: str) -> np.ndarray:
        """The rows of a split, in their order: int64 (n,)."""
        raise AssertionError("a dataset of rows defines rows_of()")

    def samples_of(self, rows: np.ndarray) -> Samples:
        """Some rows as samples."""
        raise AssertionError("a dataset of rows defines samples_of()")

    @property
    def chosen(self) -> np.ndarray:
        """The rows of the split, at most ``limit`` of them."""
        rows = self.limited(self.rows_of(self.split))
        if not len(rows):
            raise UserError(f"dataset.split={self.split}: holds no samples: use dataset.split=all")
        return rows

    def limited(self, rows: np.ndarray) -> np.ndarray:
        """At most ``limit`` of some rows."""
        if not self.limit:
            return rows
        classes = self.classes
        return rows[spread(hashes_of_rows(rows), None if classes is None else classes[rows], self.limit)]

    def held_out(self) -> Samples | None:
        """Those of the test split, if they are not trained on."""
        rows = self.rows_of("test") if self.split == "train" else np.arange(0)
        return self.samples_of(rows) if len(rows) else None

    def unused(self) -> Samples | None:
        """The rows of the split that ``limit`` leaves out."""
        rows = np.setdiff1d(self.rows_of(self.split), self.chosen)
        return self.samples_of(rows) if len(rows) else None

    def count(self) -> int:
        return len(self.chosen)

    def held_out_count(self) -> int:
        return len(self.rows_of("test")) if self.split == "train" else 0


def in_blocks(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Some of the rows at a time, in their order."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def of_split(count: int, split: str) -> np.ndarray:
    """The rows of a split of ``count``, in their order: every tenth is for tests. int64 (n,)."""
    rows = np.arange(count)
    return rows if split == "all" else rows[(rows % TENTH == TENTH - 1) == (split == "test")]
