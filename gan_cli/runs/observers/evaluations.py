"""Metrics during training: logs them, keeps the best checkpoint, and stops early if nothing improves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypedDict

from gan_cli.config.asking import is_own
from gan_cli.config.library import Library
from gan_cli.config.schema import Config
from gan_cli.data.reading import TRAINED_ON, still
from gan_cli.data.samples import as_stored
from gan_cli.errors import Diverged, EarlyStop
from gan_cli.games.game import Encodes, Likelihood, Statistics, parameters_of
from gan_cli.memory import enough
from gan_cli.metrics.evaluation import draw, judge_samples, judged, labelled, metrics_of, seeds_of, some
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.extractors.asked import AskedExtractor, extractor_of
from gan_cli.metrics.judge import Judge
from gan_cli.runs.guard.guard import Guard
from gan_cli.runs.observers.pruning import Pruner
from gan_cli.runs.records import append
from gan_cli.training.averaged import Averaged
from gan_cli.training.setup import Setup

log = logging.getLogger(__name__)


class EvaluationsState(TypedDict):
    """What a resumed run needs to know of earlier evaluations."""

    watch: str | None
    best: float | None
    best_step: int
    without_better: int
    notes: dict[str, str]
    kinds: dict[str, str]


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
        self.config = config = setup.config
        training = still(setup.dataset, setup.samples, TRAINED_ON)
        self.model = Averaged(setup) if isinstance(setup.game, Likelihood | Encodes) else None
        self.evidence = Evidence(
            training=training,
            real=some(training, config.evaluate_count, config.seed),
            source=extractor_of(library, config.extractor),
            dataset=setup.dataset,
            judge=Judge.of(config, setup.game, setup.sampler.classes, setup.device),
            model=self.model or setup.sampler,
            planned=config.evaluate_count,
            players=parameters_of(setup.game),
            picture=lambda name: folder / f"{name}.png",
            seed=config.seed,
            device=setup.device,
        )
        measuring = metrics_of(config, library, self.evidence)  # refused now, not after an hour
        self.metrics, self.left_out = measuring.metrics, measuring.left_out
        for name, reason in self.left_out.items():
            log.warning("metrics=%s: left out: %s", name, reason)
        self._try_own()
        self.sign = 1 if measuring.more_is_better else -1
        self.best: float | None = None
        self.best_step = self.without_better = 0

    def _try_own(self) -> None:
        """Measures the untrained generator with metrics of your own, so that a mistake shows now, not after an hour."""
        every = isinstance(self.evidence.source, AskedExtractor)
        own = {name: metric for name, metric in self.metrics.items() if every or is_own(metric)}
        if not own:
            return
        sampler, seeds = self.setup.sampler, seeds_of(self.config.evaluate_count, self.config.seed)
        x, labels = sampler.decode(sampler.latents_of(seeds), sampler.labels_of(seeds)), sampler.labels_of(seeds)
        values = as_stored(x, full_depth=self.evidence.real.full_depth)
        self.evidence.fake = labelled(sampler, values.numpy(), labels)
        picture, self.evidence.picture = self.evidence.picture, None
        judged(self.evidence, own, chosen=True)
        self.evidence.picture, self.evidence.fake = picture, None

    def __call__(self, step: int, statistics: Sequence[Statistics]) -> None:
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
            if judge_samples(self.metrics):
                count, deep = self.config.evaluate_count, self.evidence.real.full_depth
                self.evidence.fake = draw(self.setup.sampler, count, self.config.seed, full_depth=deep)
        except Diverged as error:
            log.warning("step %d  not measured: %s", step, error)
            self.guard.lost(error.reason)
            return
        self.evidence.judge = Judge.of(
            self.config, self.setup.game, self.setup.sampler.classes, self.setup.device, step
        )
        if self.model is not None:
            self.model.refresh()
        values, _ = judged(self.evidence, self.metrics, chosen=True)
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
        facts: dict[str, object] = {"notes": self.evidence.notes, "kinds": self.evidence.kinds}
        if self.left_out:
            facts["left_out"] = self.left_out
        if self.config.watch:
            better = "low" if self.sign < 0 else "high"
            facts["best"] = {
                "metric": self.config.watch,
                "better": better,
                "value": self.best,
                "step": self.best_step,
            }
        return facts

    def state(self) -> EvaluationsState:
        return {
            "watch": self.config.watch,
            "best": self.best,
            "best_step": self.best_step,
            "without_better": self.without_better,
            "notes": dict(self.evidence.notes),
            "kinds": dict(self.evidence.kinds),
        }

    def restore(self, state: EvaluationsState) -> None:
        self.evidence.notes.update(state.get("notes", {}))  # of checkpoints from before there were any
        self.evidence.kinds.update(state.get("kinds", {}))
        if state["watch"] == self.config.watch:  # else the past says nothing of what is watched now
            self.best, self.best_step = state["best"], state["best_step"]
            self.without_better = state["without_better"]


def due(config: Config, step: int) -> bool:
    """Whether an evaluation is due at a step."""
    return (config.evaluate_every > 0 and step % config.evaluate_every == 0) or step == config.steps
