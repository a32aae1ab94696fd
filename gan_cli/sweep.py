"""Sweeps that go on where they stopped: a run's folder says whether it is finished, half done or not begun."""

from __future__ import annotations

import hashlib
import logging
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_cli.command import Command, Override, key_of, parse_overrides
from gan_cli.composing import compose, wrong_options
from gan_cli.errors import UserError
from gan_cli.mistakes import shown
from gan_cli.status import result, status_of

if TYPE_CHECKING:
    from gan_cli.config import Config
    from gan_cli.library import Library
    from gan_cli.resume import Resumption

log = logging.getLogger(__name__)
MAY_CHANGE = (  # between two calls of a sweep, in runs that are continued
    *("steps", "schedule.duration", "patience", "on_divergence"),
    *("device", "dataset.root", "dataset.path"),
    *("log_every", "sample_every", "checkpoint_every", "evaluate_every", "keep_checkpoints", "logger"),
)
LOCK_WAIT = 10.0  # seconds that a run's folder may still be held by the process that was killed
FREE = r"\+*hydra[./](launcher|sweeper\.(n_trials|trials_at_once))"  # what a sweep may be continued with


def prepare(
    command: Command, library: Library, validate: Callable[[Mapping[str, Any], Library], Config]
) -> tuple[Config, list[tuple[str, str]]]:
    """The first usable run of a sweep; options that are not there are taken out of the command.

    Returns:
        That run's config, and each value that was taken out, with the reason.

    Raises:
        UserError: with one line for every mistake, if no run is usable.
    """
    overrides, problems = parse_overrides(command, library)
    if problems:
        raise UserError(*problems)
    unusable: list[tuple[str, str]] = []
    for override in overrides:
        wrong = [wrong_options(override, value, library) for value in override.values]
        bad = [(text, lines[0]) for text, lines in zip(override.texts, wrong, strict=True) if lines]
        if bad and len(bad) == len(override.texts):
            raise UserError(*(line for lines in wrong for line in lines))
        if bad:
            good = [text for text, lines in zip(override.texts, wrong, strict=True) if not lines]
            command.overrides = [
                ",".join([good[0], *(text.partition("=")[2] for text in good[1:])]) if _is(text, override) else text
                for text in command.overrides
            ]
            unusable += bad
    if unusable:
        overrides, _ = parse_overrides(command, library)
    found: Config | None = None
    for texts in _one_value_at_a_time(overrides):
        linked: list[str] = []
        try:
            values, linked = compose(command, library, texts)
            found = found or validate(values, library)
        except UserError as error:
            echoes = tuple(f"{key}=" for key in linked)
            problems += [problem for problem in error.problems if not problem.startswith(echoes)]
    outside = [line for line in problems if line.startswith(tuple(f"{o.key}=" for o in overrides if o.continuous))]
    if found is None or outside:
        raise UserError(*dict.fromkeys(outside or problems))
    return found, unusable


def prepare_search(
    command: Command,
    library: Library,
    validate: Callable[[Mapping[str, Any], Library], Config],
    params: Mapping[str, Any],
) -> Config:
    """The first usable run of a search; nothing may be wrong with its space.

    Args:
        params: the space of a ``sweep=…``, over which what is typed wins.

    Raises:
        UserError: with one line for every mistake.
    """
    from gan_cli.search.space import parse

    typed = [text for text in command.overrides if not re.match(r"\+*hydra[./]", text)]
    keys = {key_of(text) for text in typed}
    parse(typed, params)
    space = [f"{key}={value}" for key, value in params.items() if key not in keys]
    config, unusable = prepare(replace(command, overrides=[*space, *typed]), library, validate)
    if unusable:
        raise UserError(*(reason for _, reason in unusable))
    return config


def _is(text: str, override: Override) -> bool:
    return key_of(text).replace("/", ".") == override.key


def _one_value_at_a_time(overrides: Sequence[Override]) -> Iterator[list[str]]:
    """Every swept value once, beside the first values of the others: enough to see each, few enough to be quick."""
    yield [override.texts[0] for override in overrides]
    for i, override in enumerate(overrides):
        for text in override.texts[1:]:
            yield [text if j == i else other.texts[0] for j, other in enumerate(overrides)]


def name_of(command: Command, overrides: Sequence[Override]) -> str:
    """A name for a sweep without one: what is swept, and a hash of all that was typed."""
    typed = sorted(text for text in command.overrides if not re.match(FREE, text))
    digest = hashlib.blake2b("\n".join(typed).encode(), digest_size=3).hexdigest()
    swept = [override.key.rpartition(".")[2] for override in overrides if len(override.values) > 1]
    return "-".join([*(swept or ["sweep"]), digest])[-100:]


def folder_name(overrides: str, number: Any) -> str:
    """Overrides as a folder name that every file system takes, different for different ones; else the job's number."""
    name = re.sub(r"[^\w.,+=-]+", "-", str(overrides)).strip(".-")
    if len(name) > 150 or name != overrides:
        digest = hashlib.blake2b(str(overrides).encode(), digest_size=4).hexdigest()
        name = f"{name[:130]}-{digest}" if name else ""
    return name or str(number)


