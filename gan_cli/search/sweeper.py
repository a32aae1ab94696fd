"""A search: draws trials, has the launcher run them, and learns from what their folders say."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gan_cli.search.space import Dimension, parse

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trial:
    """One run of a search: its number, and the overrides that make it."""

    number: int
    overrides: list[str]


class Trials(Protocol):
    """Where trials come from."""

    def next(self) -> list[Trial]:
        """Those to run now, side by side if the launcher can; empty when all are there."""

    def tell(self, trial: Trial, folder: Path) -> None:
        """Learns from the run folder of a trial."""


class RandomTrials:
    """Independent draws: number k follows from the seed and k alone, but for one that would be drawn twice."""

    def __init__(self, dimensions: Sequence[Dimension], n_trials: int, seed: int) -> None:
        drawn: dict[tuple[str, ...], None] = {}
        for number in range(n_trials):
            for attempt in range(100):  # a space of few values may hold fewer than asked for
                overrides = tuple(
                    dimension.text(dimension.draw(random.Random(f"{seed}/{number}/{attempt}/{dimension.key}")))
                    for dimension in dimensions
                )
                if overrides not in drawn:
                    drawn[overrides] = None
                    break
        if len(drawn) < n_trials:
            log.warning("the space holds no more than these: %d of %d trials", len(drawn), n_trials)
        self.waiting = [Trial(number, list(overrides)) for number, overrides in enumerate(drawn)]

    def next(self) -> list[Trial]:
        trials, self.waiting = self.waiting, []
        return trials

    def tell(self, trial: Trial, folder: Path) -> None:
        pass


def search(sweeper: Any, arguments: Sequence[str]) -> list[Any]:
    """Runs all trials of a search that are not finished yet.

    Args:
        sweeper: Hydra's, set up.
        arguments: overrides as typed.

    Returns:
        What Hydra returns of each job.

    Raises:
        UserError: if the arguments are no search space, or the folder holds the study of another.
    """
    from omegaconf import OmegaConf

    config = sweeper.config
    folder = Path(config.hydra.sweep.dir)
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, folder / "multirun.yaml")
    dimensions, fixed = parse(arguments, sweeper.options["params"] or {})
    trials = _trials(sweeper.options, dimensions, folder, config)
    returned: list[Any] = []
    while batch := trials.next():
        jobs = [[*fixed, *trial.overrides] for trial in batch]
        sweeper.validate_batch_is_legal(jobs)
        results = sweeper.launcher.launch(jobs, initial_job_idx=len(returned))
        for trial, result in zip(batch, results, strict=True):
            trials.tell(trial, Path(result.hydra_cfg.hydra.runtime.output_dir))
        returned += results
    return returned


def _trials(options: Mapping[str, Any], dimensions: Sequence[Dimension], folder: Path, config: Any) -> Trials:
    if options["sampler"] == "random":
        return RandomTrials(dimensions, options["n_trials"], options["seed"])
    from gan_cli.search.study import StudyTrials

    at_once = options["trials_at_once"] or config.hydra.launcher.get("n_jobs") or 1
    return StudyTrials(
        dimensions,
        folder / "study.db",
        watch=config.watch,
        n_trials=options["n_trials"],
        seed=options["seed"],
        startup=options["startup"],
        at_once=at_once if at_once > 0 else os.cpu_count() or 1,
    )
