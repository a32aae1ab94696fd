"""From a table of labels to the labels of pictures: one class each, or conditions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from gan_cli.config.mistakes import suggestion
from gan_cli.config.numbers import finite
from gan_cli.data.conditions import Condition, Kind, standardised
from gan_cli.data.label_tables import Table
from gan_cli.data.listing import natural
from gan_cli.output.text import composed, few, printable

Meaning = Literal["class", "attribute", "number"]
MEANINGS: tuple[Meaning, ...] = ("class", "attribute", "number")
TRUE, FALSE = frozenset(("1", "true", "yes", "1.0")), frozenset(("0", "false", "no", "0.0", "-1", "-1.0"))
MISSING = frozenset(("", "?", "nan", "na", "n/a", "none", "null"))
FEW = 20  # whole numbers from 0 or 1 on, at most, that are taken for classes
MANY, SHOWN = 1000, 5  # classes at most; names in a line


class Misfit(ValueError):
    """Labels that cannot be used, and what would help."""


@dataclass(frozen=True)
class PictureLabels:
    """What is said of pictures.

    Attributes:
        of: by the name of a picture its class, or its row of conditions as networks see it.
        names: of the classes, by number; empty with conditions.
        conditions: what each column of the rows is; empty with classes.
        told: what is left out, in words; empty if nothing is.
    """

    of: Mapping[str, int | np.ndarray]
    names: tuple[str, ...]
    conditions: tuple[Condition, ...]
    told: str = ""

    @property
    def classes(self) -> dict[str, int]:
        """The class of each picture; none with conditions."""
        return {name: label for name, label in self.of.items() if isinstance(label, int)}


def picture_labels(table: Table, files: Sequence[str], wanted: Sequence[str]) -> PictureLabels:
    """The labels of pictures.

    Args:
        wanted: columns, each perhaps with what it means: ``digit:class``, ``age:number``; none for all.

    Raises:
        Misfit: if the table has no such columns, or its values do not go together.
    """
    if table.again:
        raise Misfit(f"names {few(table.again, SHOWN)} again with other labels: keep one row of each")
    if table.classes and not table.rows and not wanted:
        return PictureLabels(dict.fromkeys(files, 0), ("picture",), ())
    chosen = [_column(name, table.columns) for name in wanted or table.columns]
    if len({place for place, _ in chosen}) < len(chosen):
        raise Misfit("names a column twice: name each once")
    rows, lost = matched(table.rows, files)
    places = [place for place, _ in chosen]
    gone = {place: frozenset({""}) if said == "class" else MISSING for place, said in chosen}
    whole = [file for file, row in rows.items() if not any(row[i].lower() in gone[i] for i in places)]
    words = {(row[i], i) for row in rows.values() for i in places if row[i] and row[i].lower() in gone[i]}
    lack = "lack a value"
    if words:
        word, place = min(words)
        lack += f" ({word} is none: if it is a class, say {table.columns[place]}:class)"
    without = [f"{count:,} of {len(files):,} pictures {what}" for count, what in (
        (len(files) - len(rows), "have no row"),
        (len(rows) - len(whole), lack),
    ) if count]  # fmt: skip
    if lost:
        without.append(f"{len(lost):,} of {len(table.rows):,} rows name no picture: {few(lost, SHOWN)}")
    if not whole:
        raise Misfit(
            f"says nothing of these {len(files):,} pictures ({'; '.join(without)}): name files as they lie there"
        )
    told = "; ".join(without)
    cells = [Cells.of([rows[file][place] for file in whole]) for place in places]
    meanings = [
        said or ("class" if table.classes else meaning_of(column.values))
        for (_, said), column in zip(chosen, cells, strict=True)
    ]
    names = [table.columns[place] for place in places]
    if meanings == ["class"]:
        classes = tuple(sorted(cells[0].values, key=natural))
        if len(classes) > MANY:
            raise Misfit(
                f"has {len(classes):,} classes in {names[0]}, more than {MANY:,}: say what it is, {names[0]}:number"
            )
        number = {name: i for i, name in enumerate(classes)}
        labels = np.array([number[value] for value in cells[0].values])[cells[0].places]
        return PictureLabels(dict(zip(whole, labels.tolist(), strict=True)), tuple(map(printable, classes)), (), told)
    labels, conditions = standardised(*_as_numbers(cells, names, meanings))
    return PictureLabels(dict(zip(whole, labels, strict=True)), (), conditions, told)


class Cells(NamedTuple):
    """A column: its different values, in the order in which they come, and which of these each cell is, (n,)."""

    values: list[str]
    places: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[str]) -> Cells:
        number: dict[str, int] = {}
        places = np.array([number.setdefault(text, len(number)) for text in texts])
        return cls(list(number), places)


def _column(wanted: str, columns: Sequence[str]) -> tuple[int, Meaning | None]:
    called = [*map(composed, columns)]
    if composed(wanted) in called:
        return called.index(composed(wanted)), None
    name, _, said = composed(wanted).rpartition(":")
    if name in called:
        if meaning := next((m for m in MEANINGS if m == said), None):
            return called.index(name), meaning
        raise Misfit(f"{wanted}: a column is a class, attribute or number: write {name}:class")
    raise Misfit(f"has no column {wanted}{suggestion(wanted, columns)}: it has {few(columns, 40)}")


def matched(rows: Mapping[str, tuple[str, ...]], files: Sequence[str]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The row of each picture: of its path, or of its name alone, or without ending, where only one is called so.

    Returns:
        The rows by picture, in the order of ``files``, and the names in rows that are no picture's.
    """
    found, used = {}, set()
    for part in (lambda n: n, lambda n: n.rpartition("/")[2], lambda n: n.rpartition("/")[2].rpartition(".")[0]):
        rest = [file for file in files if file not in found]
        left = {name: row for name, row in rows.items() if name not in used}
        if not rest or not left:
            break
        once = Counter(composed(part(file)) for file in files)
        for file in rest:
            name = composed(part(file))
            if once[name] == 1 and name in left:
                found[file] = left[name]
                used.add(name)
    return {file: found[file] for file in files if file in found}, [name for name in rows if name not in used]


