"""Labels as typed and as in file names: the names of the classes, or numbers; or conditions by their names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gan_cli.config.mistakes import suggestion
from gan_cli.config.numbers import numbers
from gan_cli.data.conditions import SWEPT, Condition, Conditions

if TYPE_CHECKING:
    from gan_cli.games.sampler import Sampler

ALL = "all"  # of the classes, or a sweep of the conditions
NONE = "none"  # of the attributes
SHOWN = 20  # names in a message
Row = tuple[float, ...]
Label = int | Row  # a class, or a row of conditions


def labels_of(text: str, names: Sequence[str], classes: int) -> list[int]:
    """``"cat,dog"``, ``"0-1"`` or ``"all"`` → [0, 1].

    The name of a class stands for that class, also if it is a number: if the classes are called 1, 2, 10, a typed
    number is a name. Otherwise a number is a label.

    Raises:
        ValueError: if there is no such class, or one is named twice.
    """
    if text.strip() == ALL and ALL not in names:
        return list(range(classes))
    called = {int(name): label for label, name in enumerate(names) if name.isdecimal()}
    found: list[int] = []
    for part in _parts(text, names):
        if part in names:
            found.append(names.index(part))
            continue
        try:
            typed = numbers(part)
        except ValueError as error:
            if not names or re.match(r"[\d,\s-]*$", part):
                raise
            raise ValueError(f"no class is called {part}{suggestion(part, names)}: {_known(names)}") from error
        if called:
            if unknown := [number for number in typed if number not in called]:
                raise ValueError(f"no class is called {unknown[0]}, and numbers are names here: {_known(names)}")
            found += [called[number] for number in typed]
        elif max(typed) >= classes:
            which = f": {_known(names)}" if names else ""
            raise ValueError(f"{max(typed)} is out of range: the labels are 0 to {classes - 1}{which}")
        else:
            found += typed
    if len(set(found)) < len(found):
        raise ValueError("names a class twice: name each once")
    return found


def _parts(text: str, names: Sequence[str]) -> list[str]:
    """The parts between commas, except commas in the name of a class."""
    text = text.strip()
    if text not in names and text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    pieces, parts = text.split(","), []
    while pieces:
        several = (n for n in range(len(pieces), 1, -1) if ",".join(pieces[:n]).strip() in names)
        count = next(several, 1)
        parts.append(",".join(pieces[:count]).strip())
        del pieces[:count]
    return parts


def _known(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"the classes are {', '.join(names[:SHOWN])}{more}"


def file_words(names: Sequence[str], classes: int) -> list[str]:
    """A word for each label that is valid in a file name, each different: the name of its class, or its number."""
    words = [re.sub(r"[^\w.,+-]+", "_", name)[:60] for name in names] or [str(label) for label in range(classes)]
    alike = [word.casefold() for word in words]
    return [f"{i}-{word}" if alike.count(alike[i]) > 1 or not word else word for i, word in enumerate(words)]


def conditions_of(text: str, conditions: Conditions) -> list[Row]:
    """``"smiling+glasses,none"``, ``"angle:45"``, ``"angle:30..90"`` or ``"all"`` → rows as networks see them.

    Attributes that are not named are 0, and numbers that are not named at their mean. Of a range as many values as a
    grid sweeps are taken, at equal distances.

    Raises:
        ValueError: if there is no such condition, or it is no value of it.
    """
    if text.strip() == ALL:
        return [tuple(row) for row in conditions.sweep(SWEPT).tolist()]
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    rows = [row for part in text.split(",") for row in _rows(part.strip(), conditions.columns)]
    if len(set(rows)) < len(rows):
        raise ValueError("names the same twice: name each once")
    return rows


def labels_typed(text: str, sampler: Sampler) -> Sequence[Label]:
    """The labels that ``label=text`` names, of a conditional generator.

    Raises:
        ValueError: if it has no such labels.
    """
    if sampler.conditions is not None:
        return conditions_of(text, sampler.conditions)
    return labels_of(text, sampler.names, sampler.classes)


def one_label(text: str, sampler: Sampler) -> Label:
    """The label that a text names. Raises ValueError if it is none, or several."""
    found = labels_typed(text, sampler) if sampler.classes else []
    if len(found) != 1:
        raise ValueError(f"label={text}: is {len(found) or 'no'} labels of this generator: give one")
    return found[0]


def tensor_of(labels: Sequence[Label | None]) -> Tensor | None:
    """Labels as networks are given them; None where there are none."""
    given = [label for label in labels if label is not None]
    return torch.tensor(given) if given else None


def _rows(part: str, columns: Sequence[Condition]) -> Iterator[Row]:
    """The rows of one part: each combination of what its terms say."""
    names = [column.name for column in columns]
    values: list[Sequence[float]] = [(0.0,)] * len(columns)
    said: set[str] = set()
    for term in [] if part == NONE else _terms(part, names):
        name, colon, value = term.rpartition(":") if term not in names else (term, "", "")
        if name not in names:
            name = name or value
            raise ValueError(f"no condition is called {name}{suggestion(name, names)}: {_known_conditions(columns)}")
        if name in said:
            raise ValueError(f"names {name} twice in {part}: name it once")
        said.add(name)
        column = columns[names.index(name)]
        if column.kind == "attribute" and colon:
            raise ValueError(f"{name} is an attribute, there or not: write {name}, or leave it out")
        if column.kind == "number" and not colon:
            raise ValueError(f"{name} is a number: write one, {name}:{column.mean:.4g}, or a range, {name}:A..B")
        values[names.index(name)] = (1.0,) if column.kind == "attribute" else _numbers(value, column)
    yield from (tuple(float(value) for value in row) for row in product(*values))


def _terms(part: str, names: Sequence[str]) -> list[str]:
    """The terms between plus signs, except plus signs in the name of a condition."""
    pieces, terms = part.split("+"), []
    while pieces:
        several = (n for n in range(len(pieces), 1, -1) if "+".join(pieces[:n]).strip() in names)
        count = next(several, 1)
        terms.append("+".join(pieces[:count]).strip())
        del pieces[:count]
    return terms


def _numbers(text: str, column: Condition) -> Sequence[float]:
    """What networks see for ``45``, or for values from ``30..90``."""
    try:
        ends = [float(end) for end in text.split("..")]
        if len(ends) > 2 or not all(math.isfinite(end) for end in ends):
            raise ValueError
    except ValueError:
        raise ValueError(
            f"{column.name}:{text} is no number: write one, {column.name}:{column.mean:.4g}, or a range, "
            f"{column.name}:A..B"
        ) from None
    step = (ends[-1] - ends[0]) / (SWEPT - 1)
    return [column.seen(ends[0] + i * step) for i in range(SWEPT if len(ends) == 2 else 1)]


def _known_conditions(columns: Sequence[Condition]) -> str:
    each = [f"{c.name}:NUMBER" if c.kind == "number" else c.name for c in columns]
    more = f" and {len(each) - SHOWN} more" if len(each) > SHOWN else ""
    return f"the conditions are {', '.join(each[:SHOWN])}{more}"
