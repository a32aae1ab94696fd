"""The mean statistics of each log interval, as a line of ``metrics.jsonl``."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_cli.config.batch_sizes import BatchSizes
from gan_cli.games.game import Statistics
from gan_cli.output.replacing import written
from gan_cli.runs.records import Record, append
from gan_cli.training.player import Player


class Log:
    """Writes the means of all statistics since the last line; the sums stay on the device until a line is due.

    Its clock stands still until ``start_clock``.

    Args:
        batch_sizes: convert steps into images.
        consequences: computes further values of a line from the means of its interval.
        measure: images seen → further values of a line.

    Attributes:
        listeners: called with each record: the live line, the guard.
    """

    def __init__(
        self,
        path: Path,
        players: Sequence[Player],
        *,
        every: int,
        steps: int,
        batch_sizes: BatchSizes,
        dataset_size: int,
        consequences: Callable[[Mapping[str, float]], dict[str, float]],
        measure: Callable[[int], dict[str, float]] | None = None,
    ) -> None:
        self.path, self.players, self.every, self.steps = path, players, every, steps
        self.batch_sizes, self.dataset_size = batch_sizes, dataset_size
        self.consequences, self.measure = consequences, measure
        self.listeners: Sequence[Callable[[Record], None]] = ()
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self.seconds = self._marked_seconds = 0.0
        self._since: float | None = None  # until when the time is counted; None while the clock stands still
        self.steps_in_interval = 0

    def __call__(self, step: int, statistics: Sequence[Statistics]) -> None:
        for move in statistics:
            known = [name for name in move if name in self.sums]
            if known:  # in one launch
                sums = torch._foreach_add([self.sums[name] for name in known], [move[name] for name in known])
                self.sums.update(zip(known, sums, strict=True))
            for name, value in move.items():
                self.sums.setdefault(name, value)
                self.counts[name] = self.counts.get(name, 0) + 1
        self.steps_in_interval += 1
        if self.due(step):
            self.write(step)

    def hold(self, sums: dict[str, Tensor], counts: dict[str, int], steps: int) -> None:
        """Replaces the sums of this interval, which has ``steps`` steps so far, by those of the ensemble."""
        self.sums, self.counts, self.steps_in_interval = sums, counts, steps

    def due(self, step: int) -> bool:
        return bool(self.every) and (step % self.every == 0 or step == self.steps)

    def write(self, step: int) -> None:
        """Writes the line of this interval and begins the next."""
        means = self.means()  # waits for the device
        self.mark_time()
        images = self.batch_sizes.images_seen(step)
        new = images - self.batch_sizes.images_seen(step - self.steps_in_interval)
        values: dict[str, float] = {
            "step": step,
            "images": images,
            "epoch": images / self.dataset_size,
            "seconds": self.seconds,
            "images_per_second": new / (self.seconds - self._marked_seconds),
            **means,
            **{f"lr/{player.name}": player.rate(step) for player in self.players},
            **self.consequences(means),
        }
        if self.measure is not None:
            values.update(self.measure(images))
        record: Record = {key: value if math.isfinite(value) else None for key, value in values.items()}
        append(self.path, record)
        self.sums, self.counts = {}, {}
        self._marked_seconds, self.steps_in_interval = self.seconds, 0
        for listener in self.listeners:
            listener(record)

    def means(self) -> dict[str, float]:
        """Means so far, fetched from the device at once."""
        if not self.sums:
            return {}
        values = torch.stack([value.float() for value in self.sums.values()]).tolist()
        return {name: total / self.counts[name] for name, total in zip(self.sums, values, strict=True)}

    def start_clock(self) -> None:
        """From now on time counts as training time."""
        self._since = time.perf_counter()

    def mark_time(self) -> None:
        if self._since is not None:
            now = time.perf_counter()
            self.seconds, self._since = self.seconds + now - self._since, now

    @contextmanager
    def not_counted(self) -> Iterator[None]:
        """The time in this context does not count as training time, however it is left."""
        self.mark_time()
        running, self._since = self._since is not None, None
        try:
            yield
        finally:
            if running:
                self.start_clock()

    def flush(self) -> None:
        """Forces the lines onto the disk, so that no checkpoint is ever ahead of them."""
        if self.path.exists():
            with written(self.path, f"then continue with resume={self.path.parent}"), self.path.open("ab") as file:
                os.fsync(file.fileno())

    def state(self) -> dict[str, Any]:
        """What a resumed run needs to write the same next line."""
        self.mark_time()
        return {
            "sums": {name: value.detach().clone() for name, value in self.sums.items()},
            "counts": dict(self.counts),
            "seconds": self.seconds,
            "steps_in_interval": self.steps_in_interval,
            "marked_seconds": self._marked_seconds,
        }

    def restore(self, state: dict[str, Any], device: torch.device) -> None:
        self.sums = {name: value.to(device) for name, value in state["sums"].items()}
        self.counts, self.seconds = dict(state["counts"]), state["seconds"]
        self.steps_in_interval, self._marked_seconds = state["steps_in_interval"], state["marked_seconds"]
