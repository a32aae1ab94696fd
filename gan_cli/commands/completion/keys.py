"""The keys in YAML files, with their values and the choices that their comments list."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

LINE = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z_]\w*):(?P<rest>.*)$")
CHOICES = re.compile(r"(?:^|[:;] )(?P<all>[\w.:]+(?: \| [\w.:]+)+)")
OF_OPTIONS = ("name", "class", "schema")  # keys of an option's file that are not typed


@dataclass(frozen=True)
class Key:
    """A key that can be typed.

    Attributes:
        path: dotted.
        value: as the file has it.
        choices: that its comment lists.
    """

    path: str
    value: str
    choices: tuple[str, ...]

    def below(self, prefix: str) -> Key:
        """The same key of an option that stands under a group."""
        return Key(f"{prefix}.{self.path}", self.value, self.choices)

    @property
    def values(self) -> tuple[str, ...]:
        """What can be typed for it, as far as that is known."""
        return ("true", "false") if self.value in ("true", "false") else self.choices


def keys_in(file: Path, skipped: Sequence[str] = ("defaults",)) -> Iterator[Key]:
    """The keys of a file, but for some at its root."""
    parents: list[tuple[int, str]] = []
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        if not (match := LINE.match(line)):
            continue
        indent = len(match["indent"])
        parents = [(depth, name) for depth, name in parents if depth < indent]
        value, _, comment = (part.strip() for part in match["rest"].partition(" #"))
        path = ".".join([*(name for _, name in parents), match["key"]])
        parents.append((indent, match["key"]))
        if path.partition(".")[0] in skipped:
            continue
        if inner := re.fullmatch(r"\{(.*)\}", value):
            yield from (Key(f"{path}.{key}", "", ()) for key in re.findall(r"(\w+):", inner[1]))
        elif value:
            found = CHOICES.search(comment)
            yield Key(path, value, tuple(found["all"].split(" | ")) if found else ())


def defaults_in(file: Path) -> dict[str, str]:
    """The groups in a file's list of defaults, and the option that each has there."""
    found, inside = {}, False
    for line in file.read_text(encoding="utf-8").splitlines():
        inside = line.startswith("defaults:") or (inside and line.startswith(" "))
        if inside and (match := re.match(r" +- (\w+): ([\w\[\]]+)", line)):
            found[match[1]] = match[2]
    return found
