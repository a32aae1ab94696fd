"""Runs of a sweep elsewhere: in jobs that are queued again, one to a GPU."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import TINY_POINTS, assert_same_run

from gan_cli.config.command import Command
from gan_cli.config.compose import compose_hydra
from gan_cli.config.library import Library
from gan_cli.sweeps import job_processes as workers

JOB = ("-m", *TINY_POINTS, "steps=600", "log_every=50", "checkpoint_every=0", "sample_every=0", "seed=3")


def status(run: str) -> dict:
    try:
        return json.loads(Path(f"outputs/sweeps/{run}/status.json").read_text())
    except FileNotFoundError:
        return {}


def signal_in_training(process, run: str) -> None:
    """Tells the job what Slurm tells it before its time is up."""
    while status(run).get("status") != "running" or not Path(f"outputs/sweeps/{run}/metrics.jsonl").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.kill(status(run)["pid"], signal.SIGUSR2)


def test_a_job_whose_time_is_up_saves_is_queued_again_and_goes_on(spawn, gan_train):
    assert gan_train(*JOB, "name=whole").code == 0
    process = spawn(*JOB, "name=again", "hydra/launcher=submitit_local")
    signal_in_training(process, "again/0")
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    told = Path("outputs/sweeps/again/0/train.log").read_text()
    stopped = re.search(r"interrupted at step (\d+), saved", told)
    assert stopped, told
    assert f"continuing outputs/sweeps/again/0 from step {stopped[1]}" in told
    assert_same_run(Path("outputs/sweeps/whole/0"), Path("outputs/sweeps/again/0"))


SBATCH = """#!{python}
# A stand-in for Slurm's sbatch: one job after the other, on this machine, again as often as scontrol asks for it.
import os, pathlib, re, subprocess, sys
script = pathlib.Path(sys.argv[-1])
pathlib.Path("sbatch.txt").write_text(script.read_text())
print("Submitted batch job 7", flush=True)
array = re.search(r"--array=0-(\\d+)", script.read_text())
if os.fork() == 0:
    os.setsid()
    os.dup2(os.open("slurm.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
    os.dup2(1, 2)
    for task in range(int(array[1]) + 1) if array else [None]:
        ids = {{}} if task is None else {{"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": str(task)}}
        again = pathlib.Path("again")
        again.touch()
        while again.exists():
            again.unlink()
            subprocess.run(["bash", script], env={{**os.environ, **ids, "SLURM_JOB_ID": "7"}})
"""
SRUN = """#!{python}
import os, sys
command = sys.argv[sys.argv.index(sys.executable) :]
os.execv(command[0], command)
"""


@pytest.fixture
def slurm(monkeypatch):
    """``sbatch``, ``srun``, ``scontrol`` and ``sacct`` that run jobs here."""
    Path("bin").mkdir()
    scripts = {"sbatch": SBATCH, "srun": SRUN, "scontrol": "#!/bin/sh\n[ $1 = requeue ] && touch again\n"}
    scripts["sacct"] = "#!/bin/sh\necho 'JobID|State|NodeList'\necho '7|RUNNING|here'\n"
    for name, text in scripts.items():
        file = Path("bin", name)
        file.write_text(text.format(python=sys.executable) if "{python}" in text else text)
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{Path('bin').resolve()}:{os.environ['PATH']}")


def test_a_slurm_job_is_asked_for_and_queued_again_as_the_shipped_launcher_says(slurm, spawn, gan_train):
    assert gan_train(*JOB, "name=whole").code == 0
    process = spawn(*JOB, "name=slurm", "hydra/launcher=slurm", "hydra.launcher.partition=gpu")
    signal_in_training(process, "slurm/0")
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    asked = Path("sbatch.txt").read_text()
    for line in ("gpus-per-node=1", "ntasks-per-node=1", "time=240", "signal=USR2@180", "requeue", "partition=gpu"):
        assert f"#SBATCH --{line}" in asked
    assert "continuing outputs/sweeps/slurm/0" in Path("outputs/sweeps/slurm/0/train.log").read_text()
    assert_same_run(Path("outputs/sweeps/whole/0"), Path("outputs/sweeps/slurm/0"))


def test_the_slurm_launcher_may_be_queued_again_often():
    launcher, _ = compose_hydra(Command(["-m"], ["hydra/launcher=slurm"]), Library())
    assert launcher["_target_"].endswith("SlurmLauncher")
    assert launcher["max_num_timeout"] >= 10
    assert launcher["additional_parameters"] == {"requeue": True}


def test_each_worker_takes_a_gpu_of_its_own(monkeypatch):
    taken: list[int] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    for worker in range(1, 7):
        workers.take_gpu("auto", f"LokyProcess-{worker}")
    assert taken == [0, 1, 2, 3, 0, 1]
    workers.take_gpu("cuda:2", "LokyProcess-1")
    workers.take_gpu("cpu", "LokyProcess-1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    workers.take_gpu("cuda", "LokyProcess-1")
    assert len(taken) == 6


def test_as_many_runs_at_once_as_there_are_gpus(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2,5")
    assert workers.runs_at_once() == 3
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr("joblib.cpu_count", lambda: 64)
    assert workers.runs_at_once() == 8
