"""Finds the checkpoint to continue from, and the config to continue with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.config.batch_sizes import BatchSizes, changed
from gan_cli.config.draft import Draft
from gan_cli.config.flags import SEVERAL
from gan_cli.config.interpolations import as_written
from gan_cli.config.mistakes import shown
from gan_cli.config.options import GROUPS
from gan_cli.config.overrides import PRESETS
from gan_cli.config.paths import named
from gan_cli.config.schema import Config, completed, renamed, validate
from gan_cli.errors import Busy, UserError
from gan_cli.output import lock
from gan_cli.runs import checkpoint, ensemble_folder
from gan_cli.runs.links import require_own
from gan_cli.runs.names import RESUMPTION, numbered
from gan_cli.runs.overlaid import overlaid
from gan_cli.runs.places import require_places
from gan_cli.runs.status import status_of
from gan_cli.training.fits import require_state

if TYPE_CHECKING:
    from gan_cli.training.state import State

FIXED = (
    "architecture",
    "dataset",
    "prior",
    "optimizer",
    "conditional",
    "conditioning",
    "pack",
    "ensemble",
    "freeze",
)  # what the saved tensors belong to
NOT_FIXED = (
    "dataset.root",
    "dataset.path",
    "dataset.flip",
    "dataset.allow_missing",
    "optimizer.",
)  # of them: where the data lies; that it is the same is checked apart


@dataclass(frozen=True)
class Resumption:
    """A checkpoint to continue, and the config to continue it with.

    Attributes:
        over: whether it is the last, and only what comes after it is missing: a kill ended the run there.
    """

    folder: Path
    checkpoint: Path
    state: State
    config: Config
    over: bool = False

    @property
    def number(self) -> int:
        """1 for the first resumption of this folder, then 2, …"""
        return 1 + max(numbered(self.folder / ".hydra", RESUMPTION), default=0)


def whole_folder(resume: str) -> Path:
    """The folder of a run or of an ensemble for ``resume=PATH``.

    Raises:
        UserError: if there is none.
    """
    folder = checkpoint.run_folder(resume, "resume")
    return folder.parent if resume == "latest" and ensemble_folder.seeds_in(folder.parent) else folder


def locate(resume: str) -> tuple[Path, Path, State]:
    """Run folder, checkpoint and state for ``resume=PATH``; for an ensemble, its folder twice, and the states of all.

    Raises:
        UserError: if there is nothing to continue.
    """
    whole = whole_folder(resume)
    if ensemble_folder.seeds_in(whole):
        return whole, whole, ensemble_folder.states_of(whole, "resume")
    folder, path, state = checkpoint.find(resume, "resume")
    if named(path.parent).name != "checkpoints":
        raise UserError(f"resume={resume}: a checkpoint is continued inside its run folder, …/checkpoints/{path.name}")
    return folder, path, state


def resumed(draft: Draft, wait: float = 0.0) -> Resumption:
    """Reads the checkpoint of a command's ``resume``, and applies the typed keys to its config.

    Args:
        wait: seconds to wait for another process to leave the folder.

    Raises:
        UserError: with one line for every mistake, or for every difference that the saved state cannot follow.
    """
    library, overrides = draft.library, draft.command.parsed(draft.library)
    _require_alone(draft)
    folder, path, state = _located(draft, wait)
    require_own(folder)
    saved = {"ensemble": 0, **renamed(state["config"])}
    wanted = {**overlaid(saved, list(overrides), draft.command, library), "resume": str(path)}
    config = validate(completed(wanted, library), library)
    require_places(config, library, [override.key for override in overrides], "resume")
    trained = validate(completed(saved, library), library)
    for member in (state.get("members") or {"": state}).values():
        if member:
            require_state(trained, library, member, f"resume={path}")
    first = next(iter(state["players"])) if "players" in state else "discriminator"
    if impossible := [*_fixed(trained, config), *_uncounted(trained, config, first)]:
        raise UserError(*impossible)
    over = left_at_its_end(folder, state, config)
    _require_left(folder, state, config, over)
    was = trained if overrides.find("batch_size") else config
    images = BatchSizes(was.batch_size, trained.player(first).steps).images_seen(state["step"])
    return Resumption(folder, path, state, _by_images(trained, was, config, images), over)


def _require_alone(draft: Draft) -> None:
    """Refuses presets and ``start`` beside ``resume``, and whatever else is wrong with the command."""
    overrides, problems = draft.command.parsed(draft.library), list(draft.problems)
    if preset := next((o for o in overrides if o.key in PRESETS and o.typed and o.values[0] is not None), None):
        problems.append(
            f"{preset.key}: is a whole preset and cannot be laid over a resumed run: type the keys to change"
        )
    if (typed := overrides.find("start")) and typed.values[0] is not None:
        problems.append(f"{typed.typed}: begins a new run, and resume=… goes on with one: leave one of them out")
    if problems:
        raise UserError(*problems)


def _located(draft: Draft, wait: float) -> tuple[Path, Path, State]:
    """What ``locate`` finds, in a folder that no other process is at work in."""
    asked = draft.composed.values["resume"]
    try:
        if not draft.composed.values["dry_run"]:
            lock.take(whole_folder(str(asked)), lock.TRAINING, wait)  # before what it holds is looked at
        return locate(str(asked))
    except Busy as error:
        stopped = (run for run in checkpoint.runs_by_age() if not lock.held(run)) if asked == "latest" else iter(())
        if other := next(stopped, None):
            raise Busy(f"{error}; of those that have stopped, the newest: resume={other}") from error
        raise
    except UserError as error:
        typed = draft.command.parsed(draft.library).find("resume")
        raise as_written(error, asked, typed.typed.partition("=")[2] if typed else "") from error


def _fixed(trained: Config, config: Config) -> list[str]:
    """A line for each key whose new value the saved weights and data cannot follow."""
    fixed = tuple(f"{key}." for key in ((*FIXED, "seed") if trained.ensemble else FIXED))
    return [
        f"{key}={shown(new)}: the checkpoint has {shown(old)}, and its weights and data cannot follow: "
        "leave the key out, or start a new run"
        for key, old, new in differences(trained.saved(), config.saved())
        if key == "model"  # another one; of the same, options that weights cannot follow show where they are loaded
        or (f"{key}.".startswith(fixed) and not _may_change(key, config))
    ]


def _uncounted(trained: Config, config: Config, first: str) -> list[str]:
    """A line for what the images that the run has seen are counted by, and its data drawn.

    Args:
        first: the player that moves first.
    """
    lines = []
    if (moves := config.player(first).steps) != (moved := trained.player(first).steps):
        lines.append(
            f"{first}.steps={moves}: the checkpoint has {moved}, by which its images are counted and its data drawn: "
            "leave the key out, or start a new run"
        )
    if config.devices != trained.devices:
        lines.append(
            f"devices={config.devices}: the run was begun with devices={trained.devices} and goes on exactly only "
            "so: leave the key out, or start a new run"
        )
    return lines


def _require_left(folder: Path, state: State, config: Config, over: bool) -> None:
    """Refuses a run that has nothing left to train."""
    if over:
        return
    if config.steps <= state["step"]:
        raise UserError(
            f"resume={folder}: is at step {state['step']} of {config.steps}: nothing left to train; "
            f"to train longer: steps={2 * state['step'] or config.steps}"
        )
    if state.get("members") and state["stopped"]:
        raise UserError(f"resume={folder}: was killed when all its members had ended: leave out steps=… once")


def _by_images(trained: Config, was: Config, config: Config, images: int) -> Config:
    """The config whose values by images seen are as they were up to now, and from here on as they are asked for.

    Args:
        was: that of ``trained`` and ``config`` whose batch size the run has had.
        images: seen until now.
    """
    growing = [group for group in GROUPS if group not in SEVERAL and config.one(group).by_images]
    update: dict[str, object] = {g: config.one(g).resumed(trained.one(g), images) for g in growing}
    if was.batch_size != config.batch_size:
        update["batch_size"] = changed(was.batch_size, config.batch_size, images)
    return config.model_copy(update=update)


def _may_change(key: str, config: Config) -> bool:
    """Whether a resumed run may change a key of what its weights and data belong to."""
    group, _, rest = key.partition(".")
    by_images = config.one(group).by_images if group in GROUPS and group not in SEVERAL else ()
    return key.startswith(NOT_FIXED) or rest.partition(".")[0] in by_images


def left_at_its_end(folder: Path, state: State, config: Config) -> bool:
    """Whether a run's last checkpoint is there and its status does not say so: a kill or a full disk came between."""
    if status_of(folder).get("status") == "finished":
        return False
    stopped = bool(state.get("stopped")) and config.steps <= state["config"]["steps"]
    return config.steps == state["step"] or stopped


def differences(old: object, new: object, prefix: str = "") -> list[tuple[str, object, object]]:
    """The keys that differ, with old and new values; if another option is chosen, only its name."""
    if isinstance(old, dict) and isinstance(new, dict):
        if old.get("name") != new.get("name"):
            return [(prefix, old.get("name"), new.get("name"))]
        names = sorted({*old, *new})
        return [d for n in names for d in differences(old.get(n), new.get(n), f"{prefix}.{n}" if prefix else n)]
    return [] if old == new else [(prefix, old, new)]
