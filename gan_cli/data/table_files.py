"""Tables as they lie in files: CSV, and Parquet where pyarrow is there."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gan_cli import memory
from gan_cli.errors import UserError, reason_of
from gan_cli.output.text import composed, printable

MISSING = frozenset({"", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL"})  # cells without a value
DELIMITERS = (",", ";", "\t", "|")
CELL, MOST = 2**17, 10_000  # characters of a cell, and columns
DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([T ].*)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}( .*)?|\d{1,2}:\d{2}(:\d{2})?")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
ENDLESS = re.compile(r"[+-]?(inf|infinity)", re.IGNORECASE)
DECIMALS = 9  # of a number as it is written; with more of them it is any number
PER_CELL = 90  # bytes of memory that a short text takes in Python


@dataclass(frozen=True)
class Found:
    """A column of a file.

    Attributes:
        kind: ``other`` is a list or another value that is no cell.
        numbers: float64 (N,), NaN without a value; of a column of numbers.
        texts: (N,), "" without a value; of any other, and of numbers that are asked for as they are written.
        decimals: of the numbers as they are written; None if they have many.
    """

    name: str
    kind: Literal["number", "text", "date", "other"]
    numbers: np.ndarray | None = None
    texts: np.ndarray | None = None
    decimals: int | None = None

    def as_texts(self) -> np.ndarray:
        """The cells as texts; numbers as they are written in the file, if they were asked for so."""
        if self.texts is not None:
            return self.texts
        assert self.numbers is not None
        return np.array([written(x, self.decimals) for x in self.numbers.tolist()], object)


def written(x: float, decimals: int | None) -> str:
    """A number as a cell; "" where there is none."""
    if math.isnan(x):
        return ""
    return f"{x:.{decimals}f}" if decimals is not None else repr(float(x))


def read(path: Path, said: str, delimiter: str | None, as_written: Collection[str] = ()) -> list[Found]:
    """The columns of a file, in their order, each of one row at least.

    Args:
        said: the path as it was typed.
        delimiter: of a CSV; None: the one that its first line has most of.
        as_written: columns whose numbers may be names, such as 00501, and so are texts too.

    Raises:
        UserError: if it cannot be read.
    """
    who = f"dataset.path={said}"
    try:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise UserError(f"{who}: {what}: give a .csv or .parquet file")
        if path.suffix.lower() in (".parquet", ".pq"):
            if delimiter is not None:
                raise UserError(f"dataset.delimiter={delimiter}: is for CSV, and {said} is Parquet: leave it out")
            columns = _parquet(path, who, as_written)
        else:
            columns = _csv(path, who, delimiter, as_written)
    except OSError as error:
        raise UserError(f"{who}: cannot be read ({reason_of(error)}): give another file") from error
    columns = [replace(column, name=composed(column.name)) for column in columns]
    names = [column.name for column in columns]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"{who}: has two columns called {printable(twice)!r}: give each a name of its own")
    if bad := next((name for name in names if not name.isprintable() or len(name) > 1000), None):
        raise UserError(f"{who}: has a column whose name cannot be shown, {printable(bad)[:40]!r}: give it another")
    return columns


def _csv(path: Path, who: str, delimiter: str | None, as_written: Collection[str]) -> list[Found]:
    size = path.stat().st_size
    memory.require(PER_CELL / 6 * size, who, "give a part of it, or a .parquet file")
    csv.field_size_limit(CELL)
    rows: list[list[str]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline(2**20)
            if "\0" in first:
                raise UserError(f"{who}: is no text: give a .csv or .parquet file")
            mark = delimiter or max(DELIMITERS, key=first.count)
            file.seek(0)
            lines = csv.reader(file, delimiter=mark, strict=True)
            for row in filter(None, lines):  # not the lines that are empty
                if rows and len(row) != len(rows[0]):
                    raise UserError(
                        f"{who}: line {lines.line_num} has {len(row)} cells and the first has {len(rows[0])}: "
                        "mend it, or say what stands between cells: dataset.delimiter=';'"
                    )
                rows.append(row)
    except UnicodeDecodeError as error:
        raise UserError(f"{who}: is not UTF-8 ({reason_of(error)}): save it as UTF-8") from error
    except csv.Error as error:
        raise UserError(
            f"{who}: cannot be read as CSV near row {len(rows) + 1} ({reason_of(error)}): mend it"
        ) from error
    if len(rows) < 2:
        raise UserError(f"{who}: holds no rows below a line of names: give a table with both")
    header = [name.strip() for name in rows.pop(0)]
    if len(header) > MOST:
        raise UserError(f"{who}: has {len(header):,} columns, more than {MOST:,}: give fewer")
    if all(NUMBER.fullmatch(name) for name in header):
        raise UserError(f"{who}: its first line is all numbers: give each column a name there")
    names = [name or f"column {place}" for place, name in enumerate(header, start=1)]
    comma = mark != ","
    columns = zip(names, zip(*rows, strict=True), strict=True)
    return [_of_texts(who, name, cells, comma, name in as_written) for name, cells in columns]


def _of_texts(who: str, name: str, cells: Sequence[str], comma: bool, as_written: bool) -> Found:
    """A column of a CSV, whose cells say what it is.

    Args:
        comma: whether 3,14 is a number.
        as_written: whether its numbers are texts too.
    """
    texts = ["" if (text := cell.strip()) in MISSING else text for cell in cells]
    there = [text for text in texts if text]
    if comma and there and not any("." in text for text in there):
        dotted = [text.replace(",", ".", 1) for text in there]
        if all(map(NUMBER.fullmatch, dotted)):
            there, texts = dotted, [text.replace(",", ".", 1) for text in texts]
    if there and all(NUMBER.fullmatch(text) or ENDLESS.fullmatch(text) for text in there):
        numbers = np.array([float(text) if text else math.nan for text in texts])
        if np.isinf(numbers).any():
            raise UserError(f"{who}: its column {name} holds numbers that are not finite: mend or remove them")
        kept = np.array(texts, object) if as_written else None
        return Found(name, "number", numbers=numbers, texts=kept, decimals=_decimals(there))
    kind: Literal["date", "text"] = "date" if there and all(map(DATE.fullmatch, there)) else "text"
    return Found(name, kind, texts=np.array(texts, object))


def _decimals(texts: Sequence[str]) -> int | None:
    most = 0
    for text in texts:
        if "e" in text or "E" in text:
            return None
        most = max(most, len(text.partition(".")[2]))
    return most if most <= DECIMALS else None


def _parquet(path: Path, who: str, as_written: Collection[str]) -> list[Found]:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ModuleNotFoundError as error:
        raise UserError(f"{who}: needs the package pyarrow: pip install 'gan-cli[tables]'") from error
    try:
        with parquet.ParquetFile(path) as file:
            about = file.metadata
            if about.num_columns > MOST:
                raise UserError(f"{who}: has {about.num_columns:,} columns, more than {MOST:,}: give fewer")
            if not about.num_rows:
                raise UserError(f"{who}: holds no rows: give others")
            memory.require(PER_CELL * about.num_rows * about.num_columns, who, "give a part of it")
            table = file.read()
            columns = zip(table.column_names, table.columns, strict=True)
            return [_of_arrow(who, name, column, name in as_written) for name, column in columns]
    except UserError:
        raise
    except (arrow.ArrowException, OSError, ValueError, MemoryError) as error:
        raise UserError(f"{who}: cannot be read as Parquet ({reason_of(error)}): write it again") from error


def _of_arrow(who: str, name: str, column: Any, as_written: bool) -> Found:  # a pyarrow.ChunkedArray
    import pyarrow as arrow

    kind = column.type
    if arrow.types.is_dictionary(kind):
        kind = kind.value_type
        column = column.cast(kind)
    if arrow.types.is_integer(kind) or arrow.types.is_floating(kind) or arrow.types.is_decimal(kind):
        numbers = np.asarray(column.cast(arrow.float64(), safe=False).to_numpy(), np.float64)
        if np.isinf(numbers).any():
            raise UserError(f"{who}: its column {name} holds numbers that are not finite: mend or remove them")
        there = numbers[~np.isnan(numbers)]
        whole = bool((there == np.round(there)).all())  # of whole numbers with gaps, some programs make floats
        kept = _texts(column) if as_written and arrow.types.is_integer(kind) else None  # beyond 2⁵³, no float64 is it
        return Found(name, "number", numbers=numbers.copy(), texts=kept, decimals=0 if whole else None)
    if arrow.types.is_temporal(kind):
        return Found(name, "date", texts=np.array([""] * len(column), object))  # nobody reads them
    if arrow.types.is_string(kind) or arrow.types.is_large_string(kind) or arrow.types.is_boolean(kind):
        return Found(name, "text", texts=_texts(column))
    return Found(name, "other", texts=np.array([""] * len(column), object))


def _texts(column: Any) -> np.ndarray:
    return np.array(["" if value is None else str(value) for value in column.to_pylist()], object)
