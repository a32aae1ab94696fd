"""The leaderboard as CSV, JSON or Markdown."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Sequence

from gan_cli.commands.report.collect import RunRecord, SeedGroup, differing, grouped
from gan_cli.config.mistakes import shown
from gan_cli.output.text import printable
from gan_cli.runs.results import cited, with_spread

LOW = (  # parts of the names of results of which less is better
    *("loss/", "bits_per_dim", "frechet", "kernel", "wasserstein", "kl", "jsd", "gap"),
    *("two_sample", "copied", "distance"),
)


def as_csv(runs: Sequence[RunRecord]) -> str:
    """A line for each run: the settings that differ, the status, the results."""
    keys, results = differing(runs), result_keys(runs)
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow([_cell(title) for title in ("run", "status", "step", *keys, *results)])
    for run in runs:
        status = [run.status.get("status"), run.status.get("step")]
        settings, values = (run.config.get(key) for key in keys), (run.results.get(key) for key in results)
        writer.writerow([_cell(value) for value in (run.name, *status, *settings, *values)])
    return sheet.getvalue()


def as_json(runs: Sequence[RunRecord]) -> str:
    """Every run with its folder, status, differing settings, command and results."""
    keys = differing(runs)
    rows = [
        {
            "run": run.name,
            "folder": printable(run.folder),
            "status": run.status,
            "settings": {key: run.config.get(key) for key in keys},
            "commands": run.commands,
            "results": run.results,
        }
        for run in runs
    ]
    return json.dumps(rows, indent=2) + "\n"


def as_markdown(runs: Sequence[RunRecord]) -> str:
    """A line for each group of settings: mean ± standard deviation over its seeds."""
    groups = grouped(runs)
    keys, results = list(groups[0].settings), result_keys(runs)
    titles = map(_escaped, [*keys, "runs", *results])
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * (len(keys) + 1 + len(results))]
    for group in groups:
        cells = [_escaped(shown(group.settings[key])) for key in keys]
        cells += [_count(group.runs), *(mean_and_spread(group.results.get(key)) for key in results)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(value: object) -> object:
    """Text that a spreadsheet would take for a formula is marked as text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value


def _escaped(text: str) -> str:
    """Text that is no table, link or markup of its own."""
    for mark, written in {"\\": "\\\\", "|": "\\|", "`": "\\`", "<": "&lt;", "](": "]\\("}.items():
        text = text.replace(mark, written)
    return text


def _count(runs: Sequence[RunRecord]) -> str:
    """``5 (1 diverged)``"""
    others = Counter(str(run.status["status"]) for run in runs if run.status["status"] != "finished")
    words = ", ".join(f"{count} {status}" for status, count in others.items())
    return f"{len(runs)} ({words})" if others else str(len(runs))


def result_keys(runs: Sequence[RunRecord]) -> list[str]:
    """Every result that any run has; the watched ones first."""
    keys = dict.fromkeys(key for run in runs for key in run.results)
    return sorted(keys, key=lambda key: not key.startswith("best "))


def low_is_better(runs: Sequence[RunRecord]) -> list[str]:
    """The results of which low values are better; for a watched value, the runs say so themselves."""
    watched = {f"best {best['metric']}": best for run in runs if (best := run.status.get("best"))}
    said = {key: best["better"] == "low" for key, best in watched.items() if "better" in best}
    return [key for key in result_keys(runs) if said.get(key, any(word in key for word in LOW))]


def mean_and_spread(value: tuple[float, float | None] | None) -> str:
    """``12.3 ± 0.4``"""
    if value is None:
        return ""
    return with_spread(*value)


def published(runs: Sequence[RunRecord]) -> list[dict[str, object]]:
    """Each figure of a paper that these runs name, and theirs: mean, spread and count of the runs that have it."""
    named: dict[str, list[RunRecord]] = {}
    for run in runs:
        for figure in run.published:
            named.setdefault(json.dumps(figure), []).append(run)
    rows = []
    for text, naming in named.items():
        figure = json.loads(text)
        result = figure["result"]
        here = mean_and_spread(SeedGroup({}, naming).results.get(result))
        count = sum(run.results.get(result) is not None for run in naming)
        rows.append({"result": result, "published": cited(figure), "here": here, "runs": count})
    return rows


FORMATS: dict[str, Callable[[Sequence[RunRecord]], str]] = {"csv": as_csv, "json": as_json, "md": as_markdown}
