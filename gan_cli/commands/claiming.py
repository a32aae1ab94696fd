"""The folder of a single run: a new one, or the one in which the same job left the run unfinished. Torch-free."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.commands.plan import Single
from gan_cli.config.compose import Composed
from gan_cli.config.interpolations import BY_NAME, BY_TIME, as_written
from gan_cli.config.paths import expanded
from gan_cli.errors import Unwritable, UserError
from gan_cli.output import lock
from gan_cli.parallel import place
from gan_cli.runs.names import ASIDE, MEMBER, numbered
from gan_cli.runs.status import cluster_job, folders_below, status_of

if TYPE_CHECKING:
    from gan_cli.config.library import Library
    from gan_cli.config.schema import Config


def wanted_folder(composed: Composed) -> Path:
    """The folder that a single run is to have, as far as it is known before it is made.

    Raises:
        UserError: if no folder can be called so.
    """
    raw = str(composed.hydra["run.dir raw"])
    try:
        return expanded(str(composed.hydra["run.dir"]), "hydra.run.dir=")
    except UserError as error:
        raise as_written(error, composed.hydra["run.dir"], raw) from error


def claimed(plan: Single, composed: Composed, library: Library) -> Single:
    """Makes the run's folder: a new one named after the time, or the one that the user asks for.

    A job that torchrun or Slurm has restarted continues in its earlier folder.

    Raises:
        UserError: if the folder cannot be made or holds a run already.
    """
    raw = str(composed.hydra["run.dir raw"])
    try:
        if before := _left_by_this_job(composed, plan.run_dir, plan.config, library):
            lock.take(before, lock.TRAINING, lock.LOCK_WAIT)  # another process of this job may be saving
            return _again(plan, before, library)
        return replace(plan, run_dir=_made(plan.run_dir, raw, plan.config), claimed=True)
    except UserError as error:
        raise as_written(error, plan.run_dir, raw) from error


def _made(wanted: Path, raw: str, config: Config) -> Path:
    """Makes the folder of a new run, and takes it for this process."""
    if BY_TIME in raw and config.name and BY_NAME not in raw:
        wanted = wanted.with_name(f"{wanted.name}-{config.name}")
    try:
        if BY_TIME in raw:
            wanted.parent.mkdir(parents=True, exist_ok=True)
            wanted = _numbered(wanted)
        else:
            wanted.mkdir(parents=True, exist_ok=True)
            lock.take(wanted, lock.TRAINING, place.lock_wait())
            if _holds_a_run(wanted):
                raise UserError(f"hydra.run.dir={wanted}: holds a run already: continue it with resume={wanted}")
            if _holds_a_log(wanted):
                raise UserError(
                    f"hydra.run.dir={wanted}: holds a run whose checkpoints are gone: choose another folder, or move "
                    "this one elsewhere"
                )
        lock.take(wanted, lock.TRAINING)
    except OSError as error:
        raise UserError(
            f"{wanted}: cannot make the run folder ({error.strerror}): go where you may write, or set hydra.run.dir=…"
        ) from error
    return wanted


def claim_sweep(folder: Path) -> None:
    """Makes the folder of a sweep and takes it for this process: two of one sweep would train the same runs.

    Raises:
        UserError: if it cannot be, or another process has it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unwritable(folder, error, "or set hydra.sweep.dir=…") from error
    lock.take(folder, "running this sweep")


def _holds_a_run(folder: Path) -> bool:
    """Whether there is anything to continue; what a kill has left before the first checkpoint is not."""
    places = (folder, *numbered(folder, MEMBER).values())
    return any(not ASIDE.fullmatch(file.name) for place in places for file in (place / "checkpoints").glob("*"))


def _holds_a_log(folder: Path) -> bool:
    """Whether there are lines of a run that was trained; a kill before the first checkpoint leaves none."""
    places = (folder, *numbered(folder, MEMBER).values())
    return any(log.is_file() and log.stat().st_size for log in (place / "metrics.jsonl" for place in places))


def _left_by_this_job(composed: Composed, wanted: Path, config: Config, library: Library) -> Path | None:
    """The folder of this run, if its job was started before and has left a checkpoint."""
    if not place.starts():
        return None
    if (beginning := composed.hydra.get("run.dir before the time")) is None:
        before = status_of(wanted)
        return wanted if _holds_a_run(wanted) and (not before or before.get("job") == cluster_job()) else None
    from gan_cli.sweeps.sweep import changes

    root = expanded(f"{beginning}-", "hydra.run.dir=").parent
    found = {folder: status_of(folder) for folder in folders_below(root)}
    ours = [folder for folder, status in found.items() if status.get("job") == cluster_job() and _holds_a_run(folder)]
    same = [folder for folder in ours if not changes(config, library, folder)]
    return max(same, key=lambda folder: found[folder].get("updated", 0.0), default=None)


def _again(plan: Single, folder: Path, library: Library) -> Single:
    from gan_cli.sweeps.sweep import continuation, is_over

    resumption = continuation(plan.config, library, folder, "use another hydra.run.dir")
    if resumption is None or is_over(plan.config, resumption):
        return replace(plan, run_dir=folder, finished=True)
    return plan.resuming(resumption)


def _numbered(wanted: Path) -> Path:
    """Makes a new folder, with a number if another run began in the same second."""
    for attempt in range(1, 1000):
        folder = wanted if attempt == 1 else wanted.with_name(f"{wanted.name}-{attempt}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise UserError(f"{wanted}: too many runs began in this second")
