"""How much of a disk a run will take, known before its first step."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import Parameter

from gan_cli.errors import UserError
from gan_cli.output import disk
from gan_cli.output.amounts import size
from gan_cli.output.curves import HEIGHT, WIDTH
from gan_cli.runs.checkpoint import checkpoints_in
from gan_cli.runs.names import MEMBER, numbered
from gan_cli.runs.observers.samples import POINTS_PER_PICTURE
from gan_cli.training.answers import optimizer_of
from gan_cli.training.setup import Setup

log = logging.getLogger(__name__)
LINE, PLOT, ENTRY = (
    700,
    30_000,
    600,
)  # bytes of a line of the log, of a plot, and of a tensor's name and place in a file
PROBE = 64  # numbers in the parameter from which an optimizer's moments are counted
NEAR = 1.5  # times what a run takes at most: with less that is free, it is told of


@dataclass(frozen=True)
class Room:
    """Bytes of a checkpoint; how many there are at once, with the one being written; bytes of grids and lines."""

    checkpoint: int
    at_once: int
    others: int

    @property
    def total(self) -> int:
        return self.at_once * self.checkpoint + self.others


def needed(setup: Setup) -> Room:
    """What a run will take at most; grids and lines are estimates."""
    config = setup.config
    weights = [tensor for player in setup.players for tensor in player.network.state_dict().values()]
    averages = list(setup.ema.network.state_dict().values()) if setup.ema else []
    parameters = [weight for player in setup.players for weight in player.parameters]
    copies = moments(setup) + (config.updates == "optimistic")
    checkpoint = _bytes(weights) + _bytes(averages) + copies * _bytes(parameters)
    checkpoint += ENTRY * (len(weights) + len(averages) + copies * len(parameters))
    saves = config.steps // config.checkpoint_every if config.checkpoint_every and not config.checkpoint_minutes else 0
    kept = min(config.keep_checkpoints, saves + 2) if saves else config.keep_checkpoints
    at_once = kept + 1 + (config.watch is not None)
    grids = 2 + (config.steps // config.sample_every if config.sample_every else 0)
    lines = config.steps // config.log_every if config.log_every else 0
    return Room(checkpoint, at_once, grids * _grid(setup) + lines * LINE)


def moments(setup: Setup) -> int:
    """Numbers that the optimizer keeps for each weight, as many as it keeps for those of a small parameter."""
    probe = Parameter(torch.zeros(PROBE))
    optimizer = optimizer_of(setup.optimizer, f"optimizer={setup.config.optimizer.name}", [probe], 1e-3)
    probe.grad = torch.zeros(PROBE)
    optimizer.step()
    state = optimizer.state_dict()["state"].values()
    return sum(value.numel() for each in state for value in each.values() if isinstance(value, Tensor)) // PROBE


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)


def _grid(setup: Setup) -> int:
    """A sheet of noise; enlarging it takes next to nothing."""
    shape, count = setup.samples.shape, setup.config.sample_count
    if len(shape) == 1:
        return PLOT + count * POINTS_PER_PICTURE
    if len(shape) == 2:
        shape = (3, HEIGHT, WIDTH)
    channels, height, width = shape
    return count * (height + 2) * (width + 2) * channels + PLOT // 10


def require(room: Room, folder: Path, keep: int, members: int = 1) -> None:
    """Refuses a run that cannot fit, and says so where it will be near.

    Args:
        keep: the checkpoints that stay, for the error.
        members: of an ensemble, each of which needs the room.

    Raises:
        UserError: if not even the checkpoints fit.
    """
    free = disk.free(folder)
    places = [folder, *numbered(folder, MEMBER).values()]
    free += sum(path.stat().st_size for place in places for path in checkpoints_in(place))  # they make room
    at_once, total = members * room.at_once, members * room.total
    if at_once * room.checkpoint > free:
        raise UserError(
            f"keep_checkpoints={keep}: {at_once} checkpoints at once of {size(room.checkpoint)} do not fit on the "
            f"disk of {folder}, where {size(free)} are free: make room, choose another hydra.run.dir, or keep fewer"
        )
    if NEAR * total > free:
        log.warning("disk: this run will take up to %s, and %s are free", size(total), size(free))
