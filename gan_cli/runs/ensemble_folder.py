"""The folder of an ensemble: a run folder for each member, and a ``status.json`` for the whole."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from gan_cli.config.overrides import key_of
from gan_cli.config.schema import Config
from gan_cli.errors import UserError
from gan_cli.runs.checkpoint import checkpoints_in, file_of, load, newest, step_of
from gan_cli.runs.folder import RunFolder
from gan_cli.runs.hydra_files import overrides_of, write
from gan_cli.runs.names import MEMBER
from gan_cli.runs.status import status_of

if TYPE_CHECKING:
    from gan_cli.training.state import State

log = logging.getLogger(__name__)


class EnsembleFolder(RunFolder):
    """Contains only the members' folders and the status."""

    parts: ClassVar[tuple[str, ...]] = ()


def seeds_in(folder: Path) -> list[int]:
    """The seeds of the ensemble in a folder; empty if there is none."""
    seeds = status_of(folder).get("seeds")
    return seeds if isinstance(seeds, list) and all(type(seed) is int and seed >= 0 for seed in seeds) else []


def _steps(folder: Path) -> int:
    return status_of(folder).get("steps", 0)


def config_of_member(config: Config, seed: int) -> Config:
    """The config of a member, as a single run."""
    return config.model_copy(update={"seed": seed, "ensemble": 0, "compile": False, "resume": None})


def member_folder(folder: Path, seed: int) -> Path:
    return folder / MEMBER.format(seed)


def is_over(folder: Path) -> bool:
    """Whether a member ended before the others: it diverged or stopped early."""
    status = status_of(folder)
    return status.get("status") == "diverged" or (status.get("status") == "finished" and bool(status.get("reason")))


def has_begun(folder: Path) -> bool:
    """Whether any member has a checkpoint."""
    return any(checkpoints_in(member_folder(folder, seed)) for seed in seeds_in(folder))


def states_of(folder: Path, key: str) -> State:
    """A state of the whole ensemble: the config and the common step of the members, and their states as ``members``.

    Raises:
        UserError: if the members have no common step.
    """
    members = states_at_the_end(folder, key) if (ended := has_ended(folder)) else newest_states(folder, key)
    for seed, state in members.items():
        if state and state.get("attempt"):
            member = member_folder(folder, seed)
            raise UserError(
                f"{key}={folder}: {member.name} has gone back (guard=rollback) and draws otherwise than the others: "
                f"continue it alone, {key}={member}, or move it elsewhere"
            )
    first = next(state for state in members.values() if state)
    seeds = list(members)
    whole = {"seed": seeds[0], "ensemble": len(seeds), "compile": status_of(folder).get("compile") is True}
    at, stopped = first["step"], None
    if ended:
        at = max(status_of(member_folder(folder, seed)).get("step", 0) for seed in seeds)
        stopped = "all members have ended"
    return {**first, "step": at, "config": {**first["config"], **whole}, "members": members, "stopped": stopped}


def has_ended(folder: Path) -> bool:
    """Whether all members ended before the last step, and a kill came before the status of the whole."""
    ended = all(is_over(member_folder(folder, seed)) for seed in seeds_in(folder))
    return ended and status_of(folder).get("status") not in ("finished", "diverged")


def states_at_the_end(folder: Path, key: str) -> dict[int, State | None]:
    """Each member's newest state, of its own step."""
    return {seed: newest(member_folder(folder, seed), key)[1] for seed in seeds_in(folder)}


def newest_states(folder: Path, key: str) -> dict[int, State | None]:
    """The members' states at the newest step that all have; None for a member without checkpoints.

    Members that are over need not have that step; they get the state of another member.

    Raises:
        UserError: if there is no such step, or a member was trained further as a single run.
    """
    found = {seed: {step_of(path) for path in checkpoints_in(member_folder(folder, seed))} for seed in seeds_in(folder)}
    if not any(found.values()):
        raise UserError(f"{key}={folder}: none of its members has a checkpoint: nothing to continue: start it again")
    going = [seed for seed in found if not is_over(member_folder(folder, seed))] or list(found)
    common = set.intersection(*(found[seed] or {0} for seed in going))
    wanted = _steps(folder)
    for seed in going:
        member, at, together = member_folder(folder, seed), max(found[seed], default=0), max(common, default=0)
        if wanted and _steps(member) > wanted and at > together:
            raise UserError(
                f"{key}={folder}: {member.name} has been trained by itself, to step {at}, and together it would begin "
                f"at {together} again: continue it alone, {key}={member}, or move it elsewhere"
            )
    for step in sorted(common, reverse=True):
        try:
            states = {seed: _state(folder, seed, step) if step in found[seed] else None for seed in found}
            filler = next((states[seed] for seed in going if states[seed]), None)
            return {seed: states[seed] or (filler if found[seed] else None) for seed in found}
        except UserError as error:
            log.warning("%s; trying the step before it", error)
    raise UserError(
        f"{key}={folder}: there is no step of which all its members have a checkpoint that can be read: "
        f"continue them one by one, {key}={member_folder(folder, going[0])}"
    )


def _state(folder: Path, seed: int, step: int) -> State:
    return load(member_folder(folder, seed) / "checkpoints" / file_of(step))


def write_config(folder: Path, member: Path, seed: int) -> None:
    """Writes the config and the command of a member's single run into its folder, as Hydra does."""
    from omegaconf import OmegaConf

    parent, own = folder / ".hydra", member / ".hydra"
    if not (parent / "overrides.yaml").exists() or (own / "overrides.yaml").exists():
        return
    alone = {"seed": seed, "ensemble": 0, "compile": False}
    typed = overrides_of(parent / "overrides.yaml")
    kept = [text for text in typed if key_of(text) not in alone]
    files = {name: OmegaConf.load(parent / name) for name in ("hydra.yaml",) if (parent / name).is_file()}
    files["config.yaml"] = OmegaConf.merge(OmegaConf.load(parent / "config.yaml"), alone)
    write(own, {**files, "overrides.yaml": OmegaConf.create([*kept, f"seed={seed}"])})
