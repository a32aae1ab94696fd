"""The leaderboard as CSV, JSON or Markdown."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence

from gan_cli.commands.report.collect import RunRecord, SeedGroup, differing, grouped
from gan_cli.config.mistakes import shown
from gan_cli.output.text import in_markdown, printable
from gan_cli.runs.results import cited, with_spread

OF_TIME = ("images_per_second", "seconds")
LOW = re.compile(  # words in the names of results of which less is better, where a run does not say it
    r"(^|[\W_])(loss|seconds|errors?|bits_per_dim|reconstruction|frechet|kernel|wasserstein|swd|kl|jsd|gap|two_sample"
    r"|copied|distance|ks|tv|correlation)($|[\W_])"
)


def as_csv(runs: Sequence[RunRecord], results: Sequence[str]) -> str:
    """A line for each run: the settings that differ, the status, the results, and of which kind they are."""
    keys = differing(runs)
    of_kinds = [key for key in results if any(key in run.kinds for run in runs)]
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    titles = ("run", "status", "step", *keys, *results, *(f"{key} is" for key in of_kinds))
    writer.writerow([_cell(title) for title in titles])
    for run in runs:
        status = [run.status.get("status"), run.status.get("step")]
        settings, values = (run.config.get(key) for key in keys), (run.results.get(key) for key in results)
        kinds = (run.kinds.get(key) for key in of_kinds)
        writer.writerow([_cell(value) for value in (run.name, *status, *settings, *values, *kinds)])
    return sheet.getvalue()


def as_json(runs: Sequence[RunRecord], results: Sequence[str]) -> str:
    """Every run with its folder, status, differing settings, command and results."""
    keys = differing(runs)
    rows = [
        {
            "run": run.name,
            "folder": printable(run.folder),
            "status": run.status,
            "settings": {key: run.config.get(key) for key in keys},
            "commands": run.commands,
            "results": {key: run.results[key] for key in results if key in run.results},
            "kinds": run.kinds,
            "notes": run.status.get("notes", {}),
            "left_out": run.status.get("left_out", {}),
        }
        for run in runs
    ]
    return json.dumps(rows, indent=2) + "\n"


def as_markdown(runs: Sequence[RunRecord], results: Sequence[str]) -> str:
    """A line for each group of settings, mean ± standard deviation over its seeds. Below it, what the numbers at values
    mean, and what is left out.
    """
    groups, kinds = grouped(runs), every_kind(runs)
    keys = list(groups[0].settings)
    titles = map(in_markdown, [*keys, "runs", *results])
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * (len(keys) + 1 + len(results))]
    for group in groups:
        cells = [in_markdown(shown(group.settings[key])) for key in keys]
        cells.append(_count(group.runs))
        for key in results:
            kind = group.runs[0].kinds.get(key, "")
            mark = f" {_superscript(kinds.index(kind) + 1)}" if kind and key in group.results else ""
            cells.append(mean_and_spread(group.results.get(key)) + mark)
        lines.append("| " + " | ".join(cells) + " |")
    below = [f"{_superscript(number)} {kind}" for number, kind in enumerate(kinds, 1)]
    below += [f"left out: {line}" for line in left_out(runs)]
    return "\n".join([*lines, *("", "  \n".join(map(in_markdown, below))) * bool(below)]) + "\n"


def main_results(runs: Sequence[RunRecord]) -> list[str]:
    """Metrics on held-out data and samples, and the time of training; all results, if that is all there is."""
    every = result_keys(runs)
    main = [key for key in every if "/" not in key and key not in OF_TIME]
    return [*main, *("seconds",) * ("seconds" in every)] if main else every


def every_kind(runs: Sequence[RunRecord]) -> list[str]:
    """The kinds of all results, in the order in which they appear."""
    return list(dict.fromkeys(kind for run in runs for kind in run.kinds.values()))


def left_out(runs: Sequence[RunRecord]) -> list[str]:
    """One line for each metric and reason, with the runs whose cells are empty."""
    named: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for run in runs:
        for metric, reason in run.status.get("left_out", {}).items():
            named.setdefault((metric, reason.partition(":")[0]), []).append((run.name, reason))
    return [
        f"{metric} of {', '.join(name for name, _ in found)}: {found[0][1] if len(found) == 1 else reason}"
        for (metric, reason), found in named.items()
    ]


def _superscript(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _cell(value: object) -> object:
    """Text that a spreadsheet would take for a formula is marked as text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value


def _count(runs: Sequence[RunRecord]) -> str:
    """``5 (1 diverged)``"""
    others = Counter(str(run.status["status"]) for run in runs if run.status["status"] != "finished")
    words = ", ".join(f"{count} {status}" for status, count in others.items())
    return f"{len(runs)} ({words})" if others else str(len(runs))


def result_keys(runs: Sequence[RunRecord]) -> list[str]:
    """Every result that any run has, the watched ones first; what only some have comes where it comes in those."""
    keys: list[str] = []
    for run in runs:
        place = 0
        for key in run.results:
            if key not in keys:
                keys.insert(place, key)
            place = keys.index(key) + 1
    return sorted(keys, key=lambda key: not key.startswith("best "))


def low_is_better(runs: Sequence[RunRecord]) -> list[str]:
    """The results of which low values are better, as the runs say of their metrics; parts (``nats/training``) go with
    the whole.
    """
    said: dict[str, str] = {}
    for run in runs:
        best = run.status.get("best") or {}
        said |= {best["metric"]: best["better"]} if "better" in best else {}  # all that older runs say
        said |= run.status.get("better", {})

    def is_low(key: str) -> bool:
        value = key.removeprefix("best ")
        way = said.get(value) or said.get(value.partition("/")[0])
        return way == "low" if way else bool(LOW.search(value))

    return [key for key in result_keys(runs) if is_low(key)]


def mean_and_spread(value: tuple[float, float | None] | None) -> str:
    """``12.3 ± 0.4``"""
    if value is None:
        return ""
    return with_spread(*value)


def published(runs: Sequence[RunRecord]) -> list[dict[str, object]]:
    """Each figure of a paper that these runs name, and theirs: a row for each group of settings, with the mean, the
    spread and the count of the runs that have it.
    """
    named: dict[str, list[SeedGroup]] = {}
    for group in grouped(runs):
        of_group: dict[str, list[RunRecord]] = {}
        for run in group.runs:
            for figure in run.published:
                of_group.setdefault(json.dumps(figure), []).append(run)
        for text, naming in of_group.items():
            named.setdefault(text, []).append(SeedGroup(group.settings, naming))
    rows = []
    for text, groups in named.items():
        figure = json.loads(text)
        result = figure["result"]
        for group in groups:
            here = mean_and_spread(group.results.get(result))
            count = sum(run.results.get(result) is not None for run in group.runs)
            of = ", ".join(f"{key}={shown(value)}" for key, value in group.settings.items())
            rows.append({"result": result, "published": cited(figure), "of": of, "here": here, "runs": count})
    return rows


FORMATS: dict[str, Callable[[Sequence[RunRecord], Sequence[str]], str]] = {
    "csv": as_csv,
    "json": as_json,
    "md": as_markdown,
}
