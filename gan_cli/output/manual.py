"""Markdown on a terminal: headings at the left, commands that can be copied, tables that break no word."""

from __future__ import annotations

import re
from typing import ClassVar

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement, TableElement
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

THEME = Theme({"markdown.code": "cyan", "markdown.h1": "bold", "markdown.h2": "bold"})  # on light and dark terminals
COMMENT = re.compile(r"(?<!\S)#.*")
UNDERLINES = {"h1": "=", "h2": "-"}


class _Heading(Heading):
    """Headings are bold, and underlined where nothing can be bold."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        self.text.stylize("bold")
        yield self.text
        if not console.is_terminal:
            yield Text(UNDERLINES.get(self.tag, "~") * min(self.text.cell_len, options.max_width))


class _Code(CodeBlock):
    """Code is never broken: a line that is wider than the terminal can still be copied whole."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = Text(str(self.text).rstrip(), style="cyan", no_wrap=True, overflow="ignore")
        code.highlight_regex(COMMENT, "dim")
        for line in code.split("\n", allow_blank=True):
            yield Text.assemble("  ", line, no_wrap=True, overflow="ignore")


class _Table(TableElement):
    """Where a table does not fit, its widest columns are narrowed, none below its longest word."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for table in super().__rich_console__(console, options):
            if isinstance(table, Table):
                _narrow(table, console, options)
            yield table


def _narrow(table: Table, console: Console, options: ConsoleOptions) -> None:
    unbroken = Measurement.get(console, options.update(max_width=10_000), table).maximum
    cells = [[str(cell) for cell in (column.header, *column.cells)] for column in table.columns]
    whole = [max(map(cell_len, column)) for column in cells]
    least = [max(cell_len(word) for cell in column for word in cell.split() or [""]) for column in cells]
    room = sum(whole) - (unbroken - options.max_width)
    limit = max(whole)
    while limit > 1 and sum(map(max, least, (min(size, limit) for size in whole))) > room:
        limit -= 1
    for column, shortest, size in zip(table.columns, least, whole, strict=True):
        column.overflow = "fold"
        column.width = max(shortest, min(size, limit))
    rows = list(zip(*cells, strict=True))
    broken = [row for row in rows if any(cell_len(cell) > limit for cell in row)]
    table.leading = int(2 * len(broken) > len(rows))  # where most rows take several lines, they stand apart


class Page(Markdown):
    """A page of Markdown for a console."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Heading,
        "fence": _Code,
        "table_open": _Table,
    }

    def __init__(self, text: str) -> None:
        super().__init__(text, hyperlinks=False)
