"""The keys about the machine, and rules about their combinations."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from gan_cli.config.mistakes import shown
from gan_cli.config.options import Chosen, Count, Options, Whole, sizes_of


def known_device(value: str) -> str:
    """Raises ValueError if ``value`` is no name of a device."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value):
        raise ValueError("must be auto, cpu, mps, or for a GPU cuda, cuda:0, cuda:1, …")
    return value


class MachineKeys(Options):
    """The machine."""

    device: Annotated[str, AfterValidator(known_device)]
    devices: Count
    sync_batchnorm: bool
    accumulate: Count
    activation_checkpointing: bool
    precision: Literal["fp32", "tf32", "bf16", "fp16", "auto"]
    capture: Literal["auto", True, False]
    compile: bool
    deterministic: bool
    ensemble: Annotated[Whole, Field(le=10_000)]  # each leaves a folder


ALONE = {  # values that an ensemble does not support, the reason, and a supported value
    "precision": (("bf16", "fp16", "auto"), "small games gain nothing by it", "fp32"),
    "capture": ((True,), "its moves are not recorded", "auto"),
    "reuse_fakes": ((True,), "each of its moves is a computation of its own", "false"),
    "activation_checkpointing": ((True,), "small games keep little", "false"),
}


def of_machine(chosen: Chosen) -> list[str]:
    """What cannot be combined with a device, several devices, or an ensemble."""
    problems = _shares(chosen) + _ensemble(chosen) + _several(chosen) + _in_less_memory(chosen)
    device, precision = chosen.root.get("device"), chosen.root.get("precision")
    if device in ("cpu", "mps"):
        if chosen.on("capture"):
            problems.append(f"capture=true: is for CUDA devices, and device={device}: use capture=auto")
        if precision in ("tf32", "fp16"):
            problems.append(f"precision={precision}: is for CUDA devices, and device={device}: use fp32 or bf16")
    return problems


def _ensemble(chosen: Chosen) -> list[str]:
    size = chosen.count("ensemble")
    if not size:
        return []
    if size == 1:
        return ["ensemble=1: is one run: leave it out, or ensemble=2 or more"]
    problems = []
    model, architecture, optimizer = (chosen.one(group) for group in ("model", "architecture", "optimizer"))
    if model and not model.together:
        problems.append(
            f"ensemble={size}: model={model.name} cannot train several seeds as one computation: "
            "use --multirun seed=0,1,2"
        )
    elif model and model.heeds("architecture") and architecture and not architecture.together:
        problems.append(
            f"ensemble={size}: is for small games, architecture=mlp: architecture={architecture.name} "
            "keeps the machine busy alone: use --multirun seed=0,1,2"
        )
    if optimizer and not optimizer.together:
        problems.append(
            f"optimizer={optimizer.name}: is not known to treat every weight alone, as ensemble={size} needs: "
            "use one of adam, adamw, rmsprop, sgd, or --multirun seed=0,1,2"
        )
    problems += [
        f"{key}={str(value).lower()}: ensemble={size} cannot: {reason}: use {key}={instead}"
        for key, (values, reason, instead) in ALONE.items()
        if (value := chosen.root.get(key)) in values
    ]
    if (devices := chosen.count("devices")) > 1:
        problems.append(f"devices={devices}: ensemble={size} trains in one process: leave one of them out")
    if (parts := chosen.count("accumulate")) > 1:
        problems.append(f"accumulate={parts}: ensemble={size} makes each move at once: leave one of them out")
    if freeze := chosen.root.get("freeze"):
        problems.append(
            f"freeze={shown(freeze)}: ensemble={size} trains all weights of a network: leave one of them out"
        )
    if figure := chosen.root.get("figure"):
        problems.append(f"figure={figure}: is drawn from one run: leave out ensemble={size}")
    return problems


def _shares(chosen: Chosen) -> list[str]:
    """Minibatches that processes, parts of a move and packs of samples cannot share out equally."""
    shares = {key: count for key in ("devices", "accumulate", "pack") if (count := chosen.count(key)) > 1}
    part, by = math.prod(shares.values()), " ".join(f"{key}={count}" for key, count in shares.items())
    return [
        f"batch_size={batch}: is shared out equally by {by}: must be a multiple of {part}, such as "
        f"batch_size={max(1, round(batch / part)) * part}"
        for batch in sizes_of(chosen.root.get("batch_size"))
        if batch % part
    ]


def _several(chosen: Chosen) -> list[str]:
    if (devices := chosen.count("devices")) < 2:
        return []
    problems = []
    if chosen.on("capture"):
        problems.append(f"capture=true: devices={devices} average gradients within a move: use capture=auto")
    if re.fullmatch(r"mps|cuda:\d+", device := str(chosen.root.get("device"))):
        problems.append(
            f"device={device}: is one device, and devices={devices} wants {devices}: use device=auto or cpu"
        )
    return problems


def _in_less_memory(chosen: Chosen) -> list[str]:
    """What cannot be combined with moves in parts, or with activations that are computed again."""
    problems, parts = [], chosen.count("accumulate")
    if parts > 1:
        if chosen.on("capture"):
            problems.append(f"capture=true: accumulate={parts} makes each move in parts: use capture=auto")
        if chosen.on("reuse_fakes"):
            problems.append(
                f"reuse_fakes=true: keeps what G has computed until its own move, of all {parts} parts of "
                f"accumulate={parts} at once: use reuse_fakes=false"
            )
    if chosen.on("activation_checkpointing"):
        problems += [
            f"{key}=true: cannot follow activations that are computed again: use {key}={instead}, or "
            "activation_checkpointing=false"
            for key, instead in (("capture", "auto"), ("compile", "false"))
            if chosen.on(key) and not chosen.count("ensemble")
        ]
    return problems
