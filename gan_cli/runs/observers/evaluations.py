"""Metrics during training: logs them, keeps the best checkpoint, and stops early if nothing improves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from gan_cli.config.library import Library
from gan_cli.config.options import Values
from gan_cli.config.schema import Config
from gan_cli.distributed import from_first
from gan_cli.errors import Diverged, EarlyStop
from gan_cli.games.game import Statistics
from gan_cli.memory import enough
from gan_cli.metrics.evaluation import judge_samples
from gan_cli.runs.guard.guard import Guard
from gan_cli.runs.measurements import Measurements, evidence_of
from gan_cli.runs.observers.pruning import Pruner
from gan_cli.runs.records import append
from gan_cli.training.setup import Setup

log = logging.getLogger(__name__)
MEASURED_BY = ("extractor", "evaluate_count", "metrics")  # keys


class Evaluations:
    """Judges samples of the generator every ``evaluate_every`` steps and at the end.

    Each evaluation is a line of its own in ``metrics.jsonl``, its values under ``metric/…``.

    Args:
        path: the path of that file.
        folder: the folder for pictures of metrics.
        save_best: called when the watched value is the best so far, after this object's state has been updated.
        not_counted: a context whose time does not count as training time.
        guard: is called with the measured values.
        pruner: may end the run, if other runs of its search are better.

    Raises:
        UserError: if a metric does not fit the run, or no metric has the watched value.
    """

    def __init__(
        self,
        setup: Setup,
        library: Library,
        path: Path,
        folder: Path,
        *,
        save_best: Callable[[int], None],
        not_counted: Callable[[], AbstractContextManager[None]],
        guard: Guard,
        pruner: Pruner | None = None,
    ) -> None:
        self.guard = guard
        self.setup, self.path, self.save_best, self.not_counted = setup, path, save_best, not_counted
        self.pruner = pruner
        self.config = setup.config
        self.evidence = evidence_of(setup, library, lambda name: folder / f"{name}.png")
        self.measurements = Measurements(setup, library, self.evidence)
        self.metrics, self.left_out = self.measurements.metrics, self.measurements.left_out
        for name, reason in self.left_out.items():
            log.warning("metrics=%s: left out: %s", name, reason)
        self.sign = 1 if self.measurements.better.get(self.config.watch or "") == "high" else -1
        self.best: float | None = None
        self.best_step = self.without_better = 0

    def __call__(self, step: int, statistics: Sequence[Statistics]) -> None:
        if due(self.config, step):
            from_first(int(judge_samples(self.metrics)), self.setup.device)  # other processes wait to hear it
        if self.due(step):
            with self.not_counted(), enough(f"evaluate_count={self.config.evaluate_count}", "use a smaller one"):
                self.evaluate(step)

    def due(self, step: int) -> bool:
        return bool(self.metrics) and due(self.config, step)  # all of them may be left out

    def evaluate(self, step: int) -> None:
        """Measures the samples, logs the values, and keeps the checkpoint if it is the best.

        Raises:
            EarlyStop: if the watched value has not improved for ``patience`` evaluations, or other runs are better.
        """
        try:
            values = self.measurements.at(step)
        except Diverged as error:
            log.warning("step %d  not measured: %s", step, error)
            self.guard.lost(error.reason)
            return
        record = {"step": step, "images": self.setup.batch_sizes.images_seen(step)}
        append(self.path, {**record, **{f"metric/{key}": v for key, v in values.items()}})
        shown = "  ".join(
            f"{key} {'not finite' if v is None else format(v, '.4g')}" for key, v in values.items() if "/" not in key
        )
        log.info("step %d  %s", step, shown)
        self.guard.measured(values, self.best, self.sign)
        if self.config.watch is not None:
            self._watch(step, values.get(self.config.watch))
            self._prune(step, self.config.watch)

    def _watch(self, step: int, value: float | None) -> None:
        if value is not None and (self.best is None or self.sign * value > self.sign * self.best):
            self.best, self.best_step, self.without_better = value, step, 0
            self.save_best(step)
            log.info("step %d  the best %s so far, kept as best.pt", step, self.config.watch)
            return
        self.without_better += 1
        if self.config.patience and self.without_better >= self.config.patience and step < self.config.steps:
            long = f"{self.without_better} evaluation{'s' if self.without_better > 1 else ''}"
            raise EarlyStop(
                f"{self.config.watch} has not been better than {self.best:.4g} of step {self.best_step} for {long}"
                if self.best is not None
                else f"{self.config.watch} has not been finite for {long}"
            )

    def _prune(self, step: int, watch: str) -> None:
        if self.pruner is None or step >= self.config.steps:
            return
        if reason := self.pruner.verdict(step, self.config.evaluate_every, self.best, watch, self.sign):
            raise EarlyStop(f"pruned: {reason}")

    def facts(self) -> dict[str, object]:
        """The best value of the watched metric, and what a reader of the values must know, for ``status.json``."""
        facts: dict[str, object] = {
            "notes": self.evidence.notes,
            "kinds": self.evidence.kinds,
            "better": self.measurements.better,
        }
        if self.left_out:
            facts["left_out"] = self.left_out
        if self.config.watch:
            facts["best"] = {
                "metric": self.config.watch,
                "better": self.measurements.better[self.config.watch],
                "value": self.best,
                "step": self.best_step,
            }
        return facts

    def state(self) -> dict[str, Any]:
        """What a resumed run needs to know of earlier evaluations."""
        return {
            "watch": self.config.watch,
            "best": self.best,
            "best_step": self.best_step,
            "without_better": self.without_better,
            "notes": dict(self.evidence.notes),
            "kinds": dict(self.evidence.kinds),
        }

    def restore(self, state: dict[str, Any], before: Values) -> None:
        """Takes up earlier evaluations.

        Args:
            before: the config by which they were measured.
        """
        self.evidence.notes.update(state.get("notes", {}))  # of checkpoints from before there were any
        self.evidence.kinds.update(state.get("kinds", {}))
        if state["watch"] == self.config.watch:  # else the past says nothing of what is watched now
            if changed := measured_otherwise(before, self.config.saved()):
                log.info("%s is measured with another %s than before: its best begins anew", state["watch"], changed)
                return
            self.best, self.best_step = state["best"], state["best_step"]
            self.without_better = state["without_better"]


def measured_otherwise(before: Values, now: Values) -> str | None:
    """The key for which values cannot be compared with earlier ones; a key that an older config lacks is the same."""
    return next((key for key in MEASURED_BY if not _fits(before.get(key), now[key])), None)


def _fits(old: object, new: object) -> bool:
    if isinstance(old, Mapping) and isinstance(new, Mapping):  # other metrics beside the watched one do not matter
        return all(_fits(old[key], new[key]) for key in old.keys() & new.keys())
    return old is None or old == new


def due(config: Config, step: int) -> bool:
    """Whether an evaluation is due at a step."""
    return (config.evaluate_every > 0 and step % config.evaluate_every == 0) or step == config.steps
