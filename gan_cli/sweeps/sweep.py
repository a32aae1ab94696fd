"""Sweeps that continue where they stopped: a run's folder tells whether it is finished, half done or not begun."""

from __future__ import annotations

import hashlib
import logging
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.config.mistakes import shown
from gan_cli.config.overrides import Overrides, key_of
from gan_cli.errors import Busy, TimeUp, UserError
from gan_cli.output import lock
from gan_cli.runs.commands import own_folders, repeated
from gan_cli.runs.hydra_files import Unreadable, overrides_of
from gan_cli.runs.status import Status, folders_below, result, status_of

if TYPE_CHECKING:
    from gan_cli.config.library import Library
    from gan_cli.config.options import Values
    from gan_cli.config.schema import Config
    from gan_cli.runs.resume import Resumption
    from gan_cli.training.state import State

log = logging.getLogger(__name__)
OTHER_NAME = "give this sweep another name, name=…"
MANY = 50  # runs whose configs take more than a few seconds to compose
MAY_CHANGE = (  # between two calls of a sweep, in runs that are continued
    *("steps.", "schedule.duration.", "patience.", "guard."),
    *("device.", "dataset.root.", "dataset.path."),
    *("log_every.", "sample_every.", "checkpoint_every.", "evaluate_every.", "keep_checkpoints."),
    *("logger.", "unfit_metrics.", "checkpoint_minutes.", "time_limit."),
)
CONTINUED_WITH = (  # keys that may change between two calls of the same sweep
    *("hydra.launcher.", "hydra.sweeper.n_trials.", "hydra.sweeper.trials_at_once."),
    *("checkpoint_minutes.", "time_limit."),
)


@dataclass(frozen=True)
class Outcome:
    """How a run of a sweep ended that is not finished; it comes back from the process in which the run was.

    Args:
        path: its folder.
        code: the exit code that it would have had alone.
        unsaid: what the status in its folder does not say: ``refused``, ``failed`` or ``not begun``; empty if it does.
    """

    path: Path
    code: int
    reason: str
    unsaid: str = ""

    @property
    def interrupted(self) -> bool:
        """Whether a signal came or the time was up, and no more runs are to begin."""
        return self.code >= TimeUp.code


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
        if not f"{key}.".startswith(MAY_CHANGE) and (key, new) != ("start", "latest")  # which it was when the run began
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


def _again(folder: Path, path: Path, status: Status) -> list[str]:
    """The run of a sweep with the best watched value, and the command that repeats it."""
    best = status["best"]
    lines = [f"best {best['metric']}: {best['value']:.5g} at step {best.get('step', '?')} of {path}"]
    with suppress(Unreadable):
        typed = [text for text in overrides_of(path / ".hydra" / "overrides.yaml") if key_of(text) != "name"]
        own = own_folders(path / ".hydra" / "hydra.yaml")
        lines.append(f"  again: gan-train {shlex.join(repeated(typed, own, f'{folder.name}-best'))}")
    return lines


def _watched(status: Status) -> tuple[str, str, str] | None:
    """What a run was judged by: the metric, whether low or high is better, and what its values are of."""
    best, kinds = status.get("best"), status.get("kinds")
    if not best or best["value"] is None or "better" not in best:
        return None
    return best["metric"], best["better"], str(kinds.get(best["metric"], "")) if isinstance(kinds, dict) else ""


def ranked(runs: Mapping[Path, Status]) -> dict[tuple[str, str, str], list[Path]]:
    """The runs that have a watched value, the best first, by what they were judged by: no others are compared."""
    found: dict[tuple[str, str, str], list[Path]] = {}
    for path, status in runs.items():
        if judged := _watched(status):
            found.setdefault(judged, []).append(path)
    for (_, better, _), paths in found.items():
        paths.sort(key=lambda path: runs[path]["best"]["value"], reverse=better == "high")
    return found


def table(folder: Path, unusable: Sequence[tuple[str, str]], outcomes: Sequence[Outcome] = ()) -> str:
    """All runs of a sweep, a line each: the best first, then those without a watched value; and what to do next.

    Args:
        unusable: values that were left out, and why.
        outcomes: of this call's runs that are not finished.
    """
    runs = _runs(folder)
    for outcome in outcomes:
        path = folder / os.path.relpath(outcome.path, folder)
        if outcome.unsaid and not (outcome.interrupted and path in runs):  # what is there then says how it stands
            runs[path] = {"status": outcome.unsaid, "reason": outcome.reason}
    groups = ranked(runs)
    ranks = {path: f"{rank}. " for paths in groups.values() for rank, path in enumerate(paths, 1)}
    names = {path: path.relative_to(folder).as_posix() for path in runs}
    deep = max(map(len, ranks.values()), default=0)
    width = max(map(len, [*names.values(), *(text for text, _ in unusable)]), default=0)

    def line(rank: str, name: str, words: str) -> str:
        return f"  {rank:>{deep}}{name:<{width}}  {words}"

    order, lines, last = "", [], []
    for (metric, better, kind), paths in groups.items():
        how = f"by {metric}, the {'lowest' if better == 'low' else 'highest'} first"
        if len(groups) == 1:
            order = f", {how}"
        else:
            lines.append(f" {how}{f' ({kind})' if kind else ''}:")
        lines += [line(ranks[path], names[path], result(runs[path])) for path in paths]
        last += _again(folder, paths[0], runs[paths[0]])
    lines += [line("", names[path], result(status)) for path, status in runs.items() if path not in ranks]
    lines += [line("", text, f"left out: {reason}") for text, reason in unusable]
    if runs:
        last.append(f"curves and samples: {report_of(folder)}")
    finished = sum(status["status"] == "finished" for status in runs.values())
    return "\n".join([f"{folder}: {finished} of {len(runs) + len(unusable)} finished{order}", *lines, *last])


def opening(folder: Path, runs: int, *, at_once: bool = False) -> str:
    """What is said before the first run.

    Args:
        at_once: whether the configs of all are composed before it begins, which takes minutes if they are many.
    """
    composed = ", whose configs are all composed before the first begins" if at_once and runs >= MANY else ""
    return f"{folder}: {runs} run{'s' * (runs > 1)}{composed}; as they go on: {report_of(folder)} --live"


def report_of(folder: Path) -> str:
    """The command that shows a sweep."""
    return f"gan-report {shlex.quote(str(folder))}"


def exit_code(folder: Path, outcomes: Sequence[Outcome] = ()) -> int:
    """0 if all runs are finished; else that of the first of this call that went wrong, or was interrupted.

    If an earlier call has left some unfinished, the code that the worst of them would have ended with; 1 if there is
    no run.
    """
    if outcomes:
        return next((outcome for outcome in outcomes if not outcome.interrupted), outcomes[0]).code
    found = {status["status"] for status in _runs(folder).values()} or {"running"}
    codes = {"failed": 2, "diverged": 3, "interrupted": 130, "running": 1}
    return next((code for status, code in codes.items() if status in found), 0)


def _runs(folder: Path) -> dict[Path, Status]:
    """The status of each run below the folder of a sweep; for an ensemble that of the whole, not of its members."""
    found = {path: status_of(path) for path in folders_below(folder)}
    return {path: status for path, status in found.items() if "status" in status and path.parent not in found}
