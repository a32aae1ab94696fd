"""``gan-report``: what it says is what the runs say, in one file that needs nothing else."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from statistics import fmean, stdev

import pytest
from conftest import TINY_POINTS, Result, metrics_in

from gan_cli import cli
from gan_cli.report.command import main
from gan_cli.report.page import chosen, curves

SWEEP = ("-m", *TINY_POINTS, "steps=6", "sample_every=2", "log_every=2", "loss=minimax,hinge", "seed=0,1", "name=games")


@pytest.fixture
def gan_report(capfd):
    """Runs ``gan-report`` in this process, in the current folder."""

    def call(*arguments: str) -> Result:
        capfd.readouterr()
        code = cli._exit_code(lambda: main(arguments), "gan-report")
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return call


def test_the_page_needs_nothing_else_and_holds_what_the_runs_hold(gan_train, gan_report):
    assert gan_train(*SWEEP).code == 0
    result = gan_report("outputs/sweeps/games")
    assert result.code == 0, result.err
    page = Path("outputs/sweeps/games/report.html").read_text()
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:)""", page)
    assert set(re.findall(r"https?://[\w./]+", page)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    (data,) = re.findall(r"^const data = (.*);$", page, re.MULTILINE)
    content = json.loads(data)
    assert content["keys"] == ["loss", "seed"]
    names = [f"loss-{loss}_seed-{seed}" for loss in ("hinge", "minimax") for seed in (0, 1)]
    assert [run["name"] for run in content["runs"]] == names
    for run in content["runs"]:
        folder = Path("outputs/sweeps/games") / run["name"]
        assert (Path("outputs/sweeps/games") / run["link"]).is_dir()
        records = metrics_in(folder)
        steps, values = run["curves"]["loss/generator"]
        assert steps == [2, 4, 6]
        assert values == pytest.approx([record["loss/generator"] for record in records], rel=1e-4)
        assert list(run["grids"]) == ["2", "4", "6"]
        assert run["command"].startswith("gan-train ")
        assert f"loss={run['settings']['loss']}" in run["command"]


def test_tables_have_every_run_or_the_mean_and_spread_over_seeds(gan_train, gan_report):
    assert gan_train(*SWEEP).code == 0
    rows = list(csv.DictReader(io.StringIO(gan_report("outputs", "--format", "csv").out)))
    assert [(row["loss"], row["seed"], row["status"]) for row in rows] == [
        (loss, seed, "finished") for loss in ("hinge", "minimax") for seed in ("0", "1")
    ]
    wanted = [float(row["loss/generator"]) for row in rows if row["loss"] == "minimax"]
    table = gan_report("outputs", "--format", "md").out
    (line,) = [line for line in table.splitlines() if line.startswith("| minimax | 2 |")]
    assert f"{fmean(wanted):.4g} ± {stdev(wanted):.2g}" in line
    assert gan_report("outputs", "--format", "json", "--out", "all.json").code == 0
    assert len(json.loads(Path("all.json").read_text())) == 4


def test_failed_and_diverged_runs_are_on_the_page_with_their_reason(gan_train, gan_report):
    keys = ("optimizer=sgd", "loss=maximum_likelihood", "optimizer.lr=1e-3,1e30,-1", "steps=3", "log_every=1")
    assert gan_train("-m", *TINY_POINTS, *keys, "name=bad").code != 0
    runs = json.loads(gan_report("outputs/sweeps/bad", "--format", "json").out)
    assert {run["status"]["status"] for run in runs} == {"finished", "diverged", "failed"}
    assert gan_report("outputs/sweeps/bad", "--out", "page.html").code == 0
    assert "must be greater than 0" in Path("page.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere",), "nowhere: no such folder"),
        ((".",), ".: holds no run"),
        ((), "the following arguments are required: PATH"),
        ((".", "--format", "pdf"), "invalid choice: 'pdf'"),
    ],
)
def test_a_mistaken_command_is_told_in_one_line(gan_report, arguments, words):
    result = gan_report(*arguments)
    assert result.code == 2
    (line,) = result.err.splitlines()
    assert line.startswith("gan-report: error: ")
    assert words in line


def test_curves_are_thinned_out_and_keep_their_ends():
    assert chosen(range(1000), 3) == [0, 500, 999]
    assert chosen([1, 2], 3) == [1, 2]
    long = curves([{"step": i, "loss/generator": None if i == 5 else i / 7} for i in range(1, 2000)])
    steps, values = long["loss/generator"]
    assert len(steps) == len(values) <= 300
    assert (steps[0], steps[-1]) == (1, 1999)
