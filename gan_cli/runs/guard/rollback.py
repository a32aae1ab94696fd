"""The way back: to the last checkpoint from before trouble began, and on from there as a resumed run would.

What is played next follows from the checkpoint alone, in which the attempt stands. It is replaced by one rename, and a
run that is killed before that plays itself into the same trouble again, so at every moment a kill changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gan_cli.config.schema import Config
from gan_cli.errors import UserError
from gan_cli.output.replacing import written
from gan_cli.runs import checkpoint
from gan_cli.runs.folder import RunFolder, beyond

log = logging.getLogger(__name__)
NOTHING: dict[str, Any] = {  # all that the guard remembers, as it is where a checkpoint is from a version without one
    "pending": None,
    "good": {},
    "lasting": [],
    "sure": 0,
    "most": {},
    "varied": False,
    "first": None,
    "troubles": [],
    "rollbacks": [],
}


def last_good(folder: RunFolder, until: int, best: int | None) -> tuple[Path | None, dict[str, Any] | None]:
    """The newest checkpoint of a step up to ``until`` that can be read.

    Args:
        best: the step of ``best.pt``, if there is one.
    """
    places = {checkpoint.step_of(path): path for path in checkpoint.checkpoints_in(folder.path)}
    if best is not None:
        places.setdefault(best, folder.checkpoints / checkpoint.BEST)
    for step in sorted((step for step in places if step <= until), reverse=True):
        try:
            return places[step], checkpoint.load(places[step])
        except UserError as error:
            log.warning("%s; trying the one before it", error)
    return None, None


def turn_back(
    folder: RunFolder, state: dict[str, Any], config: Config, attempt: int, rollbacks: Sequence[dict[str, Any]]
) -> None:
    """Makes a checkpoint's state the newest of a run, to be continued as another attempt.

    Later checkpoints go first: as long as one is there, a killed run goes on from it, into the same trouble. They can
    be had again by the same command with ``guard=warn``.

    Args:
        config: with which it goes on.
        rollbacks: what ``status.json`` says of this time and those before.
    """
    step = state["step"]
    best = folder.checkpoints / checkpoint.BEST
    later = [path for path in checkpoint.checkpoints_in(folder.path) if checkpoint.step_of(path) > step]
    if best.is_file() and beyond(best, step):
        later.append(best)
    with written(folder.checkpoints, f"then continue with resume={folder.path}"):
        for path in later:
            path.unlink()
    guard = {**(state.get("guard") or NOTHING), "rollbacks": list(rollbacks)}
    again = {**state, "attempt": attempt, "config": config.saved(), "guard": guard}
    checkpoint.save(again, folder.checkpoints / checkpoint.file_of(step))
