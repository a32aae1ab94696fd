"""gan-bench --until: the step at which a value holds, against a series written by hand; its time apart from looking."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import TINY_MLP, metrics_in, run_folder

SERIES = """
import time


class Series:
    '''Values by seed and by the number of evaluations so far; each evaluation takes its time.'''

    def __init__(self, of: list[list[float]], takes: float = 0.0):
        self.of, self.takes, self.calls = of, takes, -2  # once before there is anything to measure, once at step 0

    def __call__(self, evidence):
        time.sleep(self.takes)
        self.calls += 1
        value = self.of[evidence.seed][max(self.calls, 0)]
        return {"score": value, "calls": self.calls}
"""
PEER = """
import time
for i in range(10_000):
    time.sleep(0.05)
    print("[%d/25][%d/8]" % (0, i), flush=True)
"""
ONE = ("--seeds", "1", "--out", "b.json")


@pytest.fixture
def series(tmp_path):
    """The keys that measure a series of values: of each seed, at step 0 first."""
    (tmp_path / "own" / "metrics").mkdir(parents=True)
    (tmp_path / "own" / "series.py").write_text(SERIES)
    lines = ["# @package metrics.series", "name: series", "class: series.Series", "of: []", "takes: 0.0"]
    (tmp_path / "own" / "metrics" / "series.yaml").write_text("\n".join(lines))

    def call(*of: list[float], takes: float = 0.0) -> tuple[str, ...]:
        keys = ("metrics=[series]", f"metrics.series.of={json.dumps(of)}", f"metrics.series.takes={takes}")
        return (*TINY_MLP, "--config-dir", "own", *keys, "evaluate_count=8")

    return call


def rows() -> list[dict]:
    return json.loads(Path("b.json").read_text())["rows"]


def test_a_goal_is_reached_at_the_first_evaluation_that_finds_it(gan_bench, series):
    """Of three seeds, by hand: steps 0, 2, 4, 6 and 7 are looked at; a value that is lost again was reached."""
    keys = series([90, 30, 9, 50, 4], [90, 80, 20, 10, 8], [90, 31, 30.5, 29, 11])
    goals = ("--until", "score<=30,10,5", "--until", "score>=90")
    result = gan_bench(*keys, "steps=7", "evaluate_every=2", *goals, "--seeds", "3", "--out", "b.json")
    assert result.code == 0, result.err
    (row,) = rows()
    found = {goal["until"]: goal for goal in row["goals"]}
    steps = {until: [one["step"] for one in goal["all"]] for until, goal in found.items()}
    assert steps == {
        "score<=30": [2, 4, 6],
        "score<=10": [4, 6, None],
        "score<=5": [7, None, None],
        "score>=90": [0, 0, 0],
    }
    assert found["score<=30"]["step"] == {"median": 4, "low": 2, "high": 6}
    assert found["score<=10"]["step"] == {"median": 6, "low": 4, "high": None}
    assert found["score<=5"]["step"] == {"median": None, "low": 7, "high": None}
    assert [goal["reached"] for goal in row["goals"]] == [3, 2, 1, 3]
    assert (found["score<=10"]["nearest"], found["score<=5"]["nearest"]) == (11, 8)
    for goal in found.values():  # in seconds too, each of its own evaluation
        for one, seed in zip(goal["all"], row["seeds"], strict=True):
            at = {each["step"]: each for each in seed["evaluations"]}
            for clock in ("seconds", "processor_seconds"):
                assert one[clock] == (None if one["step"] is None else at[one["step"]][clock])
    assert found["score>=90"]["seconds"]["high"] == 0 < found["score<=30"]["seconds"]["low"]
    assert [len(seed["evaluations"]) for seed in row["seeds"]] == [5, 5, 5]  # the last step too
    assert "best 8" in result.out
    assert "measured at step 0 and every 2 steps, by 8 samples" in result.out


def test_what_is_not_reached_is_said_and_what_is_reached_ends_the_training(gan_bench, series):
    keys = (*series([9, 5, 4, 3, 2]), "evaluate_every=1", "--until", "score<=5", *ONE)
    result = gan_bench(*keys, "--compare", "steps=4,1000")
    assert [len(row["seeds"][0]["evaluations"]) for row in rows()] == [2, 2]
    result = gan_bench(*keys, "steps=3", "--until", "score<1,3")
    assert [goal["step"]["median"] for goal in rows()[0]["goals"]] == [1, None, None]
    assert "not in 3" in result.out
    assert "not reached" in result.out


def test_evaluations_take_no_training_time(gan_bench, series):
    assert (
        gan_bench(*series([9, 9, 1], takes=0.2), "steps=2", "evaluate_every=1", "--until", "score<=1", *ONE).code == 0
    )
    (goal,) = rows()[0]["goals"]
    assert goal["step"]["median"] == 2
    assert 0 < goal["processor_seconds"]["median"] < 0.2
    assert 0 < goal["seconds"]["median"] < 0.4


def test_the_values_are_those_of_the_run_whatever_else_takes_turns(gan_bench, gan_train):
    """Two variants that change places after each evaluation train as each does alone, with each of its seeds."""
    keys = (*TINY_MLP, "extractor=pixels", "steps=6", "evaluate_every=3", "evaluate_count=70")
    every = ("--compare", "loss=minimax,hinge", "--until", "kernel<=-1", "--seeds", "2", "--out", "b.json")
    assert gan_bench(*keys, "log_every=0", *every).code == 0
    assert gan_train(*keys, "metrics=[kernel]", "log_every=0", "seed=1", "loss=hinge").code == 0
    run = [(line["step"], line["metric/kernel"]) for line in metrics_in(run_folder())]
    assert [step for step, _ in run] == [3, 6]
    seed = rows()[1]["seeds"][1]
    assert [(each["step"], each["values"]["kernel"]) for each in seed["evaluations"]][1:] == run


def test_a_peer_takes_the_steps_of_its_game_at_its_own_speed(gan_bench, series):
    Path("main.py").write_text(PEER)
    keys = (*series([9, 9, 1]), "steps=40", "evaluate_every=20", "--until", "score<=1", "--seconds", "0.1", *ONE)
    result = gan_bench(*keys, "--compare", "loss=hinge,minimax", "--peer", "main.py --batchSize 8")
    assert result.code == 0, result.err
    theirs, hinge, _ = rows()
    assert [row["goals"][0]["step"]["median"] for row in rows()] == [40, 40, 40]
    assert theirs["game"] == hinge["name"] == "loss=hinge"
    (goal,), batches = theirs["goals"], theirs["seeds"][0]["seconds_per_batch"]
    assert len(batches) == 3  # before the first turn of its game, and after each
    assert all(batch["seconds"] >= 0.05 for batch in batches)
    for clock in ("seconds", "processor_seconds"):
        assert goal[clock]["median"] == pytest.approx(40 * sorted(batch[clock] for batch in batches)[1])
    assert goal["processor_seconds"]["median"] < 0.5 * goal["seconds"]["median"]  # it sleeps
    assert "the steps of loss=hinge, each for the script's own median seconds per batch" in result.out
    other = gan_bench(*keys, "--peer", "main.py --batchSize 64")
    assert other.err.startswith("gan-bench: error: --peer")
    assert "with batches of 64, and its game, gan-train, with 8: give both the same" in other.err


def test_a_value_that_nothing_measures_is_one_line_before_any_training(gan_bench, series):
    unknown = gan_bench(*TINY_MLP, "extractor=pixels", "--until", "frechett<=10")
    assert unknown.code == 2
    assert "--until frechett<=10: no metric has such a value (did you mean 'frechet'?): choose one of: " in unknown.err
    assert len(unknown.err.splitlines()) == 1
    own = gan_bench(*series([1]), "steps=1000000", "--until", "scores<=10")
    assert own.code == 2
    assert "--until scores<=10: no metric has such a value (did you mean 'score'?)" in own.err
