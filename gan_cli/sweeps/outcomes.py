"""How the runs of a sweep ended: a table of all of them, the exit code, and what to do next."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gan_cli.config.overrides import key_of
from gan_cli.errors import TimeUp
from gan_cli.exit_codes import DIVERGED, FAULT, INTERRUPTED, MISTAKE
from gan_cli.runs.commands import own_folders, repeated
from gan_cli.runs.hydra_files import Unreadable, overrides_of
from gan_cli.runs.status import Status, folders_below, result, status_of

MANY = 50  # runs whose configs take more than a few seconds to compose


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


def opening(folder: Path, runs: int, *, at_once: bool = False) -> str:
    """What is said before the first run.

    Args:
        at_once: whether the configs of all are composed before it begins, which takes minutes if they are many.
    """
    composed = ", whose configs are all composed before the first begins" if at_once and runs >= MANY else ""
    return f"{folder}: {runs} run{'s' * (runs > 1)}{composed}; as they go on: {report_of(folder)} --live"


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


def ranked(runs: Mapping[Path, Status]) -> dict[tuple[str, str, str], list[Path]]:
    """The runs that have a watched value, the best first, by what they were judged by: no others are compared."""
    found: dict[tuple[str, str, str], list[Path]] = {}
    for path, status in runs.items():
        if judged := _watched(status):
            found.setdefault(judged, []).append(path)
    for (_, better, _), paths in found.items():
        paths.sort(key=lambda path: runs[path]["best"]["value"], reverse=better == "high")
    return found


def _watched(status: Status) -> tuple[str, str, str] | None:
    """What a run was judged by: the metric, whether low or high is better, and what its values are of."""
    best, kinds = status.get("best"), status.get("kinds")
    if not best or best["value"] is None or "better" not in best:
        return None
    return best["metric"], best["better"], str(kinds.get(best["metric"], "")) if isinstance(kinds, dict) else ""


def _again(folder: Path, path: Path, status: Status) -> list[str]:
    """The run of a sweep with the best watched value, and the command that repeats it."""
    best = status["best"]
    lines = [f"best {best['metric']}: {best['value']:.5g} at step {best.get('step', '?')} of {path}"]
    with suppress(Unreadable):
        typed = [text for text in overrides_of(path / ".hydra" / "overrides.yaml") if key_of(text) != "name"]
        own = own_folders(path / ".hydra" / "hydra.yaml")
        lines.append(f"  again: gan-train {shlex.join(repeated(typed, own, f'{folder.name}-best'))}")
    return lines


def report_of(folder: Path) -> str:
    """The command that shows a sweep."""
    return f"gan-report {shlex.quote(str(folder))}"


def code_of_sweep(folder: Path, outcomes: Sequence[Outcome] = ()) -> int:
    """The exit code: 0 if all runs are finished; else of the first of this call that went wrong, or was interrupted.

    If an earlier call has left some unfinished, the code that the worst of them would have ended with; 1 if there is
    no run.
    """
    if outcomes:
        return next((outcome for outcome in outcomes if not outcome.interrupted), outcomes[0]).code
    found = {status["status"] for status in _runs(folder).values()} or {"running"}
    codes = {"failed": MISTAKE, "diverged": DIVERGED, "interrupted": INTERRUPTED, "running": FAULT}
    return next((code for status, code in codes.items() if status in found), 0)


def _runs(folder: Path) -> dict[Path, Status]:
    """The status of each run below the folder of a sweep; for an ensemble that of the whole, not of its members."""
    found = {path: status_of(path) for path in folders_below(folder)}
    return {path: status for path, status in found.items() if "status" in status and path.parent not in found}
