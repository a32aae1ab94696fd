"""What a checkpoint claims is looked at before anything is allocated, made or trained; each answer is one line."""

from __future__ import annotations

import copy
import random
import re
import shutil
from pathlib import Path

import pytest
import torch
from conftest import TINY_DCGAN, TINY_MLP, TINY_POINTS, state_in
from fuzz_checkpoints import JUNK, mutated, places, save

from gan_cli.config.library import Library
from gan_cli.config.schema import from_saved
from gan_cli.errors import UserError
from gan_cli.runs import checkpoint
from gan_cli.training.fits import require_state

STEP = "step-000000002.pt"


@pytest.mark.parametrize("keys", [(*TINY_MLP, "ema_half_life=100"), (*TINY_POINTS, "updates=optimistic")])
def test_junk_in_any_place_is_one_line_or_nothing(trained, tmp_path, keys):
    """Of 30 mutations; ``fuzz_checkpoints.py`` resumes from each of as many as one likes."""
    state, draw, library = state_in(trained(*keys)), random.Random(0), Library()
    every, refused = list(places(state)), []
    for _ in range(30):
        place, kind = draw.choice(every), draw.choice(list(JUNK))
        save(mutated(state, place, kind), tmp_path / STEP)
        try:
            found = checkpoint.load(tmp_path / STEP)
            require_state(from_saved(found["config"], library), library, found, "resume=…")
        except UserError as error:
            refused.append(error.problems)
    assert all(line.isprintable() and len(line) < 700 for lines in refused for line in lines)
    assert len(refused) > 20


CLAIMS = {
    "format": (("format",), torch.zeros(2, dtype=torch.float64), "not a checkpoint of this version"),
    "step": (("step",), -5, "step=-5: must be at least 0"),
    "log": (("log", "counts"), {"a": "b"}, "log.counts.a=b: must be a whole number"),
    "key": (("players", "generator", "optimizer", "param_groups", 0, "weigxt_decay"), 0.1, "weigxt_decay"),
    "betas": (("players", "generator", "optimizer", "param_groups", 0, "betas"), ["a", "b"], "betas is a list"),
    "width": (("config", "architecture", "generator", "hidden"), [10**12], "weights do not fit its config"),
    "prior": (("config", "prior", "size"), 10**9, "weights do not fit its config"),
    "steps": (("config", "steps"), 10**12, "steps=1000000000000: must be at most 999999999"),
    "samples": (("config", "sample_count"), 10**7, "sample_count=10000000: must be at most 10000"),
    "devices": (("config", "devices"), 64, "devices=64"),
    "shape": (("data", "shape"), [10**6, 8, 8], "its samples are (1000000, 8, 8), and those of dataset=digits are"),
    "resolver": (("config", "watch"), "${oc.env:HOME}", "refers to other values"),
}


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS.keys())
def test_what_a_checkpoint_claims_is_refused_in_a_line(gan_train, trained, claim):
    path, value, expected = claim
    run = Path(shutil.copytree(trained(*TINY_MLP), "run"))
    state = copy.deepcopy(state_in(run))
    node = state
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    torch.save(state, run / "checkpoints" / STEP)
    before = sorted(run.rglob("*"))
    result = gan_train(f"resume={run}/checkpoints/{STEP}", *([] if path[-1] == "steps" else ["steps=4"]))
    assert (result.code, len(result.errors)) == (2, 1), result.err
    assert expected in result.errors[0]
    assert sorted(run.rglob("*")) == before


def test_a_shape_of_a_million_channels_is_not_believed(gan_sample, trained):
    run = Path(shutil.copytree(trained(*TINY_DCGAN), "run"))
    state = state_in(run)
    torch.save({**state, "data": {**state["data"], "shape": [10**6, 8, 8]}}, run / "checkpoints" / STEP)
    result = gan_sample("checkpoint=run", "n=1")
    assert (result.code, len(result.lines)) == (2, 1)
    assert "its samples are (1000000, 8, 8), and those of dataset=digits are (1, 8, 8)" in result.lines[0]


def test_no_folder_is_made_because_a_checkpoint_names_it(gan_train, trained):
    run = Path(shutil.copytree(trained(*TINY_MLP), "run"))
    state, there = state_in(run), Path("elsewhere/data")
    config = {**state["config"], "dataset": {**state["config"]["dataset"], "name": "mnist", "root": str(there)}}
    torch.save({**state, "config": config}, run / "checkpoints" / STEP)
    result = gan_train("resume=run", "steps=4")
    assert (result.code, len(result.errors)) == (2, 1)
    assert f"dataset.root={there}: comes from the checkpoint, and is not there: type dataset.root=" in result.errors[0]
    assert not there.parent.exists()


TOO_LARGE = {
    "prior.size=1e12": (TINY_MLP, "architecture=mlp: its generator of 16,000,000,001,104 weights: "),
    "architecture.width=1e12": (TINY_DCGAN, "architecture=dcgan: its generator of "),
    "architecture.width=1e17": (TINY_DCGAN, "architecture=dcgan: its networks have more weights than can be counted"),
    "batch_size=1e11": (TINY_MLP, "batch_size=100000000000: "),
    "sample_count=1e7": (TINY_MLP, "sample_count=10000000.0: must be at most 10000"),
    "dataset.points=1e12": (TINY_POINTS, "dataset=ring: "),
    "dataset.modes=1e12": (TINY_POINTS, "dataset=ring: "),
    "devices=64": ((*TINY_MLP, "batch_size=64"), "devices=64: without as many GPUs they share this machine's "),
    "steps=1e12": (TINY_MLP, "steps=1000000000000.0: must be at most 999999999"),
}


@pytest.mark.parametrize("key", TOO_LARGE)
def test_what_cannot_fit_is_refused_before_it_is_allocated(gan_train, key):
    base, expected = TOO_LARGE[key]
    result = gan_train(*base, *(["steps=2"] if "steps" not in key else []), key)
    assert (result.code, len(result.errors)) == (2, 1), result.err
    assert expected in result.errors[0]
    assert not list(Path().iterdir())


GREEDY = """
import torch

class Greedy:
    def discriminator(self, real_logits, fake_logits):
        return (real_logits - fake_logits).mean() + torch.empty(10**13).sum()

    def generator(self, fake_logits, real_logits=None):
        return fake_logits.mean()
"""


def test_memory_that_runs_out_is_a_line(gan_train):
    Path("mine/loss").mkdir(parents=True)
    Path("mine/loss/greedy.yaml").write_text("name: greedy\nclass: greedy.Greedy\n")
    Path("greedy.py").write_text(GREEDY)
    result = gan_train(*TINY_MLP, "loss=greedy", "--config-dir", "mine", "steps=2")
    assert (result.code, len(result.errors)) == (2, 1), result.err
    assert re.fullmatch(
        r"gan-train: error: batch_size=8: out of memory \(3.73e\+04 GiB could not be had; \d+\.\d GiB were held\): "
        "use accumulate=2, activation_checkpointing=true, a smaller batch_size, smaller networks or precision=bf16",
        result.errors[0],
    )
    assert not list(Path("outputs").glob("*/*"))
