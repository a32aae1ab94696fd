"""Overrides as typed, each with the values that it gives to its key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

PRESETS = ("experiment", "sweep")  # groups that need no choice
MOST = 1_000  # runs of a sweep


@dataclass(frozen=True)
class Override:
    """One override.

    Args:
        key: dotted, ``hydra/launcher`` too.
        text: as Hydra takes it, ``key=value``.
        values: its value, or several in a sweep; for an interval its two ends.
        texts: an override for each value.
        typed: as it was typed; "" if nobody did.
        is_group: whether it chooses an option of a group.
        continuous: whether it is an interval.
    """

    key: str
    text: str
    values: Sequence[object]
    texts: Sequence[str]
    typed: str
    is_group: bool = False
    continuous: bool = False

    @property
    def of_hydra(self) -> bool:
        return self.key.startswith("hydra.")


@dataclass(frozen=True)
class Overrides:
    """The parsed overrides of a command, and a line for each that cannot be parsed.

    Iterating gives the overrides that are not Hydra's; of several for one key, the last.
    """

    every: Sequence[Override]
    problems: Sequence[str] = ()
    unread: Sequence[str] = ()  # the keys of the overrides in ``problems``

    def __iter__(self) -> Iterator[Override]:
        last = {override.key: override for override in self.every if not override.of_hydra}
        return iter(last.values())

    def find(self, key: str) -> Override | None:
        """The override that sets a dotted key: the last one."""
        return next((override for override in reversed(self.every) if override.key == key), None)

    def value(self, key: str) -> Any:
        """The typed value of a dotted key, or None; in a sweep, its first value."""
        override = self.find(key)
        return override.values[0] if override else None


# the preset of the default run is of its game alone: it is not laid over a model that somebody chose
PLAIN_GAME = Override("experiment", "experiment=lecture", ["lecture"], ["experiment=lecture"], "", is_group=True)


def key_of(text: str) -> str:
    """The dotted key of an override: ``++dataset.size=8`` → ``dataset.size``."""
    return text.lstrip("+").partition("=")[0].replace("/", ".")
