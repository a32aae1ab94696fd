"""Promise 6: run folders of released versions load, sample, evaluate, report and resume.

``old_runs/<version>/<name>`` was trained for 8 steps by that version and has the checkpoints of steps 4 and 8.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import metrics_in, state_in, tensors

import gan_cli
from gan_cli import cli
from gan_cli.commands.report.command import main as report
from gan_cli.commands.tool import EVALUATION

OLD = sorted(path for path in Path(__file__).parents[1].glob("old_runs/*/*") if path.is_dir())
COMMANDS = {
    "mlp": "architecture=mlp architecture.generator.hidden=[16] architecture.discriminator.hidden=[16] dataset.size=8 "
    "dataset.limit=64 prior.size=4 batch_size=8 discriminator.steps=2 steps=4",
    "dcgan": "architecture.width=4 dataset.size=8 dataset.limit=200 prior.size=4 batch_size=8 conditional=true "
    "penalty=r1 penalty.r1.weight=0.1 penalty.r1.interval=2 ema_half_life=50 steps=4",
}


@pytest.fixture(params=OLD, ids=lambda path: f"{path.parent.name}-{path.name}")
def old(request, tmp_path):
    """A copy of an old run folder, in the current one."""
    return Path(shutil.copytree(request.param, tmp_path / request.param.name).name)


def test_an_old_run_goes_on_to_where_it_went(gan_train, old):
    """To the same weights: the old version's own, but for the order of sums on another processor."""
    wanted = torch.load(old / "checkpoints/step-000000008.pt", weights_only=True)
    lines = metrics_in(old)
    (old / "checkpoints/step-000000008.pt").unlink()
    (old / "checkpoints/best.pt").unlink(missing_ok=True)
    assert gan_train(f"resume={old}", "device=cpu").code == 0
    found = state_in(old)
    assert found["step"] == 8
    for part in ("networks", "ema", "players"):
        ours, theirs = tensors(found[part]), tensors(wanted[part])
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            torch.testing.assert_close(value, theirs[name], rtol=2e-4, atol=2e-6, msg=f"{part}{name}")
    again = metrics_in(old)
    assert [line["step"] for line in again] == [line["step"] for line in lines]
    trained = [line for line in lines if "loss/generator" in line]
    for ours, theirs in zip((line for line in again if "loss/generator" in line), trained, strict=True):
        assert ours.keys() >= theirs.keys()
        np.testing.assert_allclose([ours[key] for key in theirs], list(theirs.values()), rtol=1e-3, atol=1e-5)


def test_an_old_run_is_the_run_that_the_same_command_gives_today(gan_train, old):
    """Of its first steps, by which the data, the order of draws and the initialisation are known to be the same."""
    plain = "experiment=lecture"  # what no preset was then
    assert gan_train(plain, *COMMANDS[old.name].split(), "device=cpu", "hydra.run.dir=today").code == 0
    wanted = torch.load(old / "checkpoints/step-000000004.pt", weights_only=True)
    ours, theirs = tensors(state_in(Path("today"))["networks"]), tensors(wanted["networks"])
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=2e-4, atol=2e-6)


def test_an_old_run_is_loaded_sampled_evaluated_and_reported(gan_sample, old):
    state = state_in(old)
    loaded = gan_cli.load(old)
    assert loaded.network.state_dict().keys() == (state["ema"] or state["networks"]["generator"]).keys()
    pictures = loaded.sample(3, seed=5)
    assert pictures.shape == (3, 1, 8, 8)
    assert gan_sample(f"checkpoint={old}", "seeds=5-7", "format=npz", "out=some.npz").code == 0
    drawn = np.load("some.npz")["images"]
    np.testing.assert_allclose(drawn, (pictures.numpy() + 1) * 127.5, atol=0.51)
    keys = [f"checkpoint={old}", "extractor=pixels", "count=64", "metrics=[sliced_wasserstein,discriminator]"]
    assert cli._exit_code(lambda: EVALUATION.main([*keys, "out=found.json"]), "gan-eval") == 0
    assert {"sliced_wasserstein", "D_accuracy/training"} <= json.loads(Path("found.json").read_text())["metrics"].keys()
    assert cli._exit_code(lambda: report([str(old), "--format", "json"]), "gan-report") == 0


def test_there_are_old_runs():
    assert {path.name for path in OLD} == set(COMMANDS)
