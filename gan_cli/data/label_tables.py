"""Tables of labels: a file name and what is said of that picture, as CSV or JSON.

CSV has a header; the first column names the file. JSON is ``{file: label}``, ``{file: {column: value}}``, a list of
``{"file": …, column: value}``, or NVIDIA's ``{"labels": [[file, label], …]}``, and null there if there are none.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gan_cli.output.text import composed

LABEL = "label"  # of the only column where it has no name
FILES = ("file", "filename", "file_name", "image", "image_id", "path", "name")  # columns that name the file, in JSON
BYTES = 2**28


class Unreadable(ValueError):
    """A file that is no table of labels."""


@dataclass(frozen=True)
class Table:
    """What a file says: the columns, and by the name of a picture a value of each, as text; '' where it is missing.

    Attributes:
        again: names that come again with other values.
        classes: whether it is of a kind that has nothing but classes, whatever their names; without rows it says that
            there are none.
    """

    columns: tuple[str, ...]
    rows: Mapping[str, tuple[str, ...]]
    again: Sequence[str] = ()
    classes: bool = False


def table_of(data: bytes, kind: str) -> Table:
    """Reads a table.

    Args:
        kind: ``.csv`` or ``.json``.

    Raises:
        Unreadable: saying why it is none.
    """
    if len(data) > BYTES:
        raise Unreadable(f"has {len(data):,} bytes, and more than {BYTES:,} are not read")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("is no UTF-8: save it as UTF-8") from error
    columns, rows, classes = _of_json(text) if kind == ".json" else (*_of_csv(text), False)
    if not columns or not (rows or classes):
        raise Unreadable("has no labels: a first line such as file,label, and a row for each picture")
    if len(set(columns)) < len(columns) or not all(columns):
        raise Unreadable(f"has columns of the same name, or of none: {', '.join(columns)}")
    found: dict[str, tuple[str, ...]] = {}
    again = []
    for name, values in rows:
        if found.setdefault(name, values) != values:
            again.append(name)
    return Table(columns, found, again, classes)


Rows = list[tuple[str, tuple[str, ...]]]


def _of_csv(text: str) -> tuple[tuple[str, ...], Rows]:
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        lines = [
            line for line in csv.reader(io.StringIO(text), delimiter=delimiter) if any(cell.strip() for cell in line)
        ]
    except csv.Error as error:
        raise Unreadable(f"is no CSV ({error})") from error
    if not lines:
        return (), []
    head = tuple(cell.strip() for cell in lines[0])
    if wrong := next((i for i, line in enumerate(lines) if len(line) != len(head)), None):
        raise Unreadable(f"has {len(lines[wrong])} cells in row {wrong + 1}, and {len(head)} columns")
    return head[1:], [(clean(line[0]), tuple(cell.strip() for cell in line[1:])) for line in lines[1:]]


class _Object(dict[str, Any]):
    """A JSON object that knows its names that come again too."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def _of_json(text: str) -> tuple[tuple[str, ...], Rows, bool]:
    try:
        found: object = json.loads(text, object_pairs_hook=_Object)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"is no JSON ({error})") from error
    if found == {"labels": None}:
        return (LABEL,), [], True
    pairs, classes = None, isinstance(found, dict) and isinstance(found.get("labels"), list)
    if isinstance(found, _Object):
        pairs = list(map(_pair, found["labels"])) if classes else found.pairs
    elif isinstance(found, list):
        pairs = list(map(_named, found))
    if pairs is None:
        raise Unreadable('is no table: write {"a.png": "cat"} or {"a.png": {"smiling": true, "angle": 30}}')
    each = [(name, value if isinstance(value, dict) else {LABEL: value}) for name, value in pairs]
    for name, values in each:
        if isinstance(values, _Object) and len(values) < len(values.pairs):
            raise Unreadable(f"gives {name} two values of one column: keep one")
    columns = tuple(dict.fromkeys(column for _, values in each for column in values))
    return columns, [(clean(name), tuple(_text(values.get(c)) for c in columns)) for name, values in each], classes


def _pair(entry: object) -> tuple[str, Any]:
    if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str):
        return entry[0], entry[1]
    raise Unreadable('has an entry in "labels" that is no pair: write {"labels": [["a.png", 3], …]}')


def _named(entry: object) -> tuple[str, dict[str, Any]]:
    if isinstance(entry, dict) and (key := next((k for k in FILES if isinstance(entry.get(k), str)), None)):
        return entry[key], {column: value for column, value in entry.items() if column != key}
    raise Unreadable(f"has an entry without the name of a file: give each one of {', '.join(FILES)}")


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        raise Unreadable("holds lists of labels: give each a name of its own")
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def clean(name: str) -> str:
    """``.\\a\\b.png`` → a/b.png"""
    return "/".join(part for part in composed(name).strip().replace("\\", "/").split("/") if part not in ("", "."))
