"""The functions for notebooks do what the commands do."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from conftest import TINY_DCGAN, TINY_POINTS, assert_same_run

import gan_cli
from gan_cli.errors import UserError
from gan_cli.python import Stopped
from gan_cli.runs.observers.log import Log
from gan_cli.training import cpu
from gan_cli.training.switches import Switches


def settings() -> tuple:
    root = logging.getLogger()
    drawn = torch.get_rng_state().tolist(), vars(Switches())
    environment = os.environ.get("HYDRA_FULL_ERROR"), os.getcwd()  # noqa: PTH109
    return list(root.handlers), root.level, list(sys.argv), *environment, *drawn


def test_train_is_the_command(gan_train, monkeypatch):
    monkeypatch.setattr(cpu, "cpuinfo", lambda field: "AuthenticAMD")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    before = settings()
    keys = {"steps": 4, "penalty": ["r1"], "log_every": 2, "sample_every": 2, "deterministic": True}
    run = gan_cli.train(*TINY_DCGAN, "hydra.run.dir=here", keys)
    assert settings() == before
    assert repr(run) == "Run(here: finished)"
    typed = ("steps=4", "penalty=[r1]", "log_every=2", "sample_every=2", "deterministic=true")
    assert gan_train(*TINY_DCGAN, *typed, "hydra.run.dir=there").code == 0
    assert run.folder == Path("here").absolute()
    assert_same_run(Path("here"), Path("there"))
    assert json.loads(Path("here/status.json").read_text())["config"] == run.status["config"]
    assert run.status["status"] == "finished"
    assert [record["step"] for record in run.metrics] == [2, 4]
    assert run.best is None
    before = settings()
    assert run.load().sample(3, seed=1).shape == (3, 1, 8, 8)
    assert run.load().discriminator(torch.zeros(3, 1, 8, 8), None).shape == (3,)
    assert settings() == before
    assert run._repr_png_() == Path("here/samples/step-000000004.png").read_bytes()


def test_values_are_what_they_would_be_if_typed():
    keys = {
        "optimizer.lr": 1e-4,
        "batch_size": {0: 8, 16: 16},
        "augment": ["color"],
        "conditional": True,
        "watch": None,
    }
    config = gan_cli.compose(*TINY_DCGAN, keys, seed=3)
    assert config["optimizer"]["lr"] == 1e-4
    assert config["batch_size"] == {0: 8, 16: 16}
    assert config["augment"] == ["color"]
    assert config["conditional"] is True
    assert config["watch"] is None
    assert config["seed"] == 3
    named = gan_cli.compose({"dataset": "image_folder", "dataset.path": Path("pictures (1), ü")})
    assert named["dataset"]["path"] == "pictures (1), ü"


def test_mistakes_are_exceptions_with_the_same_lines():
    for function in (gan_cli.train, gan_cli.compose):
        with pytest.raises(UserError) as caught:
            function(optimizer="sdg", stepz=100)
        assert [line.partition(": ")[0] for line in caught.value.problems] == ["optimizer=sdg", "stepz=100"]
        assert caught.value._render_traceback_() == [
            f"UserError: {line}" for line in caught.value.problems
        ]  # IPython's
    with pytest.raises(ValueError, match="-m: is a flag of the command line"):
        gan_cli.train("-m", "seed=0,1")
    with pytest.raises(ValueError, match="seed=0,1: several values make a sweep"):
        gan_cli.train("seed=0,1")
    with pytest.raises(ValueError, match="dry_run=true: trains nothing"):
        gan_cli.train(*TINY_POINTS, dry_run=True)
    assert not Path("outputs").exists()


def test_what_was_interrupted_is_saved_and_goes_on():
    def interrupt():
        while not list(Path().glob("run/checkpoints/step-0000000*.pt")):
            time.sleep(0.01)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt, match="interrupted, and saved") as caught:
        gan_cli.train(*TINY_POINTS, "hydra.run.dir=run", steps=1_000_000, checkpoint_every=0, sample_every=0)
    thread.join()
    assert isinstance(caught.value, Stopped)
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
    stopped = caught.value.run
    assert stopped.status["status"] == "interrupted"
    run = gan_cli.train(resume=stopped.folder, steps=stopped.status["step"] + 3)
    assert run.folder == stopped.folder
    assert run.status["status"] == "finished"


def test_a_script_in_a_job_that_is_queued_again_goes_on_behind_the_runs_that_are_finished(monkeypatch):
    def script(steps: int) -> list[gan_cli.Run]:
        keys = (*TINY_POINTS, "sample_every=0", "hydra.run.dir=runs/${now:%H-%M-%S-%f}")
        return [gan_cli.train(*keys, f"steps={steps}", f"seed={seed}") for seed in (0, 1)]

    monkeypatch.setenv("SLURM_JOB_ID", "7")
    first = script(2)
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert script(2) == first
    assert [run.status["status"] for run in first] == ["finished", "finished"]
    assert len(list(Path("runs").iterdir())) == 2


def test_ctrl_c_in_the_last_step_ends_a_script_once_the_run_is_finished(monkeypatch):
    write = Log.write

    def told(self, step):
        write(self, step)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Log, "write", told)
    with pytest.raises(Stopped, match=r"interrupted as it ended: Run\(run: finished"):
        gan_cli.train(*TINY_POINTS, "hydra.run.dir=run", steps=2, log_every=2, sample_every=0)


def test_evaluate_is_gan_eval(trained, gan_eval):
    folder = trained(*TINY_POINTS)
    found = gan_cli.evaluate(gan_cli.Run(folder), "kernel", count=200, seed=1)
    assert gan_eval(f"checkpoint={folder}", "metrics=kernel", "count=200", "seed=1", "out=found.json").code == 0
    assert found == json.loads(Path("found.json").read_text())["metrics"]
    with pytest.raises(UserError, match="metrics=fid: no such option: here it is metrics=frechet"):
        gan_cli.evaluate(folder, "fid")


def test_a_time_limit_is_no_error():
    run = gan_cli.train(*TINY_POINTS, steps=1_000_000, time_limit="3s", checkpoint_every=0, sample_every=0)
    assert run.status["status"] == "interrupted"
    assert "time_limit=3s" in run.status["reason"]
