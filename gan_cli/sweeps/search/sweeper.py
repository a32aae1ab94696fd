"""A search: draws trials, has the launcher run them, and learns from what their folders say."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_cli.sweeps.search.space import Dimension, parse
from gan_cli.sweeps.search.trials import RandomTrials, Trials


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
    dimensions, fixed = parse(arguments, sweeper.options["params"] or {}, sweeper.hydra_context.config_loader)
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
    from gan_cli.sweeps.search.study import StudyTrials

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
