"""Labels as typed and as in file names: the names of the classes, or numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gan_cli.commands.sampling.grammar import numbers
from gan_cli.config.mistakes import suggestion
from gan_cli.games.sampler import ALL

SHOWN = 20  # names in a message


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
