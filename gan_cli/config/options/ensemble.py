"""What cannot be trained as one computation; nothing here imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gan_cli.config.options.games import MLPOptions

OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd")  # they treat every weight alone
SLOPES = ("r1", "r2", "gradient_penalty", "dragan")
ALONE = {
    "precision": (("bf16", "fp16", "auto"), "small games gain nothing by it", "fp32"),
    "capture": ((True,), "its moves are not recorded", "auto"),
    "reuse_fakes": ((True,), "each of its moves is a computation of its own", "false"),
}


def ensemble_problems(choices: Mapping[str, Any], root: Mapping[str, Any]) -> list[str]:
    """One line for each value that does not go with ``ensemble``."""
    size = root["ensemble"]
    if size == 1:
        return ["ensemble=1: is one run: leave it out, or ensemble=2 or more"]
    problems = []
    architecture, optimizer = choices.get("architecture"), choices.get("optimizer")
    if architecture is not None and not isinstance(architecture, MLPOptions):
        problems.append(
            f"ensemble={size}: is for small games, architecture=mlp: architecture={architecture.name} "
            "keeps the machine busy alone: use --multirun seed=0,1,2"
        )
    if isinstance(architecture, MLPOptions) and architecture.discriminator.norm in ("batch", "spectral"):
        problems += [
            f"architecture.discriminator.norm={architecture.discriminator.norm}: changes with every look, and "
            f"ensemble={size} cannot take the slopes of penalty={name} through that: use norm=layer, "
            "or --multirun seed=0,1,2"
            for name in SLOPES
            if name in choices.get("penalty", ())
        ]
    if optimizer is not None and optimizer.name not in OPTIMIZERS:
        problems.append(
            f"optimizer={optimizer.name}: is not known to treat every weight alone, as ensemble={size} needs: "
            f"use one of {', '.join(OPTIMIZERS)}, or --multirun seed=0,1,2"
        )
    for key, (values, reason, instead) in ALONE.items():
        if (value := root.get(key)) in values:
            problems.append(f"{key}={str(value).lower()}: ensemble={size} cannot: {reason}: use {key}={instead}")
    if isinstance(devices := root.get("devices"), int) and devices > 1:
        problems.append(f"devices={devices}: ensemble={size} trains in one process: leave one of them out")
    if "wandb" in choices.get("logger", ()):
        problems.append(f"logger=wandb: follows one run in a process, and ensemble={size} has {size}: use tensorboard")
    if root.get("figure"):
        problems.append(f"figure={root['figure']}: is drawn from one run: leave out ensemble={size}")
    return problems
