"""Which of a run's processes this one is. Torch-free."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gan_cli.errors import UserError

if TYPE_CHECKING:
    from gan_cli.config.command import Command
    from gan_cli.config.overrides import Override

GRACE = 5.0  # seconds in which a process may still say what happened when another has ended
LOST = 75  # exit code of a process that lost another one: not to blame


@dataclass(frozen=True)
class Place:
    """Process ``rank`` of ``world``, number ``local`` on its machine."""

    rank: int
    world: int
    local: int


def given() -> Place | None:
    """The place that torchrun or srun has given this process; None if it was started by itself."""
    env = os.environ
    if "SLURM_STEP_NUM_TASKS" in env and "RANK" not in env and int(env["SLURM_STEP_NUM_TASKS"]) > 1:
        env["RANK"], env["WORLD_SIZE"] = env["SLURM_PROCID"], env["SLURM_STEP_NUM_TASKS"]
        env["LOCAL_RANK"] = env["SLURM_LOCALID"]
        env.setdefault("MASTER_ADDR", first_host(env["SLURM_STEP_NODELIST"]))
        env.setdefault("MASTER_PORT", str(20000 + (int(env["SLURM_JOB_ID"]) + int(env["SLURM_STEP_ID"])) % 20000))
    if not {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"} <= env.keys():
        return None
    return Place(int(env["RANK"]), int(env["WORLD_SIZE"]), int(env["LOCAL_RANK"])) if env["WORLD_SIZE"] != "1" else None


def starts() -> int:
    """How often torchrun or Slurm has started this job before."""
    return sum(int(os.environ.get(key) or 0) for key in ("TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT"))


def first_host(nodes: str) -> str:
    """Of a list as Slurm writes it: ``gpu[07-09,12],cpu1`` → ``gpu07``."""
    found = re.match(r"([^\[,]+)(?:\[(\d+))?", nodes)
    return "".join(part or "" for part in found.groups()) if found else nodes


def adopt(command: Command, place: Place, typed: Override | None, asked: Any) -> None:
    """Has a command train with the processes that there are.

    Args:
        typed: the override that says how many, if there is one.
        asked: how many it says, or a preset.

    Raises:
        UserError: if it asks for anything else.
    """
    if command.multirun:
        raise UserError(
            f"--multirun: {place.world} processes were started, for one run: "
            f"use gan-train --multirun devices={place.world} …"
        )
    if asked != place.world and (typed or asked != 1):
        said = typed.typed if typed else f"devices={asked}"
        raise UserError(f"{said}: but {place.world} processes were started: leave the key out")
    command.overrides.append(f"devices={place.world}")
