"""Sweeps go on where they stopped, whatever stopped them."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

from conftest import TINY_POINTS, assert_same_run

SWEEP = ("-m", *TINY_POINTS, "steps=120", "log_every=40", "checkpoint_every=10", "sample_every=0")


def statuses(name: str) -> dict[str, dict]:
    found = Path("outputs/sweeps").glob(f"{name}/*/status.json")
    return {path.parent.name: json.loads(path.read_text()) for path in found}


def test_a_sweep_killed_at_random_moments_is_the_undisturbed_sweep(spawn, gan_train):
    keys = (*SWEEP, "loss=minimax,hinge", "seed=0,1")
    assert gan_train(*keys, "name=whole").code == 0
    process, kills = spawn(*keys, "name=parts"), 0
    while kills < 3:
        target = len(list(Path("outputs/sweeps").glob("parts/*/checkpoints/step-0000000[1-9]0.pt"))) + random.randint(
            1, 3
        )
        while process.poll() is None:
            if len(list(Path("outputs/sweeps").glob("parts/*/checkpoints/step-0000000[1-9]0.pt"))) >= target:
                break
            time.sleep(0.005)
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
        process = spawn(*keys, "name=parts")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert kills > 0
    assert set(statuses("parts")) == set(statuses("whole"))
    assert {status["status"] for status in statuses("parts").values()} == {"finished"}
    for name in statuses("whole"):
        assert_same_run(Path("outputs/sweeps/whole") / name, Path("outputs/sweeps/parts") / name)


def test_a_finished_run_is_not_trained_twice_and_new_values_are_added(gan_train):
    assert gan_train(*SWEEP, "seed=0,1", "name=seeds").code == 0
    before = {path: path.stat().st_mtime_ns for path in Path("outputs/sweeps/seeds").glob("*/checkpoints/*.pt")}
    result = gan_train(*SWEEP, "seed=0,1,2", "name=seeds")
    assert result.code == 0
    assert result.err.count("finished already") == 2
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert set(statuses("seeds")) == {"seed-0", "seed-1", "seed-2"}
    assert "outputs/sweeps/seeds: 3 of 3 finished" in result.err


def test_finished_runs_are_trained_further_when_asked(gan_train):
    assert gan_train(*SWEEP, "seed=0,1", "name=seeds").code == 0
    assert gan_train(*SWEEP, "seed=0,1", "name=seeds", "steps=150").code == 0
    assert {status["step"] for status in statuses("seeds").values()} == {150}


def test_the_same_command_without_a_name_is_the_same_sweep(gan_train):
    for times in (0, 2):
        result = gan_train(*SWEEP, "seed=0,1")
        assert result.code == 0
        assert result.err.count("finished already") == times
    assert gan_train(*SWEEP, "seed=0,1", "loss=hinge").code == 0
    names = [path.name for path in Path("outputs/sweeps").iterdir()]
    assert len(names) == 2
    assert all(name.startswith("seed-") for name in names)


def test_another_config_under_the_same_name_is_refused_and_harms_nothing(gan_train):
    assert gan_train(*SWEEP, "seed=0,1", "name=seeds").code == 0
    result = gan_train(*SWEEP, "seed=0,1", "name=seeds", "batch_size=4")
    assert result.code == 2
    assert "batch_size=4: the run in outputs/sweeps/seeds/seed-0 has 8: give this sweep another name" in result.err
    assert {status["status"] for status in statuses("seeds").values()} == {"finished"}


def test_bad_values_and_diverging_runs_stand_in_the_table_and_do_not_stop_the_rest(gan_train):
    keys = ("optimizer=sgd", "loss=maximum_likelihood,hnge", "optimizer.lr=1e-3,1e30,-1", "steps=3", "log_every=1")
    result = gan_train(*SWEEP, *keys, "name=bad")
    assert result.code == 2
    found = statuses("bad")
    assert found["loss-maximum_likelihood_optimizer.lr-0.001"]["status"] == "finished"
    assert found["loss-maximum_likelihood_optimizer.lr-1e+30"]["status"] == "diverged"
    assert found["loss-maximum_likelihood_optimizer.lr--1"]["status"] == "failed"
    table = result.err[result.err.index("outputs/sweeps/bad: 1 of 4 finished") :]
    assert "failed: optimizer.lr=-1: must be greater than 0" in table
    assert "diverged: " in table
    assert "left out: loss=hnge: no such option" in table


def test_ctrl_c_leaves_a_sweep_that_can_be_continued(spawn, gan_train):
    keys = (*SWEEP, "steps=3000", "seed=0,1", "name=stopped")
    process = spawn(*keys)
    while not list(Path("outputs/sweeps").glob("stopped/seed-0/checkpoints/step-000000100.pt")):
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert statuses("stopped")["seed-0"]["status"] == "interrupted"
    assert "seed-1" not in statuses("stopped")
    step = statuses("stopped")["seed-0"]["step"]
    assert gan_train(*SWEEP, f"steps={step + 10}", "seed=0,1", "name=stopped").code == 0
    assert {status["status"] for status in statuses("stopped").values()} == {"finished"}


def test_runs_in_processes_of_their_own_are_told_of_like_the_others(spawn):
    keys = (*SWEEP, "optimizer.lr=1e-3,-1", "name=joblib", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    for _ in range(2):
        process = spawn(*keys)
        _, err = process.communicate(timeout=120)
        assert process.returncode == 2, err
        assert "outputs/sweeps/joblib: 1 of 2 finished" in err
        assert "failed: optimizer.lr=-1: must be greater than 0" in err
    assert err.count("finished already") == 1
