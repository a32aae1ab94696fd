"""Finds runs below folders, and what they differ in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean, stdev

from gan_cli.commands.report.reading import note
from gan_cli.commands.report.run_record import RunRecord
from gan_cli.config.paths import expanded
from gan_cli.errors import UserError
from gan_cli.output.text import printable
from gan_cli.runs.hydra_files import Unreadable
from gan_cli.runs.status import folders_below

MISSING = "missing"
DATA = ("dataset", "dataset.path")
SEED = "seed"
WHERE = "give a run folder, or one with runs below it, such as outputs"


def collect(paths: Sequence[str]) -> list[RunRecord]:
    """All runs below these paths, by name.

    Raises:
        UserError: if there is none.
    """
    runs: dict[Path, RunRecord] = {}
    empty = dict.fromkeys(paths)
    for text, folder, name in folders_in(paths):
        place = folder.resolve()
        run = runs.get(place) or RunRecord(folder, name)
        if is_whole(run):
            runs[place] = run
            empty.pop(text, None)
    for text in empty:
        raise UserError(f"{text}: holds no run: {WHERE}")
    return list(runs.values())


def folders_in(paths: Sequence[str], gone: Callable[[str], None] | None = None) -> Iterator[tuple[str, Path, str]]:
    """The folders below these paths that may be runs, with the path and their names.

    Args:
        gone: is told of a path that is no folder, and the others are looked at.

    Raises:
        UserError: if a path is no folder and nobody is told.
    """
    several = len(paths) > 1
    for text in paths:
        root = expanded(text, "")
        if not root.is_dir():
            if gone is None:
                raise UserError(f"{text}: {'is no folder' if root.exists() else 'no such folder'}: {WHERE}")
            gone(text)
            continue
        for folder in folders_below(root):
            yield text, folder, _name(folder, root, several=several)


def is_whole(run: RunRecord) -> bool:
    """Whether a folder is a run that can be reported; prints why if it is one and cannot."""
    try:
        status = run.written
    except Unreadable as error:
        note(f"{run.folder / 'status.json'}: cannot be read ({error}): the run is left out")
        return False
    if not status or status.get("seeds"):
        return False  # not ours, or an ensemble, whose members are the runs
    return run.readable()


def _name(folder: Path, root: Path, *, several: bool) -> str:
    """The path of a run below ``root``, with the name of ``root`` if there are several."""
    if folder == root:
        return printable(folder.resolve().name)
    name = folder.relative_to(root).as_posix()
    return printable(f"{root.resolve().name}/{name}" if several else name)


def differing(runs: Sequence[RunRecord]) -> list[str]:
    """The keys of the config that differ between runs.

    Of keys with the same values in each run, only the shortest; no keys of options that not every run has chosen; and
    none that nobody typed and that follow from those that were, as the prior's size does from the model. But always
    which data they are of, as no result can be read without. The seed stands for no other key, and none for it: runs
    that differ in it alone are of one setting.
    """
    every = dict.fromkeys(key for run in runs for key in run.config)
    values = {key: [json.dumps(run.config.get(key, MISSING)) for run in runs] for key in every}
    different = [key for key in every if len(set(values[key])) > 1]
    own = {key.partition(".")[0] for key in different if "." not in key}
    of_all = [k for k in different if k.partition(".")[0] not in own or "." not in k or '"missing"' not in values[k]]
    kept = {*_without_consequences(of_all, runs, values), *DATA}
    different = [key for key in different if key in kept]
    columns: dict[str, str] = {}
    for key in sorted(different, key=lambda key: key.count(".")):
        if key != SEED:
            columns.setdefault(json.dumps(values[key]), key)
    found = [key for key in different if key == SEED or key in columns.values()]
    return [*(key for key in DATA if key in found), *(key for key in found if key not in DATA)]


def swept(runs: Sequence[RunRecord], keys: Sequence[str]) -> list[str]:
    """Those of the keys that somebody has typed, or a sweep; all, where it is not known what was typed."""
    typed = _typed(runs)
    return [key for key in keys if typed is None or key in typed]


def _typed(runs: Sequence[RunRecord]) -> set[str] | None:
    """The keys that were typed, for a run or as a sweep's values; None where that is not known of every run."""
    return None if any(run.overrides is None for run in runs) else {key for run in runs for key in run.typed}


def _without_consequences(keys: list[str], runs: Sequence[RunRecord], values: Mapping[str, list[str]]) -> list[str]:
    """The keys that were typed, and those whose values do not follow from theirs."""
    if (typed := _typed(runs)) is None:
        return keys
    chosen = [key for key in keys if key in typed and key != SEED]
    cases = list(zip(*(values[key] for key in chosen), strict=True)) or [()] * len(runs)
    follows = {key for key in keys if len({*zip(cases, values[key], strict=True)}) == len({*cases})}
    return [key for key in keys if key in typed or key not in follows]


@dataclass(frozen=True)
class SeedGroup:
    """Runs that differ only in their seed, with mean and standard deviation of each result."""

    settings: dict[str, object]
    runs: list[RunRecord]

    @cached_property
    def results(self) -> dict[str, tuple[float, float | None]]:
        found = {}
        for key in dict.fromkeys(key for run in self.runs for key in run.results):
            values = [v for run in self.runs if (v := run.results.get(key)) is not None]
            if values:
                found[key] = (fmean(values), stdev(values) if len(values) > 1 else None)
        return found


def grouped(runs: Sequence[RunRecord]) -> list[SeedGroup]:
    """The runs, grouped by the settings that differ, other than the seed."""
    keys = [key for key in differing(runs) if key != SEED]
    groups: dict[str, list[RunRecord]] = {}
    for run in runs:
        groups.setdefault(json.dumps([run.config.get(key) for key in keys]), []).append(run)
    return [SeedGroup({key: members[0].config.get(key) for key in keys}, members) for members in groups.values()]
