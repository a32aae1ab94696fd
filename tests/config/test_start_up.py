"""What imports what: what is left out so that a run starts sooner, and that it changes nothing; and the rooms."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import MODELS, TINY_DCGAN, TINY_MLP, TINY_PROGRESSIVE, TINY_R3GAN, TINY_RESNET, tensors

import gan_cli
from gan_cli.training.optimizers import light

ROOMS = (  # each may import those after it
    *("commands", "sweeps", "parallel", "ensemble", "runs", "training", "metrics", "games", "models", "losses", "data"),
    *("config", "output"),
)

PROGRAM = """
import json, sys
from gan_cli import cli
for number, keys in enumerate(json.loads(sys.argv[1])):
    cli._train([*keys, "steps=1", "device=cpu", f"hydra.run.dir={sys.argv[2]}/{number}"])
print([name for name in ("torch._dynamo", "torch._inductor", "torchvision", "matplotlib") if name in sys.modules])
"""


def test_a_run_imports_neither_the_compiler_nor_what_draws(tmp_path):
    """Of every shipped architecture, however it draws its first weights."""
    every = (TINY_MLP, TINY_DCGAN, TINY_RESNET, TINY_R3GAN, TINY_PROGRESSIVE, MODELS["fvsbn"])
    arguments = [json.dumps(every), str(tmp_path)]
    environment = {**os.environ, "HYDRA_FULL_ERROR": "1"}
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (torch.optim.Adam, {"fused": True, "betas": (0.5, 0.999)}),
        (torch.optim.AdamW, {"fused": True}),
        (torch.optim.RMSprop, {"foreach": True, "momentum": 0.5}),
        (torch.optim.SGD, {"fused": True, "momentum": 0.5}),
    ],
)
def test_the_light_optimizers_take_the_steps_of_torchs_own(kind, options):
    weights = [torch.linspace(-1, 1, 12, requires_grad=True) for _ in range(2)]
    ours, theirs = light(kind)([weights[0]], lr=0.1, **options), kind([weights[1]], lr=0.1, **options)
    for _ in range(3):
        for weight, optimizer in zip(weights, (ours, theirs), strict=True):
            optimizer.zero_grad()
            (weight**4).sum().backward()
            optimizer.step()
    assert torch.equal(*weights)
    assert not weights[0].grad_fn
    one, other = tensors(ours.state_dict()["state"]), tensors(theirs.state_dict()["state"])
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    ours.load_state_dict(theirs.state_dict())


def test_no_room_imports_one_above_it():
    house, upwards = Path(gan_cli.__file__).parent, []
    for file in house.rglob("*.py"):
        if (room := file.relative_to(house).parts[0]) not in ROOMS:
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            parts = (node.module or "").split(".") if isinstance(node, ast.ImportFrom) else []
            if parts[:1] == ["gan_cli"] and parts[1:2] and parts[1] in ROOMS[: ROOMS.index(room)]:
                upwards.append(f"{file.relative_to(house)}: {node.module}")
    assert not upwards