def run_one(config: Config, library: Library, path: Path, search: Mapping[str, Any]) -> float | None:
    """Trains one run of a sweep: from its last checkpoint if there is one, not at all if it is finished.

    Args:
        search: the options of the sweeper, which may end runs early.

    Returns:
        The best value of the watched metric, if one is watched.

    Raises:
        UserError: if the folder holds a run of another config.
    """
    from gan_cli.launch import run
    from gan_cli.search.pruning import pruner

    log.info("%s: begins", path.name)
    resumption = continuation(config, library, path)
    if resumption is not None and status_of(path).get("status") == "finished" and not _more(config, resumption):
        log.info("%s: finished already", path.name)
        return (status_of(path).get("best") or {}).get("value")
    value = run(config, library, path, resumption, live=False, wait=LOCK_WAIT, pruner=pruner(search, path))
    log.info("%s: %s", path.name, result(status_of(path)))
    return value


def continuation(config: Config, library: Library, path: Path) -> Resumption | None:
    """The newest checkpoint in the folder, to be continued with this config; None if there is none."""
    from gan_cli import checkpoint, ensemble_folder
    from gan_cli.config import from_saved
    from gan_cli.resume import Resumption, differences

    if config.ensemble and ensemble_folder.has_begun(path):
        file, state = path, ensemble_folder.state_of(path, "hydra.sweep.dir")
    elif checkpoint.checkpoints_in(path):
        file, state = checkpoint.newest(path, "hydra.sweep.dir")
    else:
        return None
    changed = [
        f"{key}={shown(new)}: the run in {path} has {shown(old)}: give this sweep another name, name=…"
        for key, old, new in differences(from_saved(state["config"], library).saved(), config.saved())
        if not key.startswith(MAY_CHANGE)
    ]
    if changed:
        raise UserError(*changed)
    return Resumption(path, file, state, config)


def _more(config: Config, resumption: Resumption) -> bool:
    """Whether a finished run is now to be trained further; one that stopped early is not."""
    return config.steps > resumption.state["config"]["steps"]


def note(path: Path, error: Exception) -> None:
    """Says in the log and, if nothing was trained there, in ``status.json`` why a run failed."""
    from gan_cli.checkpoint import checkpoints_in
    from gan_cli.run_folder import RunFolder

    reason = "; ".join(error.problems) if isinstance(error, UserError) else str(error)
    log.error("%s: %s", path.name, reason)
    if not checkpoints_in(path):
        RunFolder(path).write_status("failed", reason)


def best_of(folder: Path) -> list[str]:
    """Which run of a sweep has the best watched value, and the command that repeats it; empty if none has one."""
    found = [
        (path, best)
        for path, status in _runs(folder).items()
        if (best := status.get("best")) and best["value"] is not None and best.get("better")
    ]
    if not found:
        return []
    path, best = min(found, key=lambda run: -run[1]["value"] if run[1]["better"] == "high" else run[1]["value"])
    lines = [f"best {best['metric']}: {best['value']:.5g} at step {best['step']} of {path}"]
    file = path / ".hydra" / "overrides.yaml"
    if file.is_file():
        from omegaconf import OmegaConf

        typed = [str(text) for text in OmegaConf.load(file) if not str(text).startswith("name=")]
        if any(text.startswith("sweep=") for text in typed):  # which may set more than the space: a sweep of one run
            typed = ["-m", *typed, f"name={folder.name}-best", "hydra/sweeper=basic"]
        lines.append(f"  again: gan-train {shlex.join(typed)}")
    return lines


def table(folder: Path, unusable: Sequence[tuple[str, str]]) -> str:
    """All runs of a sweep, a line each.

    Args:
        unusable: values that were left out, and why.
    """
    runs = _runs(folder)
    rows = [(path.name, result(status)) for path, status in runs.items()]
    rows += [(text, f"left out: {reason}") for text, reason in unusable]
    width = max((len(name) for name, _ in rows), default=0)
    finished = sum(status["status"] == "finished" for status in runs.values())
    lines = [f"  {name:<{width}}  {words}" for name, words in rows]
    return "\n".join([f"{folder}: {finished} of {len(rows)} finished", *lines, *best_of(folder)])


def exit_code(folder: Path) -> int:
    """0 if all runs are finished; else the code that the worst of them would have ended with."""
    found = {status["status"] for status in _runs(folder).values()}
    codes = {"failed": 2, "diverged": 3, "interrupted": 130, "running": 1}
    return next((code for status, code in codes.items() if status in found), 0)


def _runs(folder: Path) -> dict[Path, dict[str, Any]]:
    found = {path.parent: status_of(path.parent) for path in sorted(folder.glob("*/status.json"))}
    return {path: status for path, status in found.items() if "status" in status}
