"""How long one waits for each command, beside the least that it could take. Torch-free.

Every wait is a command in a process of its own; so is its floor: what nothing of that kind can do without. They take
turns, so that what else the machine does falls on all of them, and seconds on the processors (user and system time,
with children) are what other programs add least to.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.table import Table

from gan_cli.commands.bench.checkout import Checkout, Spent
from gan_cli.commands.bench.table import Result, Row, machine_line
from gan_cli.errors import UserError
from gan_cli.output import screen

TORCH = "import torch"
DRAWN = "import sys, gan_cli; gan_cli.load(sys.argv[1]).sample(10_000)"
READ = """
import json, pathlib, sys
for path in pathlib.Path(sys.argv[1]).glob("*/metrics.jsonl"):
    [json.loads(line) for line in path.open()]
    json.loads(path.with_name("status.json").read_text())
"""
RUNS, SEEDS = 300, 4
CLOCKS = ("seconds", "processor_seconds")


def _first_step(checkout: Checkout) -> Spent:
    shutil.rmtree(checkout.folder / "first", ignore_errors=True)
    return checkout.command("gan-train", "log_every=1", "hydra.run.dir=first", until="first/metrics.jsonl")


def _job(checkout: Checkout) -> Spent:
    """Of one more run in a sweep, a step long."""
    shutil.rmtree(checkout.folder / "outputs", ignore_errors=True)
    one, many = (
        checkout.command("gan-train", "-m", f"name={name}", f"seed={seeds}", "steps=1")
        for name, seeds in (("one", "0"), ("many", ",".join(map(str, range(SEEDS)))))
    )
    return Spent(
        (many.seconds - one.seconds) / (SEEDS - 1), (many.processor_seconds - one.processor_seconds) / (SEEDS - 1)
    )


Take = Callable[[Checkout], Spent]


@dataclass(frozen=True)
class Wait:
    """What is waited for, and the least that it could take: in words, and measured (None: nothing).

    Attributes:
        of_run: whether it is about a run that is there.
    """

    what: str
    take: Take
    floor: str
    least: Take | None
    of_run: bool = True


def _torch(checkout: Checkout) -> Spent:
    return checkout.take("-c", TORCH)


def _drawn(checkout: Checkout) -> Spent:
    return checkout.take("-c", DRAWN, "run")


WAITS = {
    "first_step": Wait("gan-train, to its first step", _first_step, "torch's import", _torch, of_run=False),
    "evaluate": Wait(
        "gan-eval of 10,000 samples",
        lambda checkout: checkout.command("gan-eval", "checkpoint=run", "out=evaluated.json"),
        "import and 10,000 samples",
        _drawn,
    ),
    "frechet": Wait(
        "gan-eval metrics=frechet of 10,000",
        lambda checkout: checkout.command("gan-eval", "checkpoint=run", "metrics=frechet", "out=evaluated.json"),
        "import and 10,000 samples",
        _drawn,
    ),
    "sample": Wait(
        "gan-sample of 10,000 PNG files",
        lambda checkout: checkout.command("gan-sample", "checkpoint=run", "seeds=0-9999", "format=png", "out=drawn"),
        "import and 10,000 samples",
        _drawn,
    ),
    "report": Wait(
        f"gan-report of {RUNS} runs",
        lambda checkout: checkout.command("gan-report", "many", "--out", "report.html"),
        "reading their numbers",
        lambda checkout: checkout.take("-c", READ, "many"),
    ),
    "job": Wait("gan-train -m, each further job", _job, "nothing", None, of_run=False),
}


def run(names: Sequence[str], *, repeats: int, before: Path | None, out: Path | None) -> None:
    """Measures the waits in turns and prints them.

    Args:
        before: another checkout of this program, whose commands take turns with this one's.

    Raises:
        UserError: if a command fails.
    """
    import torch

    from gan_cli.commands.bench.turns import machine, write

    with tempfile.TemporaryDirectory(prefix="gan-bench-") as temporary:
        checkouts = [_checkout(Path(temporary), tree) for tree in ((before, None) if before else (None,))]
        for checkout in checkouts:
            _prepare(checkout, names)
        taken: dict[tuple[str, int], list[Spent]] = {}
        floors: dict[str, list[Spent]] = {}
        with screen.progress("waits", (repeats + 1) * len(names)) as advance:
            for turn in range(-1, repeats):  # the first compiles, and learns the classifier
                for name in names:
                    found = [WAITS[name].take(checkout) for checkout in checkouts]
                    least = WAITS[name].least
                    floor = least(checkouts[-1]) if least else Spent(0.0, 0.0)
                    if turn >= 0:
                        floors.setdefault(name, []).append(floor)
                        for number, one in enumerate(found):
                            taken.setdefault((name, number), []).append(one)
                    advance()
    rows = [_row(name, [taken[name, number] for number in range(len(checkouts))], floors[name]) for name in names]
    result = {**machine(torch.device("cpu")), "repeats": repeats, "rows": rows}
    if out:
        write(result, out)
    _show(result)


def _row(name: str, taken: Sequence[Sequence[Spent]], floor: Sequence[Spent]) -> Row:
    *before, now = taken
    row = {"name": name, "what": WAITS[name].what, "now": _spread(now)}
    row |= {"before": _spread(before[0])} if before else {}
    return {**row, "floor": {"of": WAITS[name].floor, **_spread(floor)}}


def _spread(taken: Iterable[Spent]) -> Row:
    """Median, lowest and highest on each clock."""
    times = {clock: sorted(getattr(one, clock) for one in taken) for clock in CLOCKS}
    return {clock: {"median": median(all), "low": all[0], "high": all[-1]} for clock, all in times.items()}


def _show(result: Result) -> None:
    """Prints a line for each wait, in seconds on the processors; on the clock in brackets."""
    both = "before" in result["rows"][0]
    table = Table("", *(["before"] if both else []), "now", "floor", "above it", "the floor is", box=None)
    for row in result["rows"]:
        above = row["now"]["processor_seconds"]["median"] - row["floor"]["processor_seconds"]["median"]
        parts = (*((row["before"],) if both else ()), row["now"], row["floor"])
        table.add_row(row["what"], *(_told(part) for part in parts), f"{above:.2f}", row["floor"]["of"])
    console = screen.console(stderr=False)
    console.print(table)
    console.print(
        f"seconds on the processors (on the clock), medians of {result['repeats']}; {machine_line(result)}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _told(times: Row) -> str:
    return f"{times['processor_seconds']['median']:.2f} ({times['seconds']['median']:.2f})"


def chosen(text: str) -> list[str]:
    """The names in ``--waits first_step,report``; all of them if there is none.

    Raises:
        UserError: if one of them is no wait.
    """
    names = text.split(",") if text else [*WAITS]
    if unknown := [name for name in names if name not in WAITS]:
        raise UserError(f"--waits {text}: {unknown[0]}: no such wait: choose of {', '.join(WAITS)}")
    return [*dict.fromkeys(names)]


def _checkout(parent: Path, tree: Path | None) -> Checkout:
    return Checkout(parent / ("before" if tree else "now"), str(tree) if tree else None)


def _prepare(checkout: Checkout, names: Sequence[str]) -> None:
    """Makes what the waits need: a run of a few steps, and many copies of what a report reads of it."""
    checkout.folder.mkdir()
    if any(WAITS[name].of_run for name in names):
        checkout.command("gan-train", "steps=20", "log_every=1", "sample_every=10", "hydra.run.dir=run")
    if "report" in names:
        left = shutil.ignore_patterns("checkpoints")
        for number in range(RUNS):
            shutil.copytree(checkout.folder / "run", checkout.folder / "many" / f"{number:03d}", ignore=left)
