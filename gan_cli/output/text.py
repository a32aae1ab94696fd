"""Text from outside on its way to a reader: names, labels, values, reasons. Imports nothing of this package."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence


def printable(text: object) -> str:
    """Text on one line, in which whatever a reader cannot see is written out: ``\\x1b[31m``, ``\\n``, ``\\u202e``.

    So no name can move a cursor, colour a terminal, end a line of a log or turn the letters after it around. Bytes of
    a file's name that are UTF-8 are read as that in any locale.
    """
    line = str(text)
    if line.isprintable():
        return line
    try:
        line = os.fsencode(line).decode()
    except UnicodeError:  # other bytes; or letters, as from a zip, that this locale's file names cannot have
        line = line.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def composed(text: str) -> str:
    """The text in the form that keyboards write (NFC), for comparisons: names of files may have é as two characters."""
    return unicodedata.normalize("NFC", text)


def lines_of(text: object) -> str:
    """The same of a text of several lines, which stay what they are."""
    return "\n".join(map(printable, str(text).split("\n")))


def shortened(line: str, most: int) -> str:
    """A line of at most about so many characters: its beginning, which says what it is about, and its end."""
    if len(line) <= most:
        return line
    return f"{line[: 2 * most // 3]} … {line[-most // 3 :]}"


def in_markdown(text: object) -> str:
    """Text on one line, within a line of Markdown: no table, link or markup of its own."""
    line = printable(text)
    for mark, written in {"\\": "\\\\", "|": "\\|", "`": "\\`", "<": "&lt;", "*": "\\*", "](": "]\\("}.items():
        line = line.replace(mark, written)
    return line


def few(names: Sequence[str], most: int) -> str:
    """The first of some names on one line, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(printable, names[:most])) + more
