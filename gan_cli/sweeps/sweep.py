"""Sweeps that continue where they stopped: a run's folder tells whether it is finished, half done or not begun."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.config.mistakes import shown
from gan_cli.config.overrides import Overrides
from gan_cli.errors import Busy, UserError
from gan_cli.output import lock
from gan_cli.runs.status import result, status_of

if TYPE_CHECKING:
    from gan_cli.config.library import Library
    from gan_cli.config.options import Values
    from gan_cli.config.schema import Config
    from gan_cli.runs.resume import Resumption
    from gan_cli.training.state import State

log = logging.getLogger(__name__)
OTHER_NAME = "give this sweep another name, name=…"
MAY_DIFFER = (  # keys of a run that a later call of its sweep continues
    *("steps.", "schedule.duration.", "patience.", "guard."),
    *("device.", "dataset.root.", "dataset.path."),
    *("log_every.", "sample_every.", "checkpoint_every.", "evaluate_every.", "keep_checkpoints."),
    *("logger.", "unfit_metrics.", "checkpoint_minutes.", "time_limit."),
)
CONTINUED_WITH = (  # keys that a later call of the same sweep may have, and that are not in its name
    *("hydra.launcher.", "hydra.sweeper.n_trials.", "hydra.sweeper.trials_at_once."),
    *("checkpoint_minutes.", "time_limit."),
)


def name_from(overrides: Overrides) -> str:
    """A name for a sweep that has none: the swept keys, and a hash of everything typed."""
    typed = sorted(o.typed for o in overrides.every if o.typed and not f"{o.key}.".startswith(CONTINUED_WITH))
    digest = hashlib.blake2b("\n".join(typed).encode(errors="surrogateescape"), digest_size=3).hexdigest()
    swept = [override.key.rpartition(".")[2] for override in overrides if len(override.values) > 1]
    return "-".join([*(swept or ["sweep"]), digest])[-100:]


def run_one(
    config: Config, library: Library, path: Path, search: Mapping[str, object], place: str, record: Callable[[], None]
) -> float | None:
    """Trains one run of a sweep: from its last checkpoint if there is one, not at all if it is finished.

    Args:
        search: the options of the sweeper, which may end runs early.
        place: which of the runs it is: ``3 of 12``.
        record: writes the config and the command into the folder; not called if nothing is trained.

    Returns:
        The best value of the watched metric, if one is watched.

    Raises:
        UserError: if the folder holds a run of another config.
    """
    log.info("%s: begins (%s)", path.name, place)
    lock.take(path, lock.TRAINING, lock.LOCK_WAIT)  # before its checkpoints are looked at
    try:
        return _run_one(config, library, path, search, record)
    finally:
        lock.release(path)


def _run_one(
    config: Config, library: Library, path: Path, search: Mapping[str, object], record: Callable[[], None]
) -> float | None:
    from gan_cli.parallel.launch import train_in_processes
    from gan_cli.runs.observers.pruning import pruner

    resumption = continuation(config, library, path)
    over = _stays(config, library, path) if resumption is None else is_over(config, resumption)
    if over:
        log.info("%s: finished already", path.name)
        return (status_of(path).get("best") or {}).get("value")
    record()
    value = train_in_processes(config, library, path, resumption, live=False, pruner=pruner(search, path))
    log.info("%s: %s", path.name, result(status_of(path)))
    return value


def continuation(config: Config, library: Library, path: Path, instead: str = OTHER_NAME) -> Resumption | None:
    """The newest checkpoint in the folder, to be continued with this config; None if there is none.

    Raises:
        UserError: with a line for each key whose value differs there, and what to do ``instead``.
    """
    from gan_cli.runs.resume import Resumption, left_at_its_end

    if (found := _newest(config, path)) is None:
        return None
    _require_same(config, library, path, found[1]["config"], instead)
    return Resumption(path, *found, config, left_at_its_end(path, found[1], config))


def changes(config: Config, library: Library, path: Path) -> bool:
    """Whether the run in a folder cannot be continued with this config."""
    return (found := _newest(config, path)) is None or bool(_changed(config, library, found[1]["config"]))


def _newest(config: Config, path: Path) -> tuple[Path, State] | None:
    from gan_cli.runs import checkpoint, ensemble_folder

    if config.ensemble and ensemble_folder.has_begun(path):
        return path, ensemble_folder.states_of(path, "hydra.sweep.dir")
    return checkpoint.newest(path, "hydra.sweep.dir") if checkpoint.checkpoints_in(path) else None


def _stays(config: Config, library: Library, path: Path) -> bool:
    """Whether a folder holds a run that is finished, and whose checkpoints somebody has deleted.

    Raises:
        UserError: if it is a run of another config, or more is asked for.
    """
    if (saved := _recorded(path)) is None:
        return False
    _require_same(config, library, path, saved, OTHER_NAME)
    if config.steps > (ended := saved.get("steps", 0)):
        raise UserError(
            f"steps={config.steps}: the run in {path} ended at {ended}, and its checkpoints are gone: "
            "move the folder elsewhere to train it anew"
        )
    return True


def _recorded(path: Path) -> Values | None:
    """The config of a finished run or ensemble, as its status says it."""
    from gan_cli.runs.ensemble_folder import member_folder, seeds_in

    status = status_of(path)
    if status.get("status") != "finished":
        return None
    seeds: list[int] = seeds_in(path)
    if not seeds:
        return status.get("config")
    config = status_of(member_folder(path, seeds[0])).get("config")
    whole = {"seed": seeds[0], "ensemble": len(seeds), "compile": status.get("compile") is True}
    return {**config, **whole} if config else None


def _require_same(config: Config, library: Library, path: Path, saved: Values, instead: str) -> None:
    if changed := _changed(config, library, saved):
        raise UserError(*(f"{key}={new}: the run in {path} has {old}: {instead}" for key, old, new in changed))


def _changed(config: Config, library: Library, saved: Values) -> list[tuple[str, str, str]]:
    """The keys that differ and may not change in a continued run, with their values before and now."""
    from gan_cli.config.schema import from_saved
    from gan_cli.runs.resume import differences

    return [
        (key, shown(old), shown(new))
        for key, old, new in differences(from_saved(saved, library).saved(), config.saved())
        if not f"{key}.".startswith(MAY_DIFFER) and (key, new) != ("start", "latest")  # which it was when the run began
    ]


def is_over(config: Config, resumption: Resumption) -> bool:
    """Whether a run is finished, also by early stopping, and the config asks for no more steps."""
    more = config.steps > resumption.state["config"]["steps"]
    return status_of(resumption.folder).get("status") == "finished" and not more


def note(path: Path, error: Exception, record: Callable[[], None]) -> str:
    """Logs why a run failed, and returns it; if nothing was trained there, its folder says what it was and why.

    Args:
        record: as of ``run_one``.
    """
    from gan_cli.runs.checkpoint import checkpoints_in
    from gan_cli.runs.folder import RunFolder

    reason = "; ".join(error.problems) if isinstance(error, UserError) else str(error)
    log.error("%s: %s", path.name, reason)
    nothing = status_of(path).get("status", "failed") == "failed" and not checkpoints_in(path)
    if nothing and not isinstance(error, Busy):
        RunFolder(path).write_status("failed", reason)
        with suppress(UserError):  # of a full disk: it must not hide what happened
            record()
    return reason
