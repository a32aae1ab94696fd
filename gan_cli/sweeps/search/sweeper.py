"""A search: draws trials, lets the launcher run them, and reads the results from their folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.config.options import Values
from gan_cli.processes import cores
from gan_cli.sweeps.outcomes import Outcome
from gan_cli.sweeps.search.space import Dimension, parse
from gan_cli.sweeps.search.trials import RandomTrials, Trials

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn
    from omegaconf import DictConfig

    from gan_cli.sweeps.search.hydra_plugins.gan_cli_search import Search


def search(sweeper: Search, arguments: Sequence[str]) -> list[JobReturn]:
    """Runs all trials of a search that are not finished yet.

    Args:
        sweeper: Hydra's sweeper, after ``setup``.
        arguments: overrides as typed.

    Returns:
        Hydra's result of each job.

    Raises:
        UserError: if the arguments are no search space, or the folder holds the study of another.
    """
    from omegaconf import OmegaConf

    config, context, launcher = sweeper.config, sweeper.hydra_context, sweeper.launcher
    assert config is not None
    assert context is not None
    assert launcher is not None
    folder = Path(config.hydra.sweep.dir)
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, folder / "multirun.yaml")
    dimensions, fixed = parse(arguments, sweeper.options["params"] or {}, context.config_loader)
    trials = _trials(sweeper.options, dimensions, folder, config)
    returned: list[JobReturn] = []
    while batch := trials.next():
        jobs = [[*fixed, *trial.overrides] for trial in batch]
        sweeper.validate_batch_is_legal(jobs)
        results = launcher.launch(jobs, initial_job_idx=trials.before + len(returned))
        for trial, result in zip(batch, results, strict=True):
            assert result.hydra_cfg is not None
            trials.tell(trial, Path(result.hydra_cfg.hydra.runtime.output_dir))
        returned += results
        if any(isinstance(r.return_value, Outcome) and r.return_value.interrupted for r in results):
            break  # what is drawn is fixed: the next call draws on, knowing the results of these
    return returned


def _trials(options: Values, dimensions: Sequence[Dimension], folder: Path, config: DictConfig) -> Trials:
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
        at_once=at_once if at_once > 0 else cores(),
    )
