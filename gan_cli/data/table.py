"""Any table, from a CSV or Parquet file: ``dataset=table``."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from gan_cli.config.mistakes import suggestion
from gan_cli.config.paths import expanded
from gan_cli.data.coding import encoded, number_column
from gan_cli.data.columns import Column, Fields, width
from gan_cli.data.conditions import Condition, standardised
from gan_cli.data.number_schemas import MOST_VALUES
from gan_cli.data.rows import Rows, of_split
from gan_cli.data.samples import UNKNOWN, Samples
from gan_cli.data.table_files import NUMBER, Found, read
from gan_cli.errors import UserError
from gan_cli.output.text import few, printable

log = logging.getLogger(__name__)
FEW = 10  # different texts, which are categories however few rows there are
CLASSES = 20  # different numbers of a label, which are classes; more are a number that is asked for
NAMED = 8  # columns in a line


@dataclass(frozen=True, kw_only=True)
class Table(Rows):
    """Rows of a table: numbers by their ranks or standardised, categories one-hot.

    Args:
        columns: these alone; () for all.
        leave_out: not these.
        categories: numbers that are names, such as codes.
        label: the column that samples are asked for by.
        numbers: ``ranks`` or ``standard``.
        missing: what rows with a cell without a value are: ``keep``, ``drop`` or ``refuse``.
        most_values: more different texts are no categories.
        unlabelled: whether rows without a class in the label's column are kept, without one.
    """

    columns: Sequence[str]
    leave_out: Sequence[str]
    categories: Sequence[str]
    label: str | None
    numbers: str
    missing: str
    most_values: int
    delimiter: str | None
    unlabelled: bool = False

    @cached_property
    def found(self) -> dict[str, Found]:
        """The columns of the file that are asked for, by name."""
        path, named = expanded(self.path, "dataset.path="), {*self.categories, self.label or ""}
        every = {column.name: column for column in read(path, self.path, self.delimiter, named)}
        asked = {"columns": self.columns, "leave_out": self.leave_out, "categories": self.categories}
        asked["label"] = [self.label] if self.label else []
        for key, names in asked.items():
            if unknown := [name for name in names if name not in every]:
                known = ", ".join([*every][:NAMED])
                raise UserError(
                    f"dataset.{key}={unknown[0]}: there is no such column{suggestion(unknown[0], every)}; "
                    f"there are: {known}{' …' if len(every) > NAMED else ''}"
                )
        if self.label and self.label in self.leave_out:
            raise UserError(f"dataset.label={self.label}: is in dataset.leave_out too: leave one of them out")
        wanted = {*self.columns, self.label} if self.columns else {*every}
        return {name: column for name, column in every.items() if name in wanted and name not in self.leave_out}

    @cached_property
    def used(self) -> dict[str, Found]:
        """Those that can be learnt: numbers and categories, which are texts by then."""
        return {name: found for name, found in self._sorted.items() if not isinstance(found, str)}

    @cached_property
    def _sorted(self) -> dict[str, Found | str]:
        """Each column, or why it is left out."""
        sorted_ = {name: self._one(found) for name, found in self.found.items()}
        for name in (*self.columns, *self.categories, *([self.label] if self.label else [])):
            if isinstance(why := sorted_.get(name), str):
                key = "label" if name == self.label else "columns" if name in self.columns else "categories"
                raise UserError(f"dataset.{key}={name}: {why}{self._way_out(self.found[name])}")
        if all(isinstance(found, str) or name == self.label for name, found in sorted_.items()):
            told = "; ".join(f"{name}: {why}" for name, why in [*sorted_.items()][:NAMED] if isinstance(why, str))
            raise UserError(
                f"{self.who}: has no column of numbers or of categories to learn{f' ({told})' if told else ''}"
            )
        return sorted_

    def _one(self, found: Found) -> Found | str:
        if found.kind in ("date", "other"):
            return "dates or times" if found.kind == "date" else "lists or other values that are no cells"
        named = found.name in self.categories
        if found.kind == "number" and not named:
            assert found.numbers is not None
            there = found.numbers[~np.isnan(found.numbers)]
            if found.name != self.label or len(np.unique(there)) > CLASSES:
                return found if len(there) else "no values"
            named = True
        texts = _texts(found)
        different = _different(texts)
        if not different:
            return "no values"
        if different > self.most_values or (not named and different > _most(texts)):
            return f"{different:,} different {'values' if found.kind == 'number' else 'texts'}"
        return replace(found, kind="text", texts=texts, numbers=None)

    def _way_out(self, found: Found) -> str:
        """What is to be done about a column that was asked for and cannot be learnt."""
        texts = _texts(found) if found.kind in ("number", "text") else np.array([], object)
        different = _different(texts)
        if not different or (found.name not in self.categories and different > _most(texts)):
            return ", which no category and no number is: leave it out"
        if different > MOST_VALUES:
            return f", and a category has {MOST_VALUES:,} at most: leave it out"
        return f": use dataset.most_values={different}"

    @cached_property
    def rows(self) -> np.ndarray:
        """The rows of the file that are there to be used, of all splits: int64 (n,)."""
        gone, lacking = self._gaps, np.zeros(len(self), bool)
        for name, mask in gone.items():
            if self.missing == "drop" or name == self.label:
                lacking |= mask
        if gone and self.missing == "refuse":
            told = ", ".join(f"{name} in {mask.sum():,}" for name, mask in [*gone.items()][:NAMED])
            raise UserError(
                f"dataset.missing=refuse: of {len(self):,} rows cells have no value: {told}: use "
                "dataset.missing=drop or keep"
            )
        if lacking.all():
            raise UserError(f"{self.who}: every row lacks a value: use dataset.missing=keep, or leave columns out")
        return np.flatnonzero(~lacking)

    @cached_property
    def _gaps(self) -> dict[str, np.ndarray]:
        """Which rows have no value, of each column in which any has none."""
        gaps = {name: _missing(found) for name, found in self.used.items() if name != self._partly}
        return {name: mask for name, mask in gaps.items() if mask.any()}

    @property
    def _partly(self) -> str | None:
        """The label's column, where its cells need not have a value."""
        return self.label if self.unlabelled and self.label and self.used[self.label].kind != "number" else None

    def __len__(self) -> int:
        """The rows of the file."""
        first = next(iter(self.found.values()))
        return len(first.texts if first.texts is not None else first.numbers)  # type: ignore[arg-type]

    @cached_property
    def meaning(self) -> Fields:
        """The columns as they are learnt: categories of the whole file, numbers of the rows that are trained on."""
        trained = self.limited(self.rows_of("all" if self.split == "all" else "train"))
        kept = self.rows
        found = []
        for name, column in self.used.items():
            if name == self.label and self._condition is not None:
                mean, scale = self._condition.mean, self._condition.scale
                decimals = column.decimals
                found.append(Column(name=name, kind="label", mean=mean, scale=scale, decimals=decimals))
            elif column.kind == "number":
                assert column.numbers is not None
                of_rows = number_column(name, column.numbers[trained], column.decimals, self.numbers == "ranks")
                gaps = bool(np.isnan(column.numbers[kept]).any())
                found.append(of_rows.model_copy(update={"gaps": gaps}))
            else:
                assert column.texts is not None
                kind: Literal["label", "category"] = "label" if name == self.label else "category"
                found.append(Column(name=name, kind=kind, values=self._values_of(name)))
        return tuple(found)

    @cached_property
    def _condition(self) -> Condition | None:
        """What samples are asked for, where that is a number."""
        if not self.label or (numbers := self.used[self.label].numbers) is None:
            return None
        return standardised(numbers[self.rows][:, None], [self.label])[1][0]

    @cached_property
    def classes(self) -> np.ndarray | None:
        """The class of each row of the file, int64; −1 where it has none; None without classes."""
        if not self.label or self._condition is not None:
            return None
        number = {value: i for i, value in enumerate(self._values_of(self.label))}
        texts = self.used[self.label].texts
        assert texts is not None
        return np.array([number.get(text, UNKNOWN) for text in texts], np.int64)

    def _values_of(self, name: str) -> list[str]:
        texts = self.used[name].texts
        assert texts is not None
        return sorted(set(texts[self.rows]) - ({""} if name == self._partly else set()), key=_natural)

    def rows_of(self, split: str) -> np.ndarray:
        return self.rows[of_split(len(self.rows), split)]

    def load(self) -> Samples:
        """float32 (N, d); one line says what the columns are, and what is left out and why.

        Raises:
            UserError: if there is nothing to learn in it.
        """
        samples = self.samples_of(self.chosen)
        log.info("%s", self.told(len(samples)))
        return samples

    def told(self, count: int) -> str:
        """What is in the table, in a line."""
        kinds = {"number": "numbers", "category": "categories", "label": "label"}
        parts = [f"{count:,} of {len(self):,} rows"]
        for kind, word in kinds.items():
            if names := [column.name for column in self.meaning if column.kind == kind]:
                parts.append(f"{word}: {few(names, NAMED)}")
        parts.append(f"{width(self.meaning)} features")
        if lost := {name: why for name, why in self._sorted.items() if isinstance(why, str)}:
            parts.append(f"left out: {few([f'{name} ({why})' for name, why in lost.items()], NAMED)}")
        if self._partly and (without := int((self.classes[self.rows] == UNKNOWN).sum())):  # type: ignore[index]
            parts.append(f"{without:,} of them have no {self.label}")
        if self._gaps:
            gone = few([f"{name} in {mask.sum():,}" for name, mask in self._gaps.items()], NAMED)
            dropped = len(self) - len(self.rows)
            done = f"{dropped:,} rows are left out" if dropped else "which is a value of its own (dataset.missing=drop)"
            parts.append(f"no value: {gone}: {done}")
        return f"{self.path}: " + "; ".join(parts)

    def samples_of(self, rows: np.ndarray) -> Samples:
        cells: dict[str, np.ndarray] = {}
        for column in self.meaning:
            found = self.used[column.name]
            if column.kind == "number":
                assert found.numbers is not None
                cells[column.name] = found.numbers[rows]
            elif column.kind == "category":
                assert found.texts is not None
                number = {value: i for i, value in enumerate(column.values)}
                cells[column.name] = np.array([number[text] for text in found.texts[rows]], np.int64)
        values = encoded(self.meaning, cells, np.random.default_rng(len(rows)))
        if self._condition is not None:
            assert self.label
            asked = self.used[self.label].numbers
            assert asked is not None
            seen = ((asked[rows] - self._condition.mean) / self._condition.scale).astype(np.float32)[:, None]
            return Samples(values, seen, conditions=(self._condition,), fields=self.meaning)
        if self.classes is None:
            return Samples(values, fields=self.meaning)
        return Samples(values, self.classes[rows], tuple(self._values_of(str(self.label))), fields=self.meaning)


def _missing(found: Found) -> np.ndarray:
    if found.kind == "number":
        assert found.numbers is not None
        return np.isnan(found.numbers)
    assert found.texts is not None
    return found.texts == ""


def _texts(found: Found) -> np.ndarray:
    return np.array([printable(text)[:1000] for text in found.as_texts()], object)


def _different(texts: np.ndarray) -> int:
    return len(set(texts[texts != ""]))


def _most(texts: np.ndarray) -> int:
    """How many may differ before they are taken for the names of rows."""
    return max(FEW, len(texts) // 2)


def _natural(text: str) -> tuple[bool, float, str]:
    """Numbers by their size, before other texts; "" first."""
    return text != "", float(text) if NUMBER.fullmatch(text) else float("inf"), text
