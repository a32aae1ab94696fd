"""The live line on a terminal or in a notebook, plain lines elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from gan_cli.output import screen
from gan_cli.output.amounts import clock
from gan_cli.runs.records import Record, step_in

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

log = logging.getLogger(__name__)
NAMES = {
    "loss/discriminator": "J(D)",
    "loss/generator": "J(G)",
    "D/real": "D(x)",
    "D/fake": "D(G(z))",
    "critic/real": "critic(x)",
    "critic/fake": "critic(G(z))",
    "nats": "nats",
    "bits_per_dim": "bits/dim",
}


class Progress:
    """Shows each record of the log; a context manager around the training."""

    def __init__(self, start: int, steps: int, *, live: bool) -> None:
        self.start, self.steps, self._bar = start, steps, None if not live else _bar()
        self._began = time.perf_counter()
        self._shown = 0

    def __enter__(self) -> Progress:
        if self._bar:
            self._task = self._bar.add_task("training", total=self.steps, completed=self.start, parts=())
            self._bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, step: int, statistics: object) -> None:
        """Moves the bar."""
        if self._bar and (step == self.steps or time.perf_counter() - self._began > 0.1 * (self._shown + 1)):
            self._shown = int((time.perf_counter() - self._began) * 10)
            self._bar.update(self._task, completed=step)

    def record(self, record: Record) -> None:
        """Shows a new record of the log."""
        if self._bar:
            from gan_cli.runs.observers.live_line import parts_of

            self._bar.update(self._task, completed=step_in(record), parts=parts_of(record))
            return
        done = step_in(record) - self.start
        left = (time.perf_counter() - self._began) / max(1, done) * (self.steps - step_in(record))
        log.info("step %d/%d  %s  %s left", record["step"], self.steps, summary(record), clock(left))


def summary(record: Record) -> str:
    """``341 img/s  J(D) 0.61  J(G) 0.52  D(x) 0.58  D(G(z)) 0.41``"""
    numbers = [f"{name} {'not finite' if v is None else format(v, '.3f')}" for name, v in named(record, NAMES)]
    return "  ".join([f"{record['images_per_second']:.0f} img/s", *numbers])


def named(record: Record, names: Mapping[str, str], most: int | None = None) -> list[tuple[str, float | None]]:
    """The numbers of a line of the log that have a name, and each player's cost; those that matter least come last.

    Args:
        most: letters of a player's name where there are more than two.
    """
    players = [key.removeprefix("loss/") for key in record if key.startswith("loss/")]
    costs = {f"loss/{name}": f"J({name[: most if len(players) > 2 else None]})" for name in players}
    return [(name, record[key]) for key, name in {**costs, **names}.items() if key in record]


def _bar() -> Bar:
    from gan_cli.runs.observers.live_line import LiveLine

    return screen.bar(LiveLine(screen.console()))
