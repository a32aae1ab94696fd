"""Samples as files of values in their units: tables as CSV and Parquet, arrays, sounds."""

from __future__ import annotations

import csv
import wave
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from torch import Tensor

from gan_cli.commands.sampling.draw import Shot, tensor_of
from gan_cli.data.coding import are_whole, decoded, in_units, restored
from gan_cli.data.columns import Column, Fields
from gan_cli.data.table_files import written
from gan_cli.games.sampler import Sampler
from gan_cli.output.replacing import replacing

Named = dict[str, tuple[Column, np.ndarray]]  # cells by the name of their column
RATE = 8000  # values per second of a sound whose data does not say


def arranged(sampler: Sampler, values: Tensor, wanted: Sequence[Shot]) -> Named:
    """The rows of a table: of signals one for each step, with the seed that it is of; of points one for each.

    A label that was not asked for is what a model that tells classes apart says of the row; else it is left out. One
    that is called as another column is ``label x``.
    """
    given = tensor_of([shot.label for shot in wanted])
    labels = None if given is None else given.numpy()
    x, fields = values.numpy(), sampler.fields
    found: Named = {}
    if x.ndim == 2 and fields:
        if labels is None and (read := sampler.classes_of(values)) is not None:
            labels = read.numpy()
        cells = decoded(fields, x, labels)
        found = {c.name: (c, cells[c.name]) for c in fields if c.name in cells}
        if labels is None or any(column.kind == "label" for column in fields):
            return found
    else:
        units = restored(fields, x)
        parts = units.T if x.ndim == 2 else units.transpose(1, 0, 2).reshape(x.shape[1], -1)
        names = [column.name for column in fields] or [f"x{i}" for i in range(len(parts))]
        found = {name: (Column(name=name), part) for name, part in zip(names, parts, strict=True)}
    before: Named = {}
    if x.ndim == 3:
        before["seed"] = _whole("seed", np.repeat([shot.seed for shot in wanted], x.shape[2]))
        before["step"] = _whole("step", np.tile(np.arange(x.shape[2]), len(x)))
    for name, asked, cells_of in [] if labels is None else _labels(sampler, labels):
        key = name if name not in (*before, *found) else f"label {name}"
        before[key] = asked.model_copy(update={"name": key}), np.repeat(cells_of, 1 if x.ndim == 2 else x.shape[2])
    return before | found


def _labels(sampler: Sampler, labels: np.ndarray) -> Iterator[tuple[str, Column, np.ndarray]]:
    """The columns of what was asked for: its class, or each condition in its unit."""
    if sampler.conditions is None:
        names = [*sampler.names] or [str(label) for label in range(sampler.classes or int(labels.max()) + 1)]
        yield "label", Column(name="label", kind="label", values=names), labels
        return
    for condition, seen in zip(sampler.conditions.columns, labels.T, strict=True):
        asked = Column(name=condition.name, kind="label", mean=condition.mean, scale=condition.scale)
        yield condition.name, asked, in_units(asked, seen)


def _whole(name: str, cells: np.ndarray) -> tuple[Column, np.ndarray]:
    return Column(name=name, decimals=0), cells.astype(np.float64)


def _texts(column: Column, cells: np.ndarray) -> list[str]:
    if column.is_number:
        return [written(x, column.decimals) for x in cells.tolist()]
    return [column.values[number] for number in cells.tolist()]


def write_csv(path: Path, table: Named) -> None:
    """A line of names, then a line for each row; a cell without a value is empty."""
    with replacing(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(table)
        lines.writerows(zip(*(_texts(*each) for each in table.values()), strict=True))


def write_parquet(path: Path, table: Named) -> None:
    """Whole numbers as int64 where that has room for them, others as float64, categories as texts.

    A cell without a value is null.
    """
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    def array(column: Column, cells: np.ndarray) -> arrow.Array:
        if not column.is_number:
            return arrow.array([text or None for text in _texts(column, cells)], arrow.string())
        whole = are_whole(column, cells)
        known = [None if np.isnan(x) else int(x) if whole else x for x in cells.tolist()]
        return arrow.array(known, arrow.int64() if whole else arrow.float64())

    made = arrow.table({name: array(*each) for name, each in table.items()})
    with replacing(path) as aside:
        parquet.write_table(made, aside)


TABLES: dict[str, Callable[[Path, Named], None]] = {"csv": write_csv, "parquet": write_parquet}


def write_npy(path: Path, values: np.ndarray) -> None:
    with replacing(path) as aside, aside.open("wb") as file:
        np.save(file, values, allow_pickle=False)


def rate_of(columns: Fields) -> int:
    """Values per second of the channels; 0 where that is not known."""
    return round(columns[0].rate) if columns else 0


def loudest(columns: Fields) -> float:
    """What sounds are divided by: the largest magnitude that the channels have in the data, where it exceeds 1."""
    most = max((abs(column.mean) + column.scale for column in columns), default=1.0)
    return most if most > 1 + 1e-6 else 1.0  # a full sound is not quite 1 once its middle and half are rounded


def write_wav(path: Path, signal: np.ndarray, rate: int) -> None:
    """A sound (C, L) between −1 and 1, 16 bits a value."""
    pulses = (signal.clip(-1, 1) * 32767).round().astype("<i2")
    made = BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(len(signal))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.ascontiguousarray(pulses.T).tobytes())
    with replacing(path) as aside:
        aside.write_bytes(made.getvalue())
