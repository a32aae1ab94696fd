"""Checks ``hydra/launcher=…`` and ``hydra/sweeper=…`` before anything is made or run. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from gan_cli.config.command import Command
from gan_cli.config.compose import compose_hydra
from gan_cli.config.library import Library
from gan_cli.config.mistakes import explain, keys_of, suggestion
from gan_cli.config.options import Count, Options, Whole
from gan_cli.config.overrides import MOST, Override, Overrides
from gan_cli.config.schema import Config
from gan_cli.errors import UserError
from gan_cli.sweeps.job_processes import guard, python_first, runs_at_once

MOST_TRIALS = 10_000  # of a search
MOST_AT_ONCE = 1024  # runs side by side on one machine
SWEEP = "pip install 'gan-cli[sweep]'"
SUBMITIT = ("hydra_plugins.hydra_submitit_launcher", SWEEP)
RAY = ("hydra_plugins.hydra_ray_launcher", "pip install hydra-ray-launcher")
LAUNCHERS = {  # the module of each, and how to have it
    "basic": ("hydra", ""),
    "joblib": ("hydra_plugins.hydra_joblib_launcher", SWEEP),
    **dict.fromkeys(("slurm", "submitit_local", "submitit_slurm"), SUBMITIT),
    **dict.fromkeys(("ray", "ray_aws"), RAY),
}
SWEEPERS = {"basic": ("hydra", ""), "random": ("hydra", ""), "optuna": ("optuna", SWEEP)}


class SearchOptions(Options):
    """Keys of ``hydra/sweeper=random`` and ``optuna``."""

    sampler: Literal["random", "tpe"]
    n_trials: Annotated[Count, Field(le=MOST_TRIALS)]
    seed: Whole
    trials_at_once: Count | None = None  # of draws that learn from each other
    pruner: Literal["median", "halving"] | None
    startup: Count
    params: dict[str, Any]


@dataclass(frozen=True)
class Sweeping:
    """How a sweep is run.

    Args:
        search: the options of a search; None for a grid.
        params: the values that a ``sweep=…`` wants tried, by key.
        in_processes: whether runs have processes of their own.
        extra: overrides for Hydra that nobody typed.
    """

    search: SearchOptions | None
    params: Mapping[str, object]
    in_processes: bool
    extra: Sequence[str] = ()


def sweeping(command: Command, library: Library) -> Sweeping:
    """Reads and checks the launcher and the sweeper of a command.

    Raises:
        UserError: with one line for every mistake.
    """
    overrides = command.parsed(library)
    _installed(overrides.find("hydra.launcher"), LAUNCHERS)
    _installed(overrides.find("hydra.sweeper"), SWEEPERS)
    launcher, sweeper = compose_hydra(command, library)
    target = str(launcher.get("_target_"))
    for module, how in LAUNCHERS.values():
        if target.startswith(f"{module}.") and not _found(module):
            raise UserError(f"hydra/launcher: needs {module}: {how}")
    jobs = launcher.get("n_jobs")
    if jobs is not None and (not isinstance(jobs, int) or jobs == 0 or not -1 <= jobs <= MOST_AT_ONCE):
        raise UserError(f"hydra.launcher.n_jobs={jobs}: must be 1 to {MOST_AT_ONCE}, or -1 for one run on each core")
    in_processes = not target.endswith(".BasicLauncher")
    if in_processes:
        python_first()
    if target.startswith(LAUNCHERS["joblib"][0]):
        guard()
    typed = command.parsed(library).find("hydra.launcher.n_jobs")
    extra = [f"hydra.launcher.n_jobs={runs_at_once()}"] if jobs == -1 and not typed else []
    most = sweeper.get("max_batch_size")
    if isinstance(most, int) and most < 1:
        raise UserError(
            f"hydra.sweeper.max_batch_size={most}: must be at least 1, or null: all runs are laid out at once"
        )
    if sweeper.pop("_target_", None) != "hydra_plugins.gan_cli_search.Search":
        return Sweeping(None, sweeper.get("params") or {}, in_processes, extra)
    try:
        search = SearchOptions.model_validate(sweeper)
    except ValidationError as error:
        raise UserError(*explain(error, keys_of(SearchOptions, "hydra.sweeper."), "hydra.sweeper.")) from error
    if search.sampler == "tpe" and not _found("optuna"):
        raise UserError(f"hydra/sweeper=optuna: needs optuna: {SWEEP}")
    return Sweeping(search, search.params, in_processes, extra)


def _installed(override: Override | None, known: Mapping[str, tuple[str, str]]) -> None:
    if override is None:
        return
    name = str(override.values[0])
    if name in known and not _found(known[name][0]):
        raise UserError(f"{override.typed}: needs {known[name][0].rpartition('.')[2]}: {known[name][1]}")
    if near := suggestion(name, known) if name not in known else "":
        raise UserError(f"{override.typed}: no such option{near}; available: {', '.join(known)}")


def _found(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a parent: no plugin at all is installed
        return False


def check_search(sweeping: Sweeping, overrides: Overrides, config: Config | None = None) -> None:
    """Checks that intervals have a sweeper that can search them, and that a search has a value to optimise.

    What is typed for a search must have an effect on it.

    Raises:
        UserError: if not.
    """
    search = sweeping.search
    if search is None:
        if wrong := next((override for override in overrides if override.continuous), None):
            if "range" in wrong.typed:
                raise UserError(
                    f"{wrong.typed}: has more than {MOST:,} values, and a sweep so many runs at most: give fewer"
                )
            raise UserError(
                f"{wrong.key}: an interval is for a search: add hydra/sweeper=random or hydra/sweeper=optuna, "
                f"or list its values: {wrong.key}={','.join(str(value) for value in wrong.values)}"
            )
        return
    if search.sampler == "random":
        idle = {"trials_at_once": "draws do not learn from each other here: hydra.launcher.n_jobs says how many run"}
        idle |= {} if search.pruner else {"startup": "no run is ended early: add hydra.sweeper.pruner=median"}
        typed = {key: override for key in idle if (override := overrides.find(f"hydra.sweeper.{key}"))}
        if typed:
            raise UserError(*(f"{override.typed}: {idle[key]}, or leave it out" for key, override in typed.items()))
    if config is None:
        return
    if config.ensemble and search.pruner:
        raise UserError(
            f"hydra.sweeper.pruner={search.pruner}: ends single runs, and ensemble={config.ensemble} trains "
            f"{config.ensemble} at once: use hydra.sweeper.pruner=null"
        )
    if config.watch is None and (search.sampler == "tpe" or search.pruner):
        wanted = "hydra/sweeper=optuna" if search.sampler == "tpe" else f"hydra.sweeper.pruner={search.pruner}"
        raise UserError(
            f"{wanted}: which value is to get better? add watch=… with its metrics=…, such as metrics=frechet"
        )
    if search.pruner and overrides.find("hydra.sweeper.pruner") and not config.evaluate_every:
        raise UserError(
            f"hydra.sweeper.pruner={search.pruner}: ends runs at evaluations, and they have one at the end alone: "
            "set evaluate_every to 1 or more, or leave it out"
        )


def require_countable(overrides: Iterable[Override]) -> None:
    """That a grid of values has no more runs than anybody waits for, before it is laid out.

    Raises:
        UserError: otherwise.
    """
    swept = [override for override in overrides if len(override.values) > 1]
    if (runs := math.prod(len(override.values) for override in swept)) > MOST:
        raise UserError(
            f"{' '.join(override.typed for override in swept)}: are {runs:,} runs: {MOST:,} at most: give fewer values"
        )
