"""Markdown on a terminal: headings at the left, commands that can be copied, tables with room between rows."""

from __future__ import annotations

import re
from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement, TableElement
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

COMMENT = re.compile(r"(?<!\S)#.*")


class _Heading(Heading):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        self.text.stylize("bold")
        yield self.text


class _Code(CodeBlock):
    """Code is never broken: a line that is wider than the terminal can still be copied whole."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = Text(str(self.text).rstrip(), style="cyan", no_wrap=True, overflow="ignore")
        code.highlight_regex(COMMENT, "dim")
        for line in code.split("\n", allow_blank=True):
            yield Text.assemble("  ", line, no_wrap=True, overflow="ignore")


class _Table(TableElement):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for table in super().__rich_console__(console, options):
            if isinstance(table, Table) and _width(table, console, options) > options.max_width:
                table.leading = 1  # cells of several lines stand apart
            yield table


def _width(table: Table, console: Console, options: ConsoleOptions) -> int:
    """The columns that a table takes if no cell is broken."""
    return Measurement.get(console, options.update(max_width=10_000), table).maximum


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
