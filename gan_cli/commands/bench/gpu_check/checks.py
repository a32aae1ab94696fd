"""Checks of correctness on small games, with deterministic kernels."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial

import torch

from gan_cli.commands.bench.gpu_check.training import MLP, Training
from gan_cli.data.ahead import Ahead, OnDevice, OnHost
from gan_cli.errors import first_line
from gan_cli.training.cuda_graphs import Machine
from gan_cli.training.precision import refusal
from gan_cli.training.state import restore, state_of

SMALL = ("dataset.size=16", "dataset.limit=256", "prior.size=16", "batch_size=32", "deterministic=true")
CHECKED = {
    "mlp": (*MLP, "schedule=cosine", "schedule.duration=20"),
    "dcgan, flips, k=2": ("architecture.width=8", "dataset.flip=true", "discriminator.steps=2"),
    "spectral norm, noise": (
        "architecture.width=8",
        "architecture.discriminator.norm=spectral",
        "instance_noise.sigma=0.2",
        "instance_noise.images=500",
    ),
    "r1 and r2, now and then": (*MLP, "loss=relativistic", "penalty=[r1,r2]", "penalty.r1.interval=4"),
    "wgan-gp": ("architecture.width=8", "loss=wasserstein", "loss.clip=0", "penalty=gradient_penalty"),
    "wgan, rmsprop": (*MLP, "loss=wasserstein", "optimizer=rmsprop"),
    "augmented, conditional": ("architecture.width=8", "augment=[color,translation,cutout]", "conditional=true"),
    "extragradient": (*MLP, "updates=extragradient"),
    "bf16": ("architecture.width=8", "precision=bf16"),
    "fp16": ("architecture.width=8", "precision=fp16"),
}


Check = Callable[[torch.device, "Machine | None"], "str | None"]


def checks(games: Sequence[str], device: torch.device) -> dict[str, Check]:
    """The checks for a device, the most important first; each returns what is wrong, or None."""
    found: dict[str, Check] = {}
    for what, test in (("recorded", _recorded), ("resumed", _resumed), ("never waits", _never_waits)):
        for name in games:
            keys = (*SMALL, *CHECKED[name])
            if "precision=fp16" not in keys or not refusal("fp16", device):
                found[f"{what}: {name}"] = partial(test, keys)
    found["pack larger than the GPU"] = partial(_prefetched, (*SMALL, *CHECKED["dcgan, flips, k=2"]))
    return found


def told(check: Check, device: torch.device, machine: Machine | None) -> str:
    """``ok``, or what a check found instead."""
    try:
        return check(device, machine) or "ok"
    except Exception as error:  # one that fails must not keep the others from being tried
        return f"{type(error).__name__}: {first_line(error)}"


def _compared(one: dict[str, bytes], other: dict[str, bytes]) -> str | None:
    different = [name for name in one if one[name] != other.get(name)]
    return f"{len(different)} of {len(one)} tensors differ, such as {different[0]}" if different else None


def _recorded(keys: Sequence[str], device: torch.device, machine: Machine | None) -> str | None:
    eager, recorded = Training(keys, device, None), Training(keys, device, machine)
    for one in (eager, recorded):
        one.run(24)
    return _compared(eager.bits(), recorded.bits())


def _resumed(keys: Sequence[str], device: torch.device, machine: Machine | None) -> str | None:
    whole, parts, rest = (Training(keys, device, machine) for _ in range(3))
    whole.run(24)
    parts.run(13)
    rest.step = restore(rest.setup, state_of(parts.setup, parts.step))
    rest.run(11)
    return _compared(whole.bits(), rest.bits())


def _never_waits(keys: Sequence[str], device: torch.device, machine: Machine | None) -> str | None:
    one = Training(keys, device, machine)
    one.run(12)  # chooses kernels, records
    if device.type != "cuda":
        one.run(12)
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls the mode a prototype
        torch.cuda.set_sync_debug_mode("error")
        try:
            one.run(12)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return None


def _prefetched(keys: Sequence[str], device: torch.device, machine: Machine | None) -> str | None:
    direct, ahead = Training(keys, device, machine), Training(keys, device, machine)
    batches = ahead.setup.minibatches
    batches.values = batches.values.cpu()
    kind: type[Ahead] = OnDevice if device.type == "cuda" else OnHost
    batches._ahead, batches._orders = kind(device), {}
    for one in (direct, ahead):
        one.run(24)
    return _compared(direct.bits(), ahead.bits())
