"""The comments of YAML files as help shows them: in their places where the screen is wide enough, else filled anew."""

from __future__ import annotations

import re
from itertools import groupby, takewhile
from textwrap import wrap


def filled(lines: list[str], across: int) -> list[str]:
    """The comment that opens a file, in lines of so many columns; what spaces lay out, as formulas, stays laid out."""
    if all(len(line) <= across for line in lines):
        return lines
    found: list[str] = []
    for laid_out, group in groupby(lines, lambda line: line.startswith(" ") or "   " in line):
        some = list(group)
        if laid_out:
            found += [part for line in some for part in _parted(line, across)]
        else:
            found += wrap(" ".join(some), across, break_on_hyphens=False)
    return found


def _parted(line: str, across: int) -> list[str]:
    """A line that is too wide, parted where it has several spaces."""
    if len(line) <= across:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()))
    first, *rest = re.split("(?<=:) {2,}| {3,}", line.strip())
    return [indent + first, *(f"{indent}  {part}" for part in rest)]


def whole_file(text: str, across: int) -> str:
    """A YAML file, with comments in lines of so many columns."""
    found = []
    for block in text.strip().split("\n\n"):
        lines = block.splitlines()
        opening = list(takewhile(lambda line: line.startswith("#"), lines))
        fitted = [part for line in opening for part in _commented(line, across)]
        found.append("\n".join([*fitted, *below(lines[len(opening) :], across)]))
    return "\n\n".join(found)


def _commented(line: str, across: int) -> list[str]:
    """A comment of its own: what a command is for goes below it, if beside it there is no room."""
    first, *rest = _parted(line, across)
    return [first, *(f"#     {part.strip()}" for part in rest)]


def below(lines: list[str], across: int) -> list[str]:
    """Lines of YAML with their comments below the values, if beside them they take more than so many columns."""
    if all(len(line) <= across for line in lines):
        return lines
    values: list[tuple[str, list[str]]] = []
    for line in lines:
        value, _, words = line.partition("# ")
        if value.strip():
            values.append((value.rstrip(), []))
        values[-1][1].append(words)
    found = []
    for value, comments in values:
        before = " " * (len(value) - len(value.lstrip()) + 4) + "# "
        found += [value, *wrap(" ".join(comments), across, initial_indent=before, subsequent_indent=before)]
    return found


def lines_giving(text: str, path: list[str]) -> list[str]:
    """The lines of a YAML text that give a key, with the comments beside and below them; none if it has no such key."""
    lines, indent = text.splitlines(), 0
    for depth, part in enumerate(path):
        opening = f"{' ' * indent}{part}:"
        start = next((i for i, line in enumerate(lines) if line.startswith(opening)), None)
        if start is None:
            return []
        deeper = " " * (indent + 1)
        rest = lines[start + 1 :]
        end = next((i for i, line in enumerate(rest) if not line.strip() or not line.startswith(deeper)), len(rest))
        within = rest[:end]
        if depth == len(path) - 1:
            return [line[indent:] for line in (lines[start], *within)]
        lines = within
        indent = next((len(line) - len(line.lstrip()) for line in lines if not line.lstrip().startswith("#")), 0)
    return []
