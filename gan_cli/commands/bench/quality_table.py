"""What ``gan-bench --until`` prints."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from gan_cli.commands.bench.table import Result, Row, machine_line
from gan_cli.output import screen
from gan_cli.output.text import printable


def show(result: Result) -> None:
    """Prints each goal of each entrant: the median over the seeds, and below it the lowest and the highest."""
    rows = result["rows"]
    table = Table("", "until", "step", "seconds", "on processors", "reached", box=None)
    for row in rows:
        name = row["name"]
        for goal in row["goals"]:
            table.add_row(Text(printable(name)), *(Text(cell) for cell in cells(goal, row["steps"])))
            name = ""
    console = screen.console(stderr=False)
    console.print(table)
    seeds = f"{result['seeds']} seed{'s' * (result['seeds'] > 1)}"
    for line in (*told_of(rows), f"{machine_line(result)}, {seeds}"):
        console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


def cells(goal: Row, steps: int) -> tuple[str, ...]:
    """Of one line: the goal, when it held, and with how many seeds."""
    reached = f"{goal['reached']} of {goal['of']}"
    if goal["nearest"] is not None:
        reached += f"\nbest {goal['nearest']:.4g}"
    if not goal["reached"]:
        return goal["until"], f"not in {steps:,}", "not reached", "not reached", reached
    worked = goal["processor_seconds"]
    times = (shown(goal["step"], ",.0f"), shown(goal["seconds"], ",.4g"), shown(worked, ",.4g") if worked else "")
    return goal["until"], *times, reached


def shown(values: Mapping[str, float | None], form: str) -> str:
    """The median, and below it the lowest and the highest, where they differ; ``never`` where it was not reached."""
    told = (values["median"], values["low"], values["high"])
    median, low, high = ("never" if value is None else format(value, form) for value in told)
    return median if low == high else f"{median}\n{low} – {high}"


def told_of(rows: list[Row]) -> list[str]:
    """How it was measured: once for all rows that were measured in the same way."""
    ways: dict[str, list[str]] = {}
    for row in rows:
        every = f"every {row['evaluate_every']:,} steps" if row["evaluate_every"] else "at the end"
        ways.setdefault(f"measured at step 0 and {every}, by {row['evaluate_count']:,} samples", []).append(row["name"])
    lines = [f"{', '.join(names)}: {way}" if len(ways) > 1 else way for way, names in ways.items()]
    lines.append("a goal is reached at the first measurement that finds it; times are of training alone")
    return lines + [
        f"{row['name']}: the steps of {row['game']}, each for the script's own median seconds per batch"
        for row in rows
        if "game" in row
    ]
