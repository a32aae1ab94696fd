"""Labels as typed and as in file names: the names of the classes, or numbers; or conditions by their names."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from itertools import product
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gan_cli.config.mistakes import suggestion
from gan_cli.config.numbers import numbers
from gan_cli.data.conditions import SWEPT, Condition, Conditions
from gan_cli.output.text import composed

if TYPE_CHECKING:
    from gan_cli.games.sampler import Sampler

ALL = "all"  # of the classes, or a sweep of the conditions
NONE = "none"  # of the attributes
SHOWN = 20  # names in a message
LONGEST = 60  # characters of a label in the name of a file
IN_NUMBERS = 4  # plus signs that a range may have: +1e+06..+2e+06
Row = tuple[float, ...]
Label = int | Row  # a class, or a row of conditions


def labels_of(text: str, names: Sequence[str], classes: int) -> list[int]:
    """``"cat,dog"``, ``"0-1"`` or ``"all"`` → [0, 1].

    The name of a class stands for that class, also if it is a number: if the classes are called 1, 2, 10, a typed
    number is a name. Otherwise a number is a label.

    Raises:
        ValueError: if there is no such class, or one is named twice.
    """
    text, names = composed(text), [*map(composed, names)]
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
    most = 1 + max((name.count(",") for name in names), default=0)
    return _split(_bare(text, names), ",", most, lambda part: part in names)


def _bare(text: str, names: Sequence[str]) -> str:
    """A list without its brackets."""
    text = text.strip()
    return text[1:-1] if text not in names and text.startswith("[") and text.endswith("]") else text


def _split(text: str, separator: str, most: int, is_one: Callable[[str], bool]) -> list[str]:
    """The parts between separators; up to ``most`` pieces are one part, as many as can be."""
    pieces, parts = text.split(separator), []
    while pieces:
        several = (n for n in range(min(most, len(pieces)), 1, -1) if is_one(separator.join(pieces[:n]).strip()))
        count = next(several, 1)
        parts.append(separator.join(pieces[:count]).strip())
        del pieces[:count]
    return parts


def _known(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"the classes are {', '.join(names[:SHOWN])}{more}"


def file_words(names: Sequence[str], classes: int) -> list[str]:
    """A word for each label that is valid in a file name, each different: the name of its class, or its number."""
    words = [_short(re.sub(r"[^\w.,+-]+", "_", name), name) for name in names] or [str(i) for i in range(classes)]
    for clear in (False, True):  # a name may be what another becomes: then each has its number before it
        alike = Counter(word.casefold() for word in words)
        if clear and len(alike) == len(words):
            break
        words = [
            f"{i}-{word}" if clear or alike[word.casefold()] > 1 or not word else word for i, word in enumerate(words)
        ]
    return words


def _short(word: str, name: str) -> str:
    """At most ``LONGEST`` characters; what is cut off is in a hash, as another may begin with the same."""
    cut = blake2b(name.encode(errors="surrogatepass"), digest_size=3).hexdigest()
    return word if len(word) <= LONGEST else f"{word[: LONGEST - 7]}-{cut}"


def conditions_of(text: str, conditions: Conditions) -> list[Row]:
    """``"smiling+glasses,none"``, ``"angle:45"``, ``"angle:30..90"`` or ``"all"`` → rows as networks see them.

    Attributes that are not named are 0, and numbers that are not named at their mean. Of a range as many values as a
    grid sweeps are taken, at equal distances.

    Raises:
        ValueError: if there is no such condition, or it is no value of it.
    """
    text = composed(text)
    if text.strip() == ALL:
        return [tuple(row) for row in conditions.sweep(SWEPT).tolist()]
    names = [composed(column.name.strip()) for column in conditions.columns]
    most = 1 + sum(name.count(",") for name in names)
    parts = _split(_bare(text, names), ",", most, lambda part: all(_is_term(t, names) for t in _terms(part, names)))
    rows = [row for part in parts for row in _rows(part, names, conditions.columns)]
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


def _rows(part: str, names: Sequence[str], columns: Sequence[Condition]) -> Iterator[Row]:
    """The rows of one part: each combination of what its terms say."""
    values: list[Sequence[float]] = [(0.0,)] * len(columns)
    said: set[str] = set()
    for term in [] if part == NONE and NONE not in names else _terms(part, names):
        name, colon, value = term.rpartition(":") if term not in names else (term, "", "")
        if (name := name.strip()) not in names:
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
    """The terms between plus signs, except plus signs in the name of a condition, and in numbers: ``1e+06``."""
    most = 1 + max((name.count("+") for name in names), default=0) + IN_NUMBERS
    return _split(part, "+", most, lambda term: _is_term(term, names))


def _is_term(term: str, names: Sequence[str]) -> bool:
    """Whether it is the name of a condition, or one with a number or a range."""
    name, _, value = term.rpartition(":")
    return term in names or (name.strip() in names and _ends(value) is not None)


def _ends(text: str) -> list[float] | None:
    """The number, or the two ends of a range; None if it is neither."""
    try:
        ends = [float(end) for end in text.split("..")]
    except ValueError:
        return None
    return ends if len(ends) <= 2 and all(map(math.isfinite, ends)) else None


def _numbers(text: str, column: Condition) -> Sequence[float]:
    """What networks see for ``45``, or for values from ``30..90``."""
    if (ends := _ends(text)) is None:
        raise ValueError(
            f"{column.name}:{text} is no number: write one, {column.name}:{column.mean:.4g}, or a range, "
            f"{column.name}:A..B"
        )
    if max(abs(column.seen(end)) for end in ends) > torch.finfo(torch.float32).max:
        raise ValueError(f"{column.name}:{text} is too large: its mean in the data is {column.mean:.4g}")
    step = (ends[-1] - ends[0]) / (SWEPT - 1)
    return [column.seen(ends[0] + i * step) for i in range(SWEPT if step else 1)]


def _known_conditions(columns: Sequence[Condition]) -> str:
    each = [f"{c.name}:NUMBER" if c.kind == "number" else c.name for c in columns]
    more = f" and {len(each) - SHOWN} more" if len(each) > SHOWN else ""
    return f"the conditions are {', '.join(each[:SHOWN])}{more}"
