"""Sweeps go on where they stopped, whatever stopped them."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from conftest import TINY_POINTS, assert_same_run, config_of, metrics_in

from gan_cli.commands import planning
from gan_cli.config.command import Command
from gan_cli.config.library import Library
from gan_cli.errors import Diverged, Interrupted, UserError
from gan_cli.parallel import launch
from gan_cli.runs.observers.interrupts import Interrupts, late
from gan_cli.runs.observers.log import Log
from gan_cli.sweeps import job_processes
from gan_cli.sweeps.outcomes import Outcome, code_of_sweep, opening, table
from gan_cli.sweeps.sweep import continuation

SWEEP = ("-m", *TINY_POINTS, "steps=120", "log_every=40", "checkpoint_every=10", "sample_every=0")


def statuses(name: str) -> dict[str, dict]:
    found = Path("outputs/sweeps").glob(f"{name}/*/status.json")
    return {path.parent.name: json.loads(path.read_text()) for path in found}


def written(name: str) -> dict[Path, str]:
    """The commands that the runs of a sweep have written down."""
    found = Path("outputs/sweeps").glob(f"{name}/*/.hydra/overrides.yaml")
    return {path: path.read_text() for path in sorted(found)}


JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
STEPS = "checkpoints/step-*.pt"


def finished(name: str) -> dict[Path, int]:
    """When the last checkpoint of each finished run was written."""
    folders = [
        f"outputs/sweeps/{name}/{run}" for run, status in statuses(name).items() if status["status"] == "finished"
    ]
    return {path: path.stat().st_mtime_ns for folder in folders for path in [max(Path(folder).glob(STEPS))]}


@pytest.mark.parametrize("launcher", [(), JOBLIB], ids=["basic", "joblib"])
def test_a_sweep_killed_at_random_moments_is_the_undisturbed_sweep(spawn, gan_train, launcher):
    keys = (
        "-m",
        *TINY_POINTS,
        "steps=80",
        "log_every=40",
        "checkpoint_every=8",
        "keep_checkpoints=20",
        "sample_every=0",
    )
    keys = (*keys, "loss=minimax,hinge", "seed=0,1")
    assert gan_train(*keys, "name=whole").code == 0
    moments = random.Random(7)
    for _ in range(2):
        process = spawn(*keys, "name=parts", *launcher)
        before = len(list(Path("outputs/sweeps/parts").glob(f"*/{STEPS}")))
        wanted = before + moments.randint(2, 10)  # a run has eleven checkpoints
        while len(list(Path("outputs/sweeps/parts").glob(f"*/{STEPS}"))) < wanted:
            assert process.poll() is None, process.communicate()
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        was_finished = finished("parts")
    assert len(was_finished) < 4
    process = spawn(*keys, "name=parts", *launcher)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert set(statuses("parts")) == set(statuses("whole"))
    assert {status["status"] for status in statuses("parts").values()} == {"finished"}
    assert {path: finished("parts")[path] for path in was_finished} == was_finished
    for name in statuses("whole"):
        assert_same_run(Path("outputs/sweeps/whole") / name, Path("outputs/sweeps/parts") / name)


def test_a_finished_run_is_not_trained_twice_and_new_values_are_added(gan_train):
    assert gan_train(*SWEEP, "seed=0,1", "name=seeds").code == 0
    before = {path: path.stat().st_mtime_ns for path in Path("outputs/sweeps/seeds").glob("*/checkpoints/*.pt")}
    result = gan_train(*SWEEP, "log_every=1", "seed=0,1,2", "name=seeds")
    assert result.code == 0
    assert result.err.count("finished already") == 2
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert [path.parent.parent.name for path, text in written("seeds").items() if "log_every=1" in text] == ["seed-2"]
    assert set(statuses("seeds")) == {"seed-0", "seed-1", "seed-2"}
    assert "outputs/sweeps/seeds: 3 of 3 finished" in result.err


def test_a_finished_run_whose_checkpoints_were_deleted_is_not_trained_into_its_old_log(gan_train):
    folder, tiny = Path("outputs/sweeps/seeds"), (*SWEEP[:-4], "steps=3", "log_every=1", "seed=0,1", "name=seeds")
    assert gan_train(*tiny).code == 0
    for path in folder.glob("*/checkpoints/*.pt"):
        path.unlink()
    status = json.loads((folder / "seed-1/status.json").read_text())
    (folder / "seed-1/status.json").write_text(json.dumps({**status, "status": "interrupted"}))
    result = gan_train(*tiny)
    assert result.code == 0, result.err
    assert result.err.count("finished already") == 1
    assert [not list(folder.glob(f"seed-{seed}/checkpoints/*")) for seed in (0, 1)] == [True, False]
    for seed in (0, 1):
        assert [record["step"] for record in metrics_in(folder / f"seed-{seed}")] == [1, 2, 3]
    for key, told in (("batch_size=4", "has 8: give this sweep"), ("steps=4", "its checkpoints are gone: move")):
        again = gan_train(*tiny, key)
        assert again.code == 2, again.err
        assert told in again.err
    assert "holds a run whose checkpoints are gone" in gan_train(*tiny[1:-2], f"hydra.run.dir={folder}/seed-0").err


def stood(name: str, status: str = "finished", **facts) -> None:
    """A run of a sweep that says how it stands, and nothing else."""
    folder = Path("sweep", name)
    folder.mkdir(parents=True)
    (folder / "status.json").write_text(json.dumps({"status": status, **facts}))


def best(metric: str, value: float | None, better: str) -> dict:
    return {"metric": metric, "value": value, "better": better, "step": 3}


@pytest.mark.parametrize(("better", "order"), [("low", ["b", "c", "a"]), ("high", ["a", "c", "b"])])
def test_the_table_of_a_sweep_ranks_by_what_is_watched_and_names_the_report(better, order):
    for name, value in (("a", 10.0), ("b", 2.5), ("c", 9.0), ("lost", None)):
        stood(name, best=best("swd", value, better))
    stood("dead", "diverged", reason="loss/generator not finite")
    lines = table(Path("sweep"), [("loss=hnge", "no such option")]).splitlines()
    assert lines[0] == f"sweep: 4 of 6 finished, by swd, the {better}est first"
    assert [line.split()[:2] for line in lines[1:4]] == [[f"{i}.", name] for i, name in enumerate(order, 1)]
    assert [line.split()[0] for line in lines[4:7]] == ["dead", "lost", "loss=hnge"]
    assert lines[7] == f"best swd: {2.5 if better == 'low' else 10:.5g} at step 3 of sweep/{order[0]}"
    assert lines[-1] == "curves and samples: gan-report sweep"


def test_runs_that_were_judged_by_different_things_are_not_ranked_against_each_other():
    stood("a", best=best("frechet", 3.0, "low"), kinds={"frechet": "features of a classifier"})
    stood("b", best=best("frechet", 2.0, "low"), kinds={"frechet": "features of ImageNet"})
    stood("c", best=best("modes", 8.0, "high"), kinds=["of no kind"])
    stood("d", best=best("modes", 9.0, "high"))
    text = table(Path("sweep"), ())
    assert text.splitlines()[0] == "sweep: 4 of 4 finished"
    assert " by frechet, the lowest first (features of ImageNet):\n  1. b" in text
    assert " by modes, the highest first:\n  1. d" in text
    assert text.count("\nbest ") == 3


def test_a_sweep_counts_its_runs(gan_train):
    result = gan_train(*SWEEP, "steps=2", "seed=0,1", "loss=hinge,hnge", "name=some")
    assert [line.split(" begins ")[1] for line in result.err.splitlines() if " begins " in line] == [
        f"({k} of 2)" for k in (1, 2)
    ]
    assert "outputs/sweeps/some: 2 runs; as they go on: gan-report outputs/sweeps/some --live\n" in result.err


def test_a_large_sweep_says_that_its_configs_are_composed_first():
    plan = planning._swept(Command.parse(["-m", *TINY_POINTS, "seed=range(0,60)"]), Library())
    said = opening(Path("large"), plan.runs, at_once=plan.at_once)
    assert said.startswith("large: 60 runs, whose configs are all composed before the first begins; as they go on: ")


@pytest.mark.parametrize(
    ("typed", "count"),
    [
        (["seed=0,1,2", "loss=hinge,minimax"], 6),
        (["seed=0,1", "hydra/sweeper=random", "hydra.sweeper.n_trials=9"], 2),
        (["seed=0,1", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=9", "metrics=swd", "watch=swd"], 9),
        (["optimizer.lr=interval(1e-4,1e-2)", "hydra/sweeper=random", "hydra.sweeper.n_trials=9"], 9),
    ],
)
def test_the_number_of_runs_is_known_before_the_first(typed, count):
    assert planning._swept(Command.parse(["-m", *typed]), Library()).runs == count


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


def test_a_run_may_go_on_elsewhere_but_not_in_another_number_of_processes(trained):
    keys = (*TINY_POINTS, "sample_every=1", "steps=3", "log_every=7", "guard=rollback", "logger=tensorboard")
    folder = trained(*TINY_POINTS)
    assert continuation(config_of(*keys, "device=cpu"), Library(), folder).folder == folder
    with pytest.raises(UserError, match=r"^devices=2: the run in .* has 1: give this sweep another name, name=…$"):
        continuation(config_of(*keys, "devices=2"), Library(), folder)


def test_bad_values_and_diverging_runs_stand_in_the_table_and_do_not_stop_the_rest(gan_train):
    keys = ("optimizer=sgd", "loss=maximum_likelihood,hnge", "optimizer.lr=1e-3,1e30,-1", "steps=3", "log_every=1")
    result = gan_train(*SWEEP, *keys, "name=bad")
    assert result.code == 2
    found = statuses("bad")
    assert found["loss-maximum_likelihood_optimizer.lr-0.001"]["status"] == "finished"
    assert found["loss-maximum_likelihood_optimizer.lr-1e+30"]["status"] == "diverged"
    assert found["loss-maximum_likelihood_optimizer.lr--1"]["status"] == "failed"
    assert len(written("bad")) == 3  # a report says of each which it was
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
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130, err
    assert statuses("stopped")["seed-0"]["status"] == "interrupted"
    assert "seed-1" not in statuses("stopped")
    step = statuses("stopped")["seed-0"]["step"]
    assert gan_train(*SWEEP, f"steps={step + 10}", "seed=0,1", "name=stopped").code == 0
    assert {status["status"] for status in statuses("stopped").values()} == {"finished"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_in_the_last_step_of_a_run_ends_the_sweep_once_that_is_finished(gan_train, monkeypatch, number, code):
    write = Log.write

    def told(self, step):
        write(self, step)
        os.kill(os.getpid(), number)

    monkeypatch.setattr(Log, "write", told)
    assert gan_train(*SWEEP, "steps=2", "log_every=2", "seed=0,1", "name=ended").code == code
    assert {name: status["status"] for name, status in statuses("ended").items()} == {"seed-0": "finished"}


def test_a_signal_to_a_run_that_diverges_is_not_forgotten():
    def told(then) -> None:
        with Interrupts(5) as interrupts:
            os.kill(os.getpid(), signal.SIGTERM)
            then(interrupts)

    def diverge(_) -> None:
        raise Diverged("loss not finite")

    with pytest.raises(Diverged):
        told(diverge)
    assert late().exit_code == 143
    assert late() is None
    with pytest.raises(Interrupted):
        told(lambda interrupts: interrupts(1, None))
    assert late() is None  # it was heard
    Path("report-0.json").write_text('{"value": 2.5}')  # of the first of several processes that train a run
    assert launch._verdict(Path(), [0, None], [signal.SIGTERM], Path("run")) == 2.5
    assert late().exit_code == 143


def test_a_process_that_was_told_to_end_begins_no_other_run(monkeypatch):
    monkeypatch.setattr(job_processes, "_stopped", None)
    assert job_processes.begin("run", "cpu", time.time()) is None
    job_processes.begin_no_more(Interrupted(signal.SIGTERM))
    assert job_processes.begin("run", "cpu", time.time()).exit_code == 143


def test_runs_in_processes_of_their_own_are_told_of_like_the_others(spawn):
    keys = ("optimizer=sgd", "loss=maximum_likelihood,hnge", "optimizer.lr=1e-3,1e30,-1", "steps=3", "log_every=1")
    for _ in range(2):
        process = spawn(*SWEEP, *keys, "name=joblib", *JOBLIB)
        _, err = process.communicate(timeout=600)
        assert process.returncode == 2, err
        table = err[err.index("outputs/sweeps/joblib: 1 of 4 finished") :]
        assert "failed: optimizer.lr=-1: must be greater than 0" in table
        assert "diverged: " in table
        assert "left out: loss=hnge: no such option" in table
        assert "loss-maximum_likelihood_optimizer.lr-0.001: begins" in err  # each line says whose it is
    assert err.count("finished already") == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_ctrl_c_or_a_hang_up_lets_runs_elsewhere_save_before_they_end_wherever_they_lie(spawn, number, code):
    there = "hydra.sweep.dir=${oc.env:PLACE,outputs}/sweeps/${name}"
    process = spawn(*SWEEP, "steps=100000", "checkpoint_every=0", "seed=0,1,2", "name=stopped", *JOBLIB, there)
    while len([s for s in statuses("stopped").values() if s["status"] == "running"]) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    time.sleep(0.5)
    process.send_signal(number)
    _, err = process.communicate(timeout=600)
    assert process.returncode == code, err
    found = statuses("stopped")
    assert [status["status"] for status in found.values()] == ["interrupted", "interrupted"]
    for name, status in found.items():
        assert Path(f"outputs/sweeps/stopped/{name}/checkpoints/step-{status['step']:09d}.pt").is_file()


@pytest.mark.parametrize("launcher", [(), JOBLIB], ids=["basic", "joblib"])
def test_runs_that_are_refused_are_not_finished_wherever_they_are(gan_train, launcher):
    assert gan_train(*SWEEP, "steps=2", "seed=0,1", "name=seeds").code == 0
    commands = written("seeds")
    assert [len(list(path.parent.iterdir())) for path in commands] == [3, 3]
    result = gan_train(*SWEEP, "steps=2", "seed=0,1", "name=seeds", "batch_size=4", *launcher)
    assert result.code == 2
    assert written("seeds") == commands
    assert "outputs/sweeps/seeds: 0 of 2 finished\n" in result.err
    assert "seed-1  refused: batch_size=4: the run in outputs/sweeps/seeds/seed-1 has 8: give" in result.err
    assert {status["status"] for status in statuses("seeds").values()} == {"finished"}


def test_a_mistaken_time_limit_is_that_of_a_run(gan_train):
    result = gan_train(*SWEEP, "steps=2", "time_limit=1h,abc", "name=limits")
    assert result.code == 2
    assert "failed: time_limit=abc: must be a length of time, such as 7h30m" in result.err
    assert {status["status"] for status in statuses("limits").values()} == {"finished", "failed"}


def test_a_run_for_which_no_time_is_left_is_told_of_and_counted():
    stood("a")
    stood("b", "interrupted", reason="time_limit=1h is up")
    late = [Outcome(Path("sweep", name).absolute(), 124, "time_limit=1h is up", "not begun") for name in "abc"]
    assert table(Path("sweep"), (), late).splitlines()[:4] == [
        "sweep: 1 of 3 finished",
        "  a  finished",
        "  b  interrupted: time_limit=1h is up",
        "  c  not begun: time_limit=1h is up",
    ]
    assert code_of_sweep(Path("sweep"), late) == 124
    assert code_of_sweep(Path("sweep"), [*late, Outcome(Path("sweep/d"), 3, "loss not finite")]) == 3
