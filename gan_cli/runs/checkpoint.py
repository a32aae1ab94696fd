"""Checkpoints: written aside, flushed, renamed; read as data, never as code."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from gan_cli.config.paths import expanded, named
from gan_cli.errors import UserError, reason_of
from gan_cli.output import sealed
from gan_cli.output.replacing import flush_names, replacing, written
from gan_cli.runs.names import CHECKPOINT, EXPORTED, HUB_ABOUT, HUB_FILE, MEMBER, below, number_in, numbered
from gan_cli.runs.schemas import Saved, problem_of

if TYPE_CHECKING:
    from gan_cli.training.state import State

log = logging.getLogger(__name__)
FORMAT = 1
BEST = "best.pt"  # by the watched metric


def file_of(step: int) -> str:
    return CHECKPOINT.format(step)


def step_of(path: Path) -> int:
    """The step in a checkpoint's file name; −1 for other names."""
    number = number_in(path.name, CHECKPOINT)
    return -1 if number is None else number


def hash_of(path: Path) -> str:
    """The hash of a checkpoint's file, by which a measurement says of which weights it is."""
    return hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints of a run folder, newest first."""
    return [*numbered(folder / "checkpoints", CHECKPOINT).values()][::-1]


def save(state: State, path: Path) -> None:
    """Writes a complete state so that ``path`` is at every moment either absent, the old file or the new one.

    Raises:
        UserError: if it cannot be written; what was there before is untouched.
    """
    try:
        path.parent.mkdir(exist_ok=True)  # that of the run is not made again where somebody has taken it away
        with replacing(path) as aside, aside.open("wb") as file:
            with sealed.sealing(file) as whole:
                torch.save({"format": FORMAT, **state}, whole)
            file.flush()
            os.fsync(file.fileno())
        flush_names(path.parent)
    except (OSError, RuntimeError) as error:  # torch wraps a failed write in a RuntimeError
        raise UserError(
            f"{path}: cannot write the checkpoint ({reason_of(error)}): make room, then continue with resume="
            f"{path.parent.parent}"
        ) from error


def require_readable(state: State) -> None:
    """Refuses a state that ``load`` would not take back, before anything is trained that could not be continued.

    Raises:
        UserError: with what cannot be read.
    """
    try:
        problem = problem_of(sealed.plain({"format": FORMAT, **state}), Saved)
    except sealed.Damaged as error:
        problem = str(error)
    if problem:
        raise UserError(f"checkpoints of this run could not be read again: {problem}: change what it is about")


def load(path: Path) -> State:
    """A checkpoint's state, on the CPU.

    Raises:
        UserError: if the file is missing, torn, altered by a single byte, or not a checkpoint of this program.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint")
    try:
        state = sealed.read(path)
    except (OSError, sealed.Damaged) as error:
        raise UserError(f"{path}: not a readable checkpoint ({reason_of(error)})") from error
    number = state.get("format") if isinstance(state, dict) else None
    if not isinstance(number, int) or number != FORMAT or not isinstance(state.get("config"), dict):
        raise UserError(f"{path}: not a checkpoint of this version of gan-train")
    if problem := problem_of(state, Saved):
        raise UserError(f"{path}: not what this version of gan-train writes into a checkpoint: {problem}")
    if step_of(path) not in (-1, state["step"]):
        raise UserError(
            f"{path}: holds step {state['step']}, and not that of its name: call it {file_of(state['step'])}"
        )
    return state


def run_folder(where: str, key: str) -> Path:
    """The folder that ``key=where`` names: ``latest`` is the newest run under ``outputs/``.

    Raises:
        UserError: if there is none.
    """
    if where == "latest":
        if newest := next(runs_by_age(), None):
            return newest
        raise UserError(
            f"{key}=latest: there is no run with checkpoints under {Path('outputs').resolve()}: "
            f"give its folder, {key}=PATH"
        )
    path = expanded(where, f"{key}=")
    if not path.exists():
        raise UserError(f"{key}={where}: no such file or folder: give a run folder, a checkpoint, or latest")
    folder = named(path if path.is_dir() else path.parent)
    return folder.parent if folder.name == "checkpoints" else folder


def runs_by_age() -> Iterator[Path]:
    """The runs under ``outputs/`` that have checkpoints, the one with the newest first."""
    found: dict[Path, int] = {}
    for place in below(Path("outputs"), "checkpoints"):
        for path in numbered(place, CHECKPOINT).values() if place.parent.name != "abandoned" else ():
            with suppress(FileNotFoundError):  # deleted meanwhile by the run that trains there
                found[path] = path.stat().st_mtime_ns
    newest_first = sorted(found, key=found.__getitem__, reverse=True)
    yield from dict.fromkeys(path.parent.parent for path in newest_first)


def find(where: str, key: str) -> tuple[Path, Path, State]:
    """Run folder, checkpoint and state for ``key=where``: a run folder (its newest), one checkpoint, or ``latest``.

    Raises:
        UserError: if there is no readable checkpoint.
    """
    folder, path = run_folder(where, key), expanded(where, f"{key}=")
    if where != "latest" and path.is_file():
        try:
            return folder, path, load(path)
        except UserError as error:
            raise UserError(f"{key}={error}: give a run folder, or a file of its checkpoints/") from error
    return folder, *newest(folder, key)


def newest(folder: Path, key: str) -> tuple[Path, State]:
    """The newest readable checkpoint of a run folder; those that cannot be read are named in the log.

    Raises:
        UserError: if there is none.
    """
    found = checkpoints_in(folder)
    for path in found:
        try:
            return path, load(path)
        except UserError as error:
            log.warning("%s; trying the one before it", error)
    members = [member for member in numbered(folder, MEMBER).values() if (member / "checkpoints").is_dir()]
    if members:
        raise UserError(f"{key}={folder}: is an ensemble: give one of its members, such as {key}={members[0]}")
    what = "none of its checkpoints can be read" if found else _holds(folder)
    raise UserError(f"{key}={folder}: {what}: give the folder of a run, such as outputs/<date>/<time>")


def _holds(folder: Path) -> str:
    """What a folder without checkpoints is, as far as it shows."""
    if exported := next((name for name in (EXPORTED, HUB_FILE) if (folder / name).is_file()), None):
        return f"holds {exported}, an exported generator alone, and no checkpoints"
    if (folder / HUB_ABOUT).is_file():
        return f"has no checkpoints, and {HUB_ABOUT} without {HUB_FILE}: if it is an export, copy it whole, or"
    return "has no checkpoints"


def prune(folder: Path, keep: int, needed: int, good: Callable[[Path], bool]) -> None:
    """Deletes all but the newest ``keep`` checkpoints of a run folder, and the newest of the steps up to ``needed``.

    One that cannot be read does not count.

    Args:
        good: whether a checkpoint can be read.
    """
    kept, found = 0, False
    with written(folder / "checkpoints", f"then continue with resume={folder}"):
        for path in checkpoints_in(folder):
            wanted = not found and step_of(path) <= needed
            if kept >= keep and not wanted:
                path.unlink(missing_ok=True)
            elif good(path):
                kept, found = kept + 1, found or wanted
