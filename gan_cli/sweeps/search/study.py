"""Trials drawn by Optuna, in a study that survives a kill. Imports Optuna."""

from __future__ import annotations

import json
import random
import warnings
from collections.abc import Sequence
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from gan_cli.errors import UserError
from gan_cli.runs.status import Status, status_of
from gan_cli.sweeps.search.space import Dimension
from gan_cli.sweeps.search.trials import Trial

optuna.logging.set_verbosity(optuna.logging.WARNING)


class StudyTrials:
    """Up to ``n_trials`` trials by Optuna's tree-structured Parzen estimator.

    A trial is in the study, with its values, before its run begins, and is RUNNING there until its run is finished,
    pruned or diverged. So a half-done trial is continued, and a failed one is tried again by the next call. The values
    of trial k depend on the seed, k and the trials before it.

    Args:
        file: the SQLite database of the study; this process alone writes to it.
        watch: the value that is optimised.
        startup: trials drawn at random before the estimator is used.
        at_once: trials that are drawn without waiting for each other.

    Raises:
        UserError: if the file holds a study of another space.
    """

    def __init__(
        self,
        dimensions: Sequence[Dimension],
        file: Path,
        *,
        watch: str,
        n_trials: int,
        seed: int,
        startup: int,
        at_once: int,
    ) -> None:
        self.dimensions, self.n_trials, self.seed = dimensions, n_trials, seed
        self.startup, self.at_once = startup, at_once
        self.distributions = {dimension.key: _distribution(dimension) for dimension in dimensions}
        self.study = optuna.create_study(
            storage=f"sqlite:///{file}", study_name="gan-train", load_if_exists=True, direction="minimize"
        )
        about = {"watch": watch, "space": json.dumps([str(dimension) for dimension in dimensions])}
        before = self.study.user_attrs
        if any(before.get(key, value) != value for key, value in about.items()):
            raise UserError(
                f"name={file.parent.name}: the study in {file} is another search: give this one another name"
            )
        for key, value in about.items():
            self.study.set_user_attr(key, value)
        self.tried: set[int] = set()
        self.before = sum(trial.state.is_finished() for trial in self.study.trials)

    def next(self) -> list[Trial]:
        waiting = [trial for trial in self.study.trials if not trial.state.is_finished()]
        batch = [trial for trial in waiting if trial.number not in self.tried][: self.at_once]
        if not batch:
            for _ in range(min(self.at_once, self.n_trials - len(self.study.trials))):
                batch.append(self._draw())
        self.tried.update(trial.number for trial in batch)
        return [
            Trial(trial.number, [dimension.text(trial.params[dimension.key]) for dimension in self.dimensions])
            for trial in batch
        ]

    def _draw(self) -> FrozenTrial:
        """A new trial, drawn in memory and then written whole, so that a kill leaves none without values."""
        trials = self.study.trials
        seed = random.Random(f"{self.seed}/{len(trials)}").getrandbits(32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=self.startup, constant_liar=self.at_once > 1
            )
        memory = optuna.create_study(sampler=sampler)
        memory.add_trials(trials)
        params = memory.ask(self.distributions).params
        self.study.add_trial(create_trial(state=TrialState.RUNNING, params=params, distributions=self.distributions))
        return self.study.trials[-1]

    def tell(self, trial: Trial, folder: Path) -> None:
        status = status_of(folder)
        best = status.get("best") or {}
        sign = -1 if best.get("better") == "high" else 1
        how = status.get("status")
        if how == "finished" and best.get("value") is not None and not _was_pruned(status):
            self.study.tell(trial.number, sign * best["value"])
        elif how in ("finished", "diverged"):
            if best.get("value") is not None:
                frozen = self.study.trials[trial.number]
                optuna.trial.Trial(self.study, frozen._trial_id).report(sign * best["value"], status.get("step", 0))
            self.study.tell(trial.number, state=TrialState.PRUNED)


def _was_pruned(status: Status) -> bool:
    return str(status.get("reason")).startswith("pruned")


def _distribution(dimension: Dimension) -> BaseDistribution:
    if dimension.choices:
        return CategoricalDistribution(dimension.choices)
    if dimension.whole:
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
