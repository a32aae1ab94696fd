"""What a GPU must do; skipped where there is none. ``python -m gan_cli.gpu_check`` says more, and times it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from conftest import TINY_DCGAN, TINY_MLP, assert_same_run, state_in, tensors
from tape import Tape

from gan_cli.commands.bench.gpu_check import command
from gan_cli.commands.bench.gpu_check.checks import CHECKED, checks, told
from gan_cli.training.cuda_graphs import CUDAGraphs, own_stream

on_a_gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
GAMES = {"mlp": (*TINY_MLP, "penalty=r1", "penalty.r1.interval=2"), "dcgan": (*TINY_DCGAN, "dataset.flip=true")}


def gpu(test):
    for mark in on_a_gpu:
        test = mark(test)
    return test


def test_the_check_of_a_gpu_runs_to_its_end(capsys, monkeypatch):
    """On a CPU, with a stand-in for CUDA graphs, and without the compiler, which takes a minute."""
    monkeypatch.delitem(command.MODES, "compiled")
    tape = Tape()
    assert command.main(["--tiny", "--device", "cpu"], tape) == 0
    assert tape.replays > 0
    result = json.loads(Path("gpu_check.json").read_text())
    assert len(result["checks"]) == 4
    assert set(result["checks"].values()) == {"ok"}
    assert {record["mode"] for record in result["timings"]} == {"eager", "captured"}
    assert all(record["images_per_second"]["median"] > 0 for record in result["timings"])
    assert all(record["kernels"] > 0 and record["share_of_peak"] > 0 for record in result["timings"])
    out = capsys.readouterr().out
    assert out.count("captured") == len(result["timings"]) / 2


def test_the_check_of_a_gpu_stops_in_time_and_keeps_what_it_has(capsys, monkeypatch):
    clock = iter(range(0, 10_000, 20))
    monkeypatch.setattr(command.time, "monotonic", lambda: float(next(clock)))
    assert command.main(["--tiny", "--device", "cpu", "--minutes", "1.5"], Tape()) == 0
    result = json.loads(Path("gpu_check.json").read_text())
    assert 0 < len(result["checks"]) < 4
    assert result["timings"] == []
    out = capsys.readouterr().out
    assert f"no time left for {4 - len(result['checks'])} of 4 checks, such as" in out
    assert "no time left for 1 of 1 configs eager and captured" in out


def test_the_check_of_a_gpu_finds_what_is_wrong(monkeypatch):
    from gan_cli.training import capture

    monkeypatch.setattr(capture.Recording, "fill", lambda self, rows, labels, strengths: None)
    device = torch.device("cpu")
    found = {name: told(check, device, Tape()) for name, check in checks(["mlp"], device).items()}
    assert "tensors differ" in found["recorded: mlp"]
    assert found["never waits: mlp"] == "ok"


@gpu
@pytest.mark.parametrize("game", CHECKED)
def test_recorded_moves_are_the_moves_resume_exactly_and_never_wait(game):
    device = torch.device("cuda")
    with own_stream(device):
        found = {name: told(check, device, CUDAGraphs()) for name, check in checks([game], device).items()}
    assert set(found.values()) == {"ok"}, found


@gpu
@pytest.mark.parametrize("game", GAMES.values(), ids=GAMES.keys())
def test_recorded_runs_are_eager_runs_and_resume_exactly(gan_train, game):
    cuda = (*game, "device=cuda", "deterministic=true", "checkpoint_every=4", "log_every=3")
    assert gan_train(*cuda, "capture=true", "steps=13", "hydra.run.dir=whole").code == 0
    assert gan_train(*cuda, "capture=true", "steps=7", "hydra.run.dir=parts").code == 0
    assert gan_train("resume=parts", "steps=13").code == 0
    assert_same_run(Path("whole"), Path("parts"))
    assert gan_train(*cuda, "capture=false", "steps=13", "hydra.run.dir=eager").code == 0
    assert_same_run(Path("whole"), Path("eager"))


@gpu
def test_watching_never_changes_recorded_training(gan_train):
    cuda = (*TINY_DCGAN, "device=cuda", "deterministic=true", "capture=true", "steps=9")
    blind = ("log_every=0", "sample_every=0", "checkpoint_every=0")
    watched = ("log_every=1", "sample_every=1", "checkpoint_every=1")
    assert gan_train(*cuda, *blind, "hydra.run.dir=blind").code == 0
    assert gan_train(*cuda, *watched, "hydra.run.dir=watched").code == 0
    blind, watched = (tensors(state_in(Path(name))["networks"]) for name in ("blind", "watched"))
    assert all(torch.equal(blind[name], watched[name]) for name in blind)


@gpu
def test_a_run_goes_on_from_the_gpu_to_the_cpu_and_back(gan_train):
    assert gan_train(*TINY_MLP, "device=cuda", "capture=true", "steps=6", "hydra.run.dir=run").code == 0
    assert gan_train("resume=run", "device=cpu", "capture=auto", "steps=8").code == 0
    assert gan_train("resume=run", "device=cuda", "steps=14").code == 0
    assert state_in(Path("run"))["step"] == 14
