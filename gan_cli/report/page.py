"""All runs as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import io
import json
import os
import shlex
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from PIL import Image

from gan_cli import __version__
from gan_cli.report.collect import Run, differing
from gan_cli.report.tables import result_keys

POINTS = 300  # of a curve
PICTURES = 240  # on the page, shared out among the runs
SIDE = 420  # pixels of a picture's longer side


def as_html(runs: Sequence[Run], beside: Path) -> str:
    """The page, with the numbers, curves and pictures of all runs in it.

    Args:
        beside: the folder the page will lie in, from which links lead to the runs.
    """
    keys = differing(runs)
    content = {
        "version": __version__,
        "keys": keys,
        "results": result_keys(runs),
        "runs": [
            {**_facts(run, keys, max(1, min(12, PICTURES // len(runs)))), "link": os.path.relpath(run.folder, beside)}
            for run in runs
        ],
    }
    template = resources.files("gan_cli").joinpath("assets/report.html").read_text(encoding="utf-8")
    data = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")  # so that no value ends the script
    return template.replace("/*DATA*/null", data)


def _facts(run: Run, keys: Sequence[str], pictures: int) -> dict[str, Any]:
    return {
        "name": run.name,
        "folder": str(run.folder),
        "status": run.status.get("status"),
        "reason": run.status.get("reason"),
        "step": run.status.get("step"),
        "seconds": run.status.get("seconds"),
        "settings": {key: run.config.get(key) for key in keys},
        "command": shlex.join(["gan-train", *run.overrides]),
        "results": run.results,
        "curves": curves(run.records),
        "grids": {step: _picture(run, step) for step in chosen(sorted(run.grids), pictures)},
    }


def curves(records: Sequence[dict[str, Any]]) -> dict[str, list[list[float | None]]]:
    """Each logged value as steps and values, thinned out to what can be seen."""
    names = dict.fromkeys(key for record in records for key in record)
    found = {}
    for name in names:
        if name in ("step", "images", "epoch", "seconds"):
            continue
        rows = [(record["step"], record[name]) for record in records if name in record]
        rows = [rows[i] for i in chosen(range(len(rows)), POINTS)]
        found[name] = [[step for step, _ in rows], [_rounded(value) for _, value in rows]]
    return found


def chosen(items: Sequence[int], count: int) -> list[int]:
    """At most ``count`` of them, evenly spread, the last among them."""
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)] if count > 1 else [items[-1]]


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def _picture(run: Run, step: int) -> str:
    """A sample grid as a data URL, small enough for a page of many."""
    with Image.open(run.grids[step]) as image:
        image.thumbnail((SIDE, SIDE))
        file = io.BytesIO()
        image.convert("RGB").save(file, "WEBP", quality=70)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
