"""The page, and all runs on it as one self-contained HTML file."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from gan_cli.commands.report.facts import Pictures, among, as_json, by_data, of_all, of_one, points_of
from gan_cli.commands.report.pictures import Embedded
from gan_cli.commands.report.run_record import RunRecord

SCRIPTS = (  # in this order
    *("data.js", "board.js", "curves.js", "enlarged.js"),
    *("samples.js", "search.js", "runs.js", "live.js"),
)
DATA_SETS = 24  # of which training samples are shown


def as_html(runs: Sequence[RunRecord], beside: Path, title: str = "") -> str:
    """The page, with the numbers, curves and pictures of all runs in it.

    Args:
        beside: the folder of the page, to which links to the runs are relative.
        title: the folders that were asked for.
    """
    every, pictures, points = of_all(runs, title), Embedded(runs), points_of(runs)
    reals, real_at = shown_reals(runs, pictures)
    facts = [
        {
            "id": place,
            **of_one(run, points, pictures),
            **among(run, every),
            "real": real_at.get(place),
            "link": quote(os.fsencode(os.path.relpath(run.folder, beside))),
        }
        for place, run in enumerate(runs)
    ]
    return page(as_json({**every, "reals": reals, "runs": facts}))


def shown_reals(runs: Sequence[RunRecord], pictures: Pictures) -> tuple[list[str], dict[int, int]]:
    """Training samples of each data set, and which of them belong to which run, by its place.

    Runs of other seeds show other samples of the same data, and one picture is enough.
    """
    addresses: list[str] = []
    places: dict[int, int] = {}
    for members in by_data(runs)[:DATA_SETS]:
        found = next((found for place in members if (found := pictures.real(runs[place]))), None)
        if found:
            places |= dict.fromkeys(members, len(addresses))
            addresses.append(found)
    return addresses, places


def page(data: str, *, live: bool = False) -> str:
    """The page around its data; what could come in with them is neither run nor fetched.

    Args:
        live: whether it asks where it came from for what is new.
    """
    script = _script()
    made = asset("page.html").replace("/*POLICY*/", policy(live=live)).replace("/*CSS*/", asset("page.css"))
    return made.replace("/*SCRIPT*/", script).replace("/*DATA*/", data)


@cache
def policy(*, live: bool) -> str:
    """Which scripts, styles and pictures a browser takes: the page's own, and its own pictures."""
    known = base64.b64encode(hashlib.sha256(f"\n{_script()}\n".encode()).digest()).decode()
    own = " 'self'; connect-src 'self'" if live else ""
    return (
        f"default-src 'none'; script-src 'sha256-{known}'; style-src 'unsafe-inline'; base-uri 'none'; "
        f"form-action 'none'; img-src data:{own}"
    )


@cache
def _script() -> str:
    return "\n".join(['"use strict";', *map(asset, SCRIPTS)])


@cache
def asset(name: str) -> str:
    return resources.files("gan_cli").joinpath(f"assets/report/{name}").read_text(encoding="utf-8")
