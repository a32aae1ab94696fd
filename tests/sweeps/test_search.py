"""Searches: drawn in Hydra's syntax, continued after a kill, ended early where others are better."""

from __future__ import annotations

import itertools
import json
import math
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import TINY_POINTS

from gan_cli.commands import planning, sweep_jobs
from gan_cli.errors import UserError
from gan_cli.runs import time_limit
from gan_cli.runs.observers.pruning import Pruner
from gan_cli.sweeps import job_processes
from gan_cli.sweeps.search.space import parse

WATCHED = (
    "steps=20",
    "checkpoint_every=4",
    "keep_checkpoints=9",
    "log_every=0",
    "sample_every=0",
    "evaluate_every=4",
    "evaluate_count=50",
)
SEARCH = ("-m", *TINY_POINTS, *WATCHED, "metrics=sliced_wasserstein", "watch=sliced_wasserstein", "loss=hinge,minimax")
SPACE = "optimizer.lr=tag(log,interval(1e-4,1e-1))"


def runs(name: str) -> dict[str, dict]:
    found = Path("outputs/sweeps").glob(f"{name}/*/status.json")
    return {path.parent.name: json.loads(path.read_text()) for path in found}


def trials(name: str) -> list[str]:
    """The states of a study's trials."""
    with sqlite3.connect(f"outputs/sweeps/{name}/study.db") as database:
        return [state for (state,) in database.execute("select state from trials order by number")]


@pytest.mark.parametrize(
    ("space", "low", "high", "whole"),
    [
        ("interval(-1,3)", -1, 3, False),
        ("tag(log,interval(1e-5,1e-1))", 1e-5, 1e-1, False),
        ("int(interval(1,4))", 1, 4, True),
        ("range(1,5)", 1, 4, True),
        ("tag(log,int(interval(1,64)))", 1, 64, True),
    ],
)
def test_draws_cover_an_interval(space, low, high, whole):
    (dimension,), _ = parse([f"key={space}"], {})
    drawn = [dimension.draw(random.Random(i)) for i in range(2000)]
    assert low <= min(drawn)
    assert max(drawn) <= high
    assert all(isinstance(value, int) for value in drawn) == whole
    middle = math.sqrt(low * high) if "log" in space else (low + high) / 2
    below = sum(value < middle for value in drawn) + sum(value == middle for value in drawn) / 2
    assert abs(below / 2000 - 0.5) < (0.12 if whole else 0.05)
    if whole and high == 4:
        assert {value: drawn.count(value) > 400 for value in drawn} == dict.fromkeys((1, 2, 3, 4), True)


def test_what_is_typed_wins_over_the_space_of_a_sweep():
    dimensions, fixed = parse(["seed=1,2", "steps=5"], {"loss": "hinge,minimax", "seed": "0,1,2"})
    assert [(dimension.key, dimension.choices) for dimension in dimensions] == [
        ("loss", ("hinge", "minimax")),
        ("seed", ("1", "2")),
    ]
    assert fixed == ["steps=5"]
    assert parse(["seed=3"], {"loss": "hinge,minimax", "seed": "0,1,2"})[1] == ["seed=3"]


def test_a_random_search_goes_on_where_it_stopped_and_more_trials_add_to_it(gan_train):
    search = (*SEARCH, SPACE, "hydra/sweeper=random", "name=drawn")
    assert gan_train(*search, "hydra.sweeper.n_trials=3").code == 0
    first = runs("drawn")
    assert len(first) == 3
    result = gan_train(*search, "hydra.sweeper.n_trials=5")
    assert result.code == 0
    assert result.err.count("finished already") == 3
    assert len(runs("drawn")) == 5
    assert {name: runs("drawn")[name] for name in first} == first
    best = min(runs("drawn"), key=lambda name: runs("drawn")[name]["best"]["value"])
    assert f"of outputs/sweeps/drawn/{best}\n" in result.err
    again = result.err.partition("again: gan-train ")[2].splitlines()[0].split()
    assert [f"loss-{best.split('_')[0].partition('-')[2]}"] == [
        f"loss-{text.partition('=')[2]}" for text in again if text.startswith("loss=")
    ]
    assert not any(text.startswith(("name=", "hydra")) for text in again)


def test_a_space_of_few_values_is_tried_once_each(gan_train):
    result = gan_train(*SEARCH, "hydra/sweeper=random", "hydra.sweeper.n_trials=9", "name=few")
    assert result.code == 0
    assert set(runs("few")) == {"loss-hinge", "loss-minimax"}
    assert "the space holds no more than these: 2 of 9 trials" in result.err


