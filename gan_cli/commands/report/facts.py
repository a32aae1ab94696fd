"""What the page holds of runs, as JSON takes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol

from gan_cli.commands.report.collect import differing, swept
from gan_cli.commands.report.logged import Column, Logged
from gan_cli.commands.report.run_record import RunRecord
from gan_cli.commands.report.tables import every_kind, left_out, low_is_better, main_results, published, result_keys
from gan_cli.output.text import printable
from gan_cli.version import __version__

Facts = dict[str, object]
NUMBERS = 500_000  # in all curves together: about 7 MB
POINTS = (40, 300)  # of a curve, at least and at most
AXES = ("images", "seconds")  # what can stand on the x axis beside the step
NOT_DRAWN = ("step", "epoch", *AXES)
EVENTS = ("trouble/", "rollback/")  # beginnings of keys that say what happened at a step


class Pictures(Protocol):
    """Where the page finds the pictures of runs."""

    def grids(self, run: RunRecord) -> dict[int, str]:
        """An address for some sample grids, by step."""

    def real(self, run: RunRecord) -> str | None:
        """An address for the training samples; None if there is no picture of them."""


def of_all(runs: Sequence[RunRecord], title: str) -> Facts:
    """What is about all runs together."""
    keys = differing(runs) if runs else []
    return {
        "version": __version__,
        "title": printable(title),
        "keys": keys,
        "swept": swept(runs, keys),
        "results": result_keys(runs),
        "main": main_results(runs),
        "kinds": every_kind(runs),
        "left_out": left_out(runs),
        "low": low_is_better(runs),
        "published": published(runs),
    }


def of_one(run: RunRecord, points: int, pictures: Pictures) -> Facts:
    """What is about a run alone."""
    status, lines = run.status, curves(run.log, points)
    return {
        "name": run.name,
        "folder": printable(run.folder),
        **{
            key: status.get(key)
            for key in ("status", "reason", "step", "steps", "seconds", "classes", "conditions", "environment")
        },
        "wrong": run.wrong,
        "commands": run.commands,
        "results": run.results,
        "curves": {key: line for key, line in lines.items() if key not in AXES},
        "clock": {key: line for key, line in lines.items() if key in AXES},
        "grids": pictures.grids(run),
    }


def among(run: RunRecord, every: Facts) -> Facts:
    """What of a run depends on the others: the settings that differ, and which number the kind of each result has."""
    keys, kinds = every["keys"], every["kinds"]
    assert isinstance(keys, list)
    assert isinstance(kinds, list)
    return {
        "settings": {key: run.config.get(key) for key in keys},
        "kinds": {key: kinds.index(kind) for key, kind in run.kinds.items()},
    }


def by_data(runs: Sequence[RunRecord]) -> list[list[int]]:
    """The places of the runs that learn from the same data, together; the order of the samples may be another."""
    found: dict[str, list[int]] = {}
    for place, run in enumerate(runs):
        data = {key: value for key, value in run.config.items() if key.partition(".")[0] == "dataset"}
        found.setdefault(json.dumps(data or [run.name]), []).append(place)
    return list(found.values())


def points_of(runs: Sequence[RunRecord]) -> int:
    """Points of a curve that all curves together can have; the same for somewhat more curves."""
    lines = 2 * sum(len(run.log.columns) for run in runs)
    points = POINTS[1]
    while points > POINTS[0] and points * lines > NUMBERS:
        points = max(POINTS[0], 2 * points // 3)
    return points


def curves(log: Logged, points: int = POINTS[1]) -> dict[str, Column]:
    """The steps and values of each logged value, thinned out to at most ``points``."""
    found: dict[str, Column] = {}
    for name, (steps, values) in log.columns.items():
        if name in AXES or (name not in NOT_DRAWN and not name.startswith(EVENTS)):
            places = chosen(range(len(steps)), points)
            found[name] = ([steps[i] for i in places], [_rounded(values[i], name) for i in places])
    return found


def chosen(items: Sequence[int], count: int) -> list[int]:
    """At most ``count`` of the items, evenly spaced, with the last one."""
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)] if count > 1 else [items[-1]]


def _rounded(value: float | None, name: str) -> float | None:
    return None if value is None else round(value, 2) if name in AXES else float(f"{value:.5g}")


def as_json(content: object) -> str:
    """For a script element too: no value ends it."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
