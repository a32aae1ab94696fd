"""What the user sees: rich on a terminal and in a notebook, plain lines in a pipe, in CI and inside a sweep."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_cli.errors import Unwritable, reason_of
from gan_cli.output.text import lines_of, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn

PLAIN = "[%(asctime)s] %(message)s"
NARROW = 20  # columns: a terminal that says it has fewer does not know, and would be shown nothing


@cache
def console(*, stderr: bool = True) -> Console:
    """The one console that all output shares; the other one is standard output, for what a command was asked."""
    from rich.console import Console

    made = Console(stderr=stderr)
    if made.width < NARROW:
        made.width = 80
    return made


def in_notebook() -> bool:
    """Whether this is a notebook, which shows HTML and can replace what it has shown."""
    return "ipykernel" in sys.modules and console().is_jupyter


def interactive() -> bool:
    """Whether the output can be drawn again: a line of a terminal, or what a notebook shows."""
    return in_notebook() or on_terminal()


def on_terminal() -> bool:
    """Whether the output is a terminal that can redraw a line."""
    return sys.stderr.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"


def say(program: str, line: str) -> None:
    """A line of a command on stderr, that is no line of a log."""
    print(f"{program}: {printable(line)}", file=sys.stderr)


def handler() -> logging.Handler:
    """The logging handler for the screen."""
    if not on_terminal():
        notebook = in_notebook()  # which shows on red what comes by stderr
        plain = logging.StreamHandler(sys.stdout if notebook else None)
        plain.setFormatter(OneLine("%(message)s" if notebook else PLAIN, "%H:%M:%S"))
        return plain
    from rich.logging import RichHandler

    rich = RichHandler(console=console(), show_path=False, log_time_format="[%H:%M:%S]")
    rich.setFormatter(OneLine("%(message)s"))
    return rich


class LogFile(logging.FileHandler):
    """``train.log``: where a line cannot be written the run goes on, and says so once on the screen.

    What a full disk has not taken waits in memory, some kilobytes, and is written when there is room again.

    Raises:
        Unwritable: if it cannot be opened.
    """

    failed = False

    def __init__(self, filename: str | Path, *, delay: bool = False) -> None:
        try:
            super().__init__(filename, delay=delay, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise Unwritable(filename, error, "then try again") from error

    def close(self) -> None:
        with suppress(OSError):  # what is still in memory
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self.failed:
            self.failed = True
            print(f"{self.baseFilename}: cannot be written ({reason_of(error)}): lines are missing", file=sys.stderr)


class OneLine(logging.Formatter):
    """A line for each message, whatever the names and values in it are made of; of ``train.log`` too."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = printable(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        return lines_of(super().formatException(ei))


class Named(OneLine):
    """Says before each line which run it is about, unless the line does."""

    def __init__(self, name: str, layout: str, dates: str | None) -> None:
        super().__init__(layout, dates)
        self.name = printable(name)

    def formatMessage(self, record: logging.LogRecord) -> str:
        if not record.message.startswith(self.name):
            record.message = f"{self.name}: {record.message}"
        return super().formatMessage(record)


def begin_lines_with(name: str) -> None:
    """Says which run each line is about, where several share the screen; ``train.log`` stays as it is."""
    for screen in logging.getLogger().handlers:
        if not isinstance(screen, logging.FileHandler) and (plain := screen.formatter):
            screen.setFormatter(Named(name, PLAIN if not interactive() else "%(message)s", plain.datefmt))


def bar(*columns: ProgressColumn) -> Progress:
    """A bar that is drawn again as it grows: the last line of a terminal while it lasts, or below a notebook's cell."""
    from rich.progress import Progress

    if in_notebook():
        from gan_cli.output.notebook import Bar

        return Bar(*columns)
    return Progress(*columns, console=console(), transient=True)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar for work of ``total`` parts; call the result after each. Silent without a terminal."""
    if not interactive():
        yield lambda: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with bar(*columns) as shown:
        task = shown.add_task(what, total=total)
        yield lambda: shown.advance(task)
