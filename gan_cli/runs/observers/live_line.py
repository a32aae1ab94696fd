"""The live line of a training: how far it is, the time that is left, and the newest numbers, as wide as a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import ProgressColumn, Task
from rich.text import Text

from gan_cli.output.amounts import clock
from gan_cli.runs.observers import progress
from gan_cli.runs.records import Record

NAMES = {**progress.NAMES, "critic/real": "C(x)", "critic/fake": "C(G(z))"}
LAYOUTS = ((20, 2), (10, 2), (0, 2), (0, 1))  # lengths of the bar, and of the gaps: the first that fits is taken
FEW = 3  # letters of a player's name where there are more than two
Part = tuple[str, str]  # what it is, and its value


class LiveLine(ProgressColumn):
    """All of the line; ``task.fields["parts"]`` are its numbers."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console

    def render(self, task: Task) -> Text:
        steps = int(task.total or 0)
        return line(self.console.width, int(task.completed), steps, task.time_remaining, task.fields["parts"])


def parts_of(record: Record) -> list[Part]:
    """The numbers of a line of the log, shortened; those that matter least come last."""
    speed = record["images_per_second"] or 0.0
    numbers = progress.named(record, NAMES, FEW)
    return [
        ("", f"{speed / 1000:.1f}k img/s" if speed >= 10_000 else f"{speed:.0f} img/s"),
        *((name, "inf/nan" if value is None else short(value)) for name, value in numbers),
    ]


def short(value: float) -> str:
    """A number in five characters or so: ``0.61``, ``-12.3``, ``4567``, ``3e-05``."""
    size = abs(value)
    if size and not 0.005 <= size < 99_999.5:
        return f"{value:.0e}"
    return f"{value:.{2 if size < 9.995 else 1 if size < 99.95 else 0}f}"


def line(width: int, step: int, steps: int, left: float | None, parts: Sequence[Part]) -> Text:
    """``1250/2200 ━━━━━━ 1:23 left  341 img/s  J(D) 0.61 …``, at most ``width`` characters.

    Where it is too long, first the bar goes, then gaps, then numbers from the end, with ``…`` in their place.
    """
    ahead = [("", f"{step}/{steps}"), *([] if left is None else [("", f"{clock(left)} left")])]
    for bar, gap in LAYOUTS:
        if (made := _laid_out(step / max(1, steps), bar, gap, ahead, parts)).cell_len <= width:
            return made
    for kept in reversed(range(len(parts))):
        made = _laid_out(0.0, 0, 1, ahead, [*parts[:kept], ("", "…")])
        if made.cell_len <= width:
            return made
    made = _laid_out(0.0, 0, 1, ahead[:1], [])
    made.truncate(width)
    return made


def _laid_out(share: float, bar: int, gap: int, ahead: Sequence[Part], parts: Sequence[Part]) -> Text:
    made, done = Text(no_wrap=True), round(bar * share)
    for number, (name, value) in enumerate([*ahead, *parts]):
        if number == 1 and bar:
            made.append(" " * gap).append("━" * done, "bar.complete").append("━" * (bar - done), "bar.back")
        made.append(" " * gap if number else "")
        made.append(f"{name} " if name else "", "dim").append(value)
    return made
