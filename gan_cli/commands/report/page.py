"""All runs as one self-contained HTML file."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Sequence
from hashlib import blake2b
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from gan_cli.commands.report.collect import RunRecord, differing
from gan_cli.commands.report.reading import PICTURE, file_in, note
from gan_cli.commands.report.tables import every_kind, left_out, low_is_better, main_results, published, result_keys
from gan_cli.output.png import read_png
from gan_cli.output.text import printable
from gan_cli.runs.hydra_files import Unreadable, bytes_of
from gan_cli.runs.records import Record
from gan_cli.version import __version__

SCRIPTS = ("data.js", "board.js", "curves.js", "samples.js", "search.js", "runs.js")  # in this order
NUMBERS = 500_000  # in all curves together: about 7 MB
POINTS = (40, 300)  # of a curve, at least and at most
PICTURES = 9_000_000  # bytes of all sample grids together
STEPS = (1, 12)  # sample grids of a run, at least and at most
MANY = 24  # runs; of more, pictures are smaller
SIDES = (480, 240)  # pixels of a picture's longer side, of few runs and of many
NOT_DRAWN = ("step", "images", "epoch", "seconds")
EVENTS = ("trouble/", "rollback/")  # beginnings of keys that say what happened at a step


def as_html(runs: Sequence[RunRecord], beside: Path) -> str:
    """The page, with the numbers, curves and pictures of all runs in it.

    Args:
        beside: the folder of the page, to which links to the runs are relative.
    """
    keys, kinds, side = differing(runs), every_kind(runs), SIDES[len(runs) > MANY]
    lines = sum(len({key for record in run.records for key in record}) for run in runs)
    points = min(POINTS[1], max(POINTS[0], NUMBERS // max(1, 2 * lines)))
    steps = _affordable(runs, side)
    facts = [_facts(run, keys, points, steps, side) for run in runs]
    for run, fact in zip(runs, facts, strict=True):
        fact["kinds"] = {key: kinds.index(kind) for key, kind in run.kinds.items()}
        fact["link"] = quote(os.fsencode(os.path.relpath(run.folder, beside)))
    content = {
        "version": __version__,
        "keys": keys,
        "results": result_keys(runs),
        "main": main_results(runs),
        "kinds": kinds,
        "left_out": left_out(runs),
        "low": low_is_better(runs),
        "published": published(runs),
        "real": _real(runs, side),
        "runs": facts,
    }
    page = _asset("page.html").replace("/*CSS*/", _asset("page.css"))
    page = page.replace("/*SCRIPT*/", "\n".join(_asset(name) for name in SCRIPTS))
    data = json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")  # no value ends it
    return page.replace("/*DATA*/", data)


def _asset(name: str) -> str:
    return resources.files("gan_cli").joinpath(f"assets/report/{name}").read_text(encoding="utf-8")


def _facts(run: RunRecord, keys: Sequence[str], points: int, steps: int, side: int) -> dict[str, object]:
    status = run.status
    return {
        "name": run.name,
        "folder": printable(run.folder),
        **{key: status.get(key) for key in ("status", "reason", "step", "seconds", "classes", "environment")},
        "settings": {key: run.config.get(key) for key in keys},
        "wrong": run.wrong,
        "commands": run.commands,
        "results": run.results,
        "curves": curves(run.records, points),
        "grids": _grids(run, steps, side),
    }


def _grids(run: RunRecord, steps: int, side: int) -> dict[int, str]:
    """The pictures of some sample grids by step; reports those that cannot be read."""
    found = {step: picture(run.grids[step], side) for step in chosen(sorted(run.grids), steps)}
    for step in [step for step, small in found.items() if not small]:
        note(f"{run.grids[step]}: cannot be read: left out")
    return {step: small for step, small in found.items() if small}


def curves(records: Sequence[Record], points: int = POINTS[1]) -> dict[str, list[list[float | None]]]:
    """The steps and values of each logged value, thinned out to at most ``points``."""
    every = dict.fromkeys(key for record in records for key in record)
    names = [key for key in every if key not in NOT_DRAWN and not key.startswith(EVENTS)]
    found = {}
    for name in names:
        rows = [(record["step"], record[name]) for record in records if name in record]
        rows = [rows[i] for i in chosen(range(len(rows)), points)]
        found[name] = [[step for step, _ in rows], [_rounded(value) for _, value in rows]]
    return found


def chosen(items: Sequence[int], count: int) -> list[int]:
    """At most ``count`` of the items, evenly spaced, with the last one."""
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)] if count > 1 else [items[-1]]


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def _affordable(runs: Sequence[RunRecord], side: int) -> int:
    """The number of sample grids per run that fit on the page, estimated from the last grid of one run."""
    last = next((run.grids[max(run.grids)] for run in runs if run.grids), None)
    size = max(1, len(picture(last, side))) if last else 1
    return min(STEPS[1], max(STEPS[0], PICTURES // (size * len(runs))))


def _real(runs: Sequence[RunRecord], side: int) -> str | None:
    """Training samples, if all runs show the same."""
    files = [file for run in runs if (file := file_in(run.folder, "samples", "real.png"))]
    try:
        alike = {blake2b(bytes_of(file, PICTURE)).digest() for file in files}
    except Unreadable:
        return None
    return (picture(files[0], side) or None) if len(alike) == 1 else None


def picture(path: Path, side: int) -> str:
    """A picture as a data URL, at most ``side`` pixels long; empty if it cannot be read."""
    try:
        small = read_png(path, PICTURE).convert("RGB")
    except (OSError, ValueError):
        return ""
    small.thumbnail((side, side))
    file = io.BytesIO()
    small.save(file, "WEBP", quality=70, method=2)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
