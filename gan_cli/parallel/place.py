"""Which of a run's processes this one is. Torch-free."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gan_cli.errors import UserError
from gan_cli.output import lock

if TYPE_CHECKING:
    from gan_cli.config.command import Command
    from gan_cli.config.overrides import Override

GRACE = 5.0  # seconds in which a process may still say what happened when another has ended
LOST = 75  # exit code of a process that ended because another one did


@dataclass(frozen=True)
class Place:
    """Process ``rank`` of ``world``, number ``local`` on its machine."""

    rank: int
    world: int
    local: int


def given() -> Place | None:
    """The place that torchrun or srun has given this process; None if it was started alone."""
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
    """How often torchrun or Slurm has restarted this job."""
    return sum(int(os.environ.get(key) or 0) for key in ("TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT"))


def lock_wait() -> float:
    """Seconds to wait for a folder: a job that was restarted, for the process that was killed."""
    return lock.LOCK_WAIT if starts() else 0.0


def first_host(nodes: str) -> str:
    """The first host in a list of Slurm's: ``gpu[07-09,12],cpu1`` → ``gpu07``."""
    found = re.match(r"([^\[,]+)(?:\[(\d+))?", nodes)
    return "".join(part or "" for part in found.groups()) if found else nodes


def adopt(command: Command, place: Place, typed: Override | None, asked: object) -> None:
    """Sets ``devices`` of a command to the number of processes that were started.

    Args:
        typed: the override of ``devices``, if there is one.
        asked: the value of ``devices``, from that override or a preset.

    Raises:
        UserError: if the command asks for another number.
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