def test_a_study_killed_and_continued_has_its_trials_once_each_and_the_same(spawn, gan_train):
    search = (*SEARCH, SPACE, "hydra/sweeper=optuna", "hydra.sweeper.n_trials=6", "hydra.sweeper.startup=3")
    assert gan_train(*search, "name=whole").code == 0
    for moment in (8, 16):  # six checkpoints a run that is not ended early
        process = spawn(*search, "name=parts")
        while len(list(Path("outputs/sweeps/parts").glob("*/checkpoints/step-*.pt"))) < moment:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    result = gan_train(*search, "name=parts")
    assert result.code == 0
    assert len(trials("parts")) == 6
    assert "RUNNING" not in trials("parts")
    values = [{name: status["best"]["value"] for name, status in runs(name).items()} for name in ("whole", "parts")]
    assert values[0] == values[1]
    assert gan_train(*search, "name=parts", "hydra.sweeper.n_trials=7").code == 0
    assert len(trials("parts")) == 7
    other = gan_train(*search, "name=parts", "optimizer.lr=interval(1e-3,1e-2)")
    assert other.code == 2
    assert "is another search: give this one another name" in other.err


@pytest.fixture
def late_elsewhere(monkeypatch):
    """Runs are in other processes, as far as they can tell, and the sweep that launches them has gone on for long."""
    pids, claim, begin = itertools.count(1), planning.claim_sweep, job_processes.begin

    def long_ago(folder) -> None:
        time_limit.begin(time.time() - 1000)
        claim(folder)

    def in_a_new_process(*facts):
        time_limit.begin()
        return begin(*facts)

    monkeypatch.setattr(planning, "claim_sweep", long_ago)
    monkeypatch.setattr(job_processes, "begin", in_a_new_process)
    monkeypatch.setattr(sweep_jobs, "os", SimpleNamespace(getpid=lambda: next(pids)))


def test_the_time_limit_of_a_sweep_is_that_of_its_runs_elsewhere_too(gan_train, late_elsewhere):
    result = gan_train(*SEARCH, "time_limit=500", "name=grid")
    assert result.code == 124
    assert "outputs/sweeps/grid: 0 of 2 finished\n  loss-hinge    not begun: time_limit=500 is up\n" in result.err


def test_no_trials_are_drawn_once_the_time_is_up(gan_train, late_elsewhere):
    search = (*SEARCH, SPACE, "hydra/sweeper=optuna", "hydra.sweeper.n_trials=6", "name=study")
    assert gan_train(*search, "time_limit=500").code == 124
    assert trials("study") == ["RUNNING"]


def test_diverging_trials_count_and_stop_nothing(gan_train):
    keys = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=6", "optimizer=sgd", "optimizer.lr=1e-3,1e30", "seed=0,1")
    search = (*SEARCH, *keys, "loss=maximum_likelihood", "name=mixed", "log_every=1")
    result = gan_train(*search)
    assert result.code == 3, result.err
    assert {status["status"] for status in runs("mixed").values()} == {"finished", "diverged"}
    assert sorted(set(trials("mixed"))) == ["COMPLETE", "PRUNED"]
    assert len(trials("mixed")) == 6


def rival(name: str, *values: float | None) -> None:
    Path(f"sweep/{name}").mkdir(parents=True)
    lines = [json.dumps({"step": 10 * i, "metric/fid": value}) + "\n" for i, value in enumerate(values, 1)]
    Path(f"sweep/{name}/metrics.jsonl").write_text("".join([*lines, '{"step": 40, "metr']))


def test_the_median_of_the_others_at_the_same_step_ends_a_run():
    for name, values in {"a": (9, 5), "b": (8, 4), "c": (7, None), "d": (6,), "run": (1, 1)}.items():
        rival(name, *values)
    pruner = Pruner("median", 3, Path("sweep/run"))
    assert pruner.verdict(20, 10, 6.0, "fid", -1) == "fid 6 by step 20; the median is 5"
    assert pruner.verdict(20, 10, 5.0, "fid", -1) is None
    assert pruner.verdict(20, 10, None, "fid", -1) == "fid not finite by step 20; the median is 5"
    assert pruner.verdict(20, 10, 4.0, "fid", 1) == "fid 4 by step 20; the median is 8"
    assert Pruner("median", 4, Path("sweep/run")).verdict(20, 10, 9.0, "fid", -1) is None  # three have got there
    assert pruner.verdict(30, 10, 9.0, "fid", -1) is None  # none has


def test_halving_keeps_the_better_third_at_its_rungs():
    for i in range(5):
        rival(f"r{i}", *[float(i)] * 3)
    pruner = Pruner("halving", 1, Path("sweep/run"))
    assert pruner.verdict(30, 10, 0.5, "fid", -1) is None
    assert pruner.verdict(30, 10, 1.5, "fid", -1) == "fid 1.5 by step 30; 2 of 5 others were better"
    assert pruner.verdict(20, 10, 9.0, "fid", -1) is None  # no rung