def meaning_of(values: Sequence[str]) -> Meaning:
    """What a column is, by its values: attributes of 0 and 1, true and false, yes and no; numbers; or else classes.

    Whole numbers from 0 or 1 to at most ``FEW``, none of which is left out, are classes.
    """
    each = {value.lower() for value in values}
    if each <= TRUE | FALSE:
        return "attribute"
    numbers = [finite(value) for value in each]
    if None in numbers:
        return "class"
    whole = sorted(int(value) for value in each if value.isdecimal())
    if len(whole) == len(each) and whole[0] in (0, 1) and len(whole) <= FEW and whole[-1] - whole[0] == len(whole) - 1:
        return "class"
    return "number"


def _as_numbers(
    cells: Sequence[Cells], names: Sequence[str], meanings: Sequence[Meaning]
) -> tuple[np.ndarray, list[str], list[Kind]]:
    """The columns as numbers, (N, k), with a name and a kind of each; of classes an attribute for each of these."""
    columns: list[np.ndarray] = []
    titles: list[str] = []
    kinds: list[Kind] = []
    of_classes = [
        value for column, meaning in zip(cells, meanings, strict=True) if meaning == "class" for value in column.values
    ]
    for name, meaning, (values, places) in zip(names, meanings, cells, strict=True):
        if meaning == "class":
            each = sorted(values, key=natural)
            if len(each) > MANY:
                raise Misfit(f"has {len(each):,} classes in {name}, more than {MANY:,}: say what it is, {name}:number")
            plain = all(of_classes.count(value) == 1 and finite(value) is None and value not in names for value in each)
            for value in each:
                columns.append(places == values.index(value))
                titles.append(printable(value if plain else f"{name}_{value}"))
                kinds.append("attribute")
            continue
        read = [_truth(v) if meaning == "attribute" else finite(v) for v in values]
        if None in read:
            wrong = values[read.index(None)]
            wanted = "0 or 1, true or false, yes or no" if meaning == "attribute" else "a number"
            raise Misfit(f"has {printable(wrong)!r} in {name}, which is not {wanted}")
        columns.append(np.array(read, np.float64)[places])
        titles.append(printable(name))
        kinds.append("attribute" if meaning == "attribute" else "number")
    if again := next((title for title in titles if titles.count(title) > 1), None):
        raise Misfit(f"has two columns, or classes in them, that are called {again}: call one of them otherwise")
    return np.array(columns, np.float64).T, titles, kinds


def _truth(text: str) -> float | None:
    text = text.lower()
    return 1.0 if text in TRUE else 0.0 if text in FALSE else None
