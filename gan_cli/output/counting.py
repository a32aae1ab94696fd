"""How far a long count has come, how fast it goes, and how long it will take. Torch-free."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gan_cli.output import screen
from gan_cli.output.amounts import in_words

log = logging.getLogger(__name__)
EVERY = 15.0  # seconds between lines where none can be drawn again
WORTH_A_LINE = 1.0  # seconds that a count must take for its rate to be told


@contextmanager
def counting(doing: str, did: str, total: int, done: int = 0, by: str = "") -> Iterator[Callable[[int], None]]:
    """Tells of a count up to ``total``: a bar on a terminal, else a line now and then; at its end a line with the rate.

    Args:
        doing: what is done, and ``did`` what was: ``decoding pictures``, ``decoded %s pictures``.
        done: how many were done before, which the rate does not count.
        by: who does it, for the last line.

    Yields:
        What to call with the number of those that were done since the last call.
    """
    began, count = time.monotonic(), done
    with (_drawn if screen.interactive() else _lines)(doing, total, done, began) as show:

        def tick(more: int) -> None:
            nonlocal count
            count += more
            show(count)

        yield tick
    if (took := time.monotonic() - began) >= WORTH_A_LINE and count > done:
        log.info("%s in %s: %s a second%s", did % f"{count - done:,}", in_words(took), _rate(count - done, took), by)


@contextmanager
def _drawn(doing: str, total: int, done: int, began: float) -> Iterator[Callable[[int], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    text, rate = TextColumn("{task.description}"), TextColumn("{task.fields[rate]}")
    with screen.bar(text, BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn()) as shown:
        task = shown.add_task(doing, total=total, completed=done, rate="")

        def show(count: int) -> None:
            shown.update(task, completed=count, rate=f"{_rate(count - done, time.monotonic() - began)} a second")

        yield show


@contextmanager
def _lines(doing: str, total: int, done: int, began: float) -> Iterator[Callable[[int], None]]:
    said = began

    def show(count: int) -> None:
        nonlocal said
        if (now := time.monotonic()) - said < EVERY or count in (done, total):
            return
        said = now
        speed = (count - done) / (now - began)
        left = in_words((total - count) / speed)
        log.info("%s: %s of %s, %s a second, %s left", doing, f"{count:,}", f"{total:,}", _rate(speed, 1), left)

    yield show


def _rate(count: float, seconds: float) -> str:
    rate = count / max(seconds, 1e-9)
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