def test_a_pruned_run_ends_finished_and_says_so(gan_train):
    keys = (
        "hydra/sweeper=random",
        "hydra.sweeper.pruner=median",
        "hydra.sweeper.startup=2",
        "hydra.sweeper.n_trials=8",
    )
    result = gan_train(*SEARCH, SPACE, *keys, "name=pruned")
    assert result.code == 0, result.err
    early = [status for status in runs("pruned").values() if str(status["reason"]).startswith("pruned: sliced_wasser")]
    assert early
    assert all(status["status"] == "finished" and status["step"] < 20 for status in early)
    whole = [status for status in runs("pruned").values() if status["reason"] is None]
    assert max(s["best"]["value"] for s in early) > min(s["best"]["value"] for s in whole)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("optimizer.lr=interval(1e-3,1e-2)",), "optimizer.lr: an interval is for a search: add hydra/sweeper=random"),
        (
            ("hydra/sweeper=random", "optimizer.lr=interval(2,1)"),
            "an interval goes from a lower number to a higher one",
        ),
        (("hydra/sweeper=random", "seed=tag(log,interval(0,9))"), "an interval with a logarithm begins above 0"),
        (("hydra/sweeper=random", "seed=tag(lg,interval(1,9))"), "tag lg is not known: there is log"),
        (("hydra/sweeper=random", "optimizer.lr=interval(-1,1)"), "optimizer.lr=-1.0: must be greater than 0"),
        (("hydra/sweeper=random", "optimizer.rl=interval(0,1)"), "optimizer.rl=0.0: no such key (did you mean"),
        (("hydra/sweeper=random", "loss=hinge,hnge"), "loss=hnge: no such option (did you mean 'hinge'?)"),
        (("hydra/sweeper=random", "seed=0"), "--multirun: nothing to search"),
        (("hydra/sweeper=random", "seed=0,1", "hydra.sweeper.ntrials=3"), "did you mean 'hydra.sweeper.n_trials'?"),
        (("hydra/sweeper=optuna", "seed=0,1"), "hydra/sweeper=optuna: which value is to get better? add watch="),
        (
            ("hydra/sweeper=random", "seed=0,1", "hydra.sweeper.trials_at_once=2"),
            "hydra.sweeper.trials_at_once=2: draws do not learn from each other here",
        ),
        (
            ("hydra/sweeper=random", "seed=0,1", "hydra.sweeper.startup=2"),
            "hydra.sweeper.startup=2: no run is ended early: add hydra.sweeper.pruner=median, or leave it out",
        ),
        (
            (*SEARCH[-3:], "hydra/sweeper=random", "hydra.sweeper.pruner=median", "evaluate_every=0"),
            "hydra.sweeper.pruner=median: ends runs at evaluations, and they have one at the end alone",
        ),
        (("hydra.sweeper.max_batch_size=0", "seed=0,1"), "hydra.sweeper.max_batch_size=0: must be at least 1, or null"),
        (("hydra/sweeper=optna", "seed=0,1"), "hydra/sweeper=optna: no such option (did you mean 'optuna'?)"),
    ],
)
def test_a_bad_search_is_refused_in_a_line_before_anything_is_made(gan_train, keys, line):
    result = gan_train("-m", *TINY_POINTS, *keys)
    assert result.code == 2
    assert line in result.err
    assert len(result.errors) == len(set(result.errors)) <= 2  # an interval has two ends
    assert not Path("outputs").exists()


def test_a_missing_package_is_named_with_the_command_that_installs_it(gan_train, monkeypatch):
    import gan_cli.sweeps.plugins

    monkeypatch.setattr(gan_cli.sweeps.plugins, "find_spec", lambda module: None)
    for keys in (["hydra/launcher=joblib"], ["hydra/launcher=slurm"], ["hydra/sweeper=optuna"]):
        result = gan_train("-m", *TINY_POINTS, "seed=0,1", *keys)
        assert (result.code, len(result.errors)) == (2, 1)
        assert result.errors[0].endswith("pip install 'gan-cli[sweep]'")
        assert keys[0] in result.errors[0]


def test_optuna_is_imported_by_nothing_but_its_sweeper():
    seen = "import sys, gan_cli.cli, gan_cli.runs.run, gan_cli.sweeps.search.sweeper; print('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True).stdout == "False\n"


def test_spaces_mistaken_in_yaml_are_mistakes_too():
    with pytest.raises(UserError, match=r"optimizer.lr=interval\(1\): cannot be read"):
        parse([], {"optimizer.lr": "interval(1)"})
