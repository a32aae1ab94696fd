"""How fast is it? The training step of real models, as ``gan-bench`` times it, in turns."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.profiler import ProfilerActivity, profile

from gan_cli.commands.bench.contender import Contender, advance
from gan_cli.commands.bench.gpu_check.training import config_of
from gan_cli.commands.bench.table import Row
from gan_cli.commands.bench.turns import of_contender
from gan_cli.commands.bench.variants import Variant
from gan_cli.config.library import Library
from gan_cli.errors import first_line
from gan_cli.training.capture import Recorder
from gan_cli.training.cuda_graphs import Machine
from gan_cli.training.devices import synchronize

DCGAN_64 = ("dataset.size=64", "dataset.channels=3", "architecture.width=64", "prior.size=100")
MODELS = {  # name → keys
    "dcgan-64": DCGAN_64,
    "dcgan-64, wgan-gp": (*DCGAN_64, "loss=wasserstein", "loss.clip=0", "penalty=gradient_penalty"),
    "dcgan-64, r1": (*DCGAN_64, "penalty=r1"),
    "mlp": ("architecture=mlp", "dataset.size=28"),
}
CELLS = (  # model, batch size, precision; the most telling first
    *(("dcgan-64", size, "bf16") for size in (128, 512, 2048)),
    ("dcgan-64, r1", 128, "bf16"),
    ("mlp", 128, "fp32"),
    *(("dcgan-64", 128, precision) for precision in ("tf32", "fp32")),
    ("dcgan-64, wgan-gp", 128, "bf16"),
    *((model, 512, "bf16") for model in ("dcgan-64, r1", "dcgan-64, wgan-gp")),
    *(("dcgan-64", size, "tf32") for size in (512, 2048)),
    ("mlp", 512, "fp32"),
    *((model, 128, "tf32") for model in ("dcgan-64, r1", "dcgan-64, wgan-gp", "mlp")),
    *(("dcgan-64", size, "fp32") for size in (512, 2048)),
)
MODES = {"eager": ("capture=false",), "captured": ("capture=true",), "compiled": ("compile=true", "capture=false")}


def kernels(one: Contender, steps: int = 4) -> float:
    """The number of kernels that a step launches on a GPU; on a CPU, of operations."""
    device = one.setup.device
    cuda = device.type == "cuda"
    with profile(activities=[ProfilerActivity.CUDA if cuda else ProfilerActivity.CPU]) as trace:
        advance(one.setup, one.next(steps), one.executor)
        synchronize(device)
    kind = torch.autograd.DeviceType.CUDA if cuda else torch.autograd.DeviceType.CPU
    return sum(event.count for event in trace.key_averages() if event.device_type == kind) / steps


def timed(
    keys: Sequence[str],
    modes: Sequence[str],
    device: torch.device,
    machine: Machine | None,
    rounds: int,
    seconds: float,
) -> list[Row]:
    """One record for each mode of a config; the modes take turns.

    Args:
        machine: records moves; by default like a run.
        rounds: turns of each mode, of about ``seconds``.
    """
    racers: dict[str, Contender] = {}
    records: dict[str, Row] = {mode: {"mode": mode} for mode in modes}
    for mode in modes:
        recorder = Recorder(machine, strict=True) if machine and mode == "captured" else None
        try:
            config = config_of(keys if recorder else (*keys, *MODES[mode]), device)
            racers[mode] = Contender(Variant(mode, config), Library(), recorder)
        except Exception as error:
            records[mode]["refused"] = first_line(error)
    rates: dict[str, list[float]] = {mode: [] for mode in racers}
    for _ in range(rounds):
        for mode, racer in racers.items():
            rates[mode].append(racer.turn(seconds))
    for mode, racer in racers.items():
        records[mode] |= {**of_contender(racer, rates[mode]), "kernels": kernels(racer)}
    return list(records.values())
