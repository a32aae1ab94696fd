"""Moves recorded once and replayed: a whole move is then one launch, and the host is no longer the bottleneck.

A recorded move computes the same operations on the same memory. Whatever changes from move to move must therefore lie
in tensors that are filled before each replay (the minibatch, the strengths, the learning rate), and a move with other
operations (another penalty is due) is another recording. Random numbers need no care: a CUDA graph reads the seed and
offset of the default generator when it is replayed, so each move draws the same numbers as without a recording.

The first moves of each kind are not recorded. They are real moves of the training; they choose the kernels, create the
optimizer's state, and show whether anything waits for the device.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gan_cli import distributed
from gan_cli.errors import UserError, first_line
from gan_cli.games.game import Game, Moment, Statistics, Strengths
from gan_cli.random import seed_again
from gan_cli.training.cuda_graphs import CUDAGraphs, Machine, Result
from gan_cli.training.player import Player

if TYPE_CHECKING:
    from gan_cli.training.setup import Setup

log = logging.getLogger(__name__)
WARM_UP = 2  # moves of a kind before its recording
Gradient = Callable[[Player, Tensor, "Tensor | None", Strengths], Statistics]
Descent = Callable[[Player, int], None]
Kind = tuple[str, ...]


class Eager:
    """Executes every move as it is written. Other ways to execute moves derive from this class.

    Args:
        parts: of a minibatch, with which a move computes one after another.
    """

    def __init__(self, parts: int = 1) -> None:
        self.parts = parts

    def gradient(
        self, work: Gradient, game: Game, player: Player, rows: Tensor, labels: Tensor | None, moment: Moment
    ) -> Statistics:
        """Computes the gradient of a player's cost, by calling ``work`` on a minibatch as it is stored."""
        strengths, statistics = game.strengths(player.name, moment), Statistics()
        if self.parts == 1:
            return work(player, rows, labels, strengths)
        size = len(rows) // self.parts
        for number in range(self.parts):
            own = slice(number * size, (number + 1) * size)
            with distributed.of_parts(number, self.parts):
                seed_again()
                statistics = work(player, rows[own], None if labels is None else labels[own], strengths)
        return statistics

    def descend(self, descend: Descent, player: Player, step: int) -> None:
        """Moves a player along its gradient."""
        descend(player, step)


@dataclass
class Recording:
    """A recorded kind of move, and the memory that it reads and writes."""

    rows: Tensor
    labels: Tensor | None
    strengths: dict[str, Tensor]
    values: dict[str, float]  # that the strengths were last filled with
    replay: Callable[[], None]
    names: list[str]
    statistics: Tensor
    gradients: list[Tensor | None]
    descend: Callable[[], None] | None = None

    def fill(self, rows: Tensor, labels: Tensor | None, strengths: Strengths) -> None:
        self.rows.copy_(rows)
        if self.labels is not None and labels is not None:
            self.labels.copy_(labels)
        for name, value in strengths.items():
            if value != self.values[name]:
                self.strengths[name].fill_(value)
                self.values[name] = float(value)


class Recorder(Eager):
    """Records each kind of move, and replays it from then on.

    Joint descents (extragradient, optimistic) and descents whose options change with the step are not recorded; their
    gradients are.

    Args:
        strict: raise UserError if a move cannot be recorded, rather than continue without recording.
    """

    def __init__(self, machine: Machine, *, strict: bool) -> None:
        super().__init__()
        self.machine, self.strict = machine, strict
        self.off = False
        self.recordings: dict[Kind, Recording] = {}
        self._seen: Counter[Kind] = Counter()
        self._used: dict[Kind, int] = {}  # the player's last move of a kind
        self._latest: dict[str, Kind] = {}  # the kind of each player's last gradient

    def gradient(
        self, work: Gradient, game: Game, player: Player, rows: Tensor, labels: Tensor | None, moment: Moment
    ) -> Statistics:
        strengths = game.strengths(player.name, moment)
        kind = self._latest[player.name] = (player.name, str(moment.batch_size), *strengths)
        self._free(kind, moment.moves, game.period(player.name))
        made = self.recordings.get(kind)
        if made is None and not self.off:
            self._seen[kind] += 1
            if self._seen[kind] > WARM_UP:
                made = self._record(kind, work, player, rows, labels, strengths)
        if made is None:
            with self._watched(kind):
                return work(player, rows, labels, strengths)
        made.fill(rows, labels, strengths)
        made.replay()
        for parameter, gradient in zip(player.parameters, made.gradients, strict=True):
            parameter.grad = gradient
        values = made.statistics.clone()  # the next replay writes over it
        return dict(zip(made.names, values.unbind(), strict=True))

    def _free(self, kind: Kind, move: int, period: int) -> None:
        """Frees recordings of kinds that have not come up for a period: of a batch size or a stage that is over."""
        self._used[kind] = move
        for other in [other for other, used in self._used.items() if other[0] == kind[0] and move - used >= period]:
            del self._used[other]
            self.recordings.pop(other, None)

    def descend(self, descend: Descent, player: Player, step: int) -> None:
        kind = self._latest[player.name]
        made = self.recordings.get(kind)
        fixed = all(isinstance(group["lr"], Tensor) for group in player.optimizer.param_groups)
        if made is None or descend is not Player.descend or not fixed or (player.options and player.options(step)):
            with self._watched(kind):
                return descend(player, step)
        player.tune(step)
        if made.descend is None:
            made.descend, _ = self._recorded(player, player.move) or (player.move, None)
        return made.descend()

    @contextmanager
    def _watched(self, kind: Kind) -> Iterator[None]:
        """Looks, in the last move before a recording, for operations that would prevent it."""
        if self.off or self._seen[kind] != WARM_UP or kind in self.recordings:
            yield
            return
        with self.machine.watched() as waits:
            yield
        if waits:
            self._without(f"the {kind[0]}'s move waits for the device at {waits[0]}")

    def _record(
        self, kind: Kind, work: Gradient, player: Player, rows: Tensor, labels: Tensor | None, strengths: Strengths
    ) -> Recording | None:
        held = rows.clone(), None if labels is None else labels.clone()
        values = {name: float(value) for name, value in strengths.items()}
        filled = {name: torch.full((), value, device=rows.device) for name, value in values.items()}

        def move() -> tuple[list[str], Tensor]:
            statistics = work(player, *held, filled)
            return list(statistics), torch.stack(list(statistics.values()))

        recorded = self._recorded(player, move)
        if recorded is None:
            return None
        replay, (names, statistics) = recorded
        gradients = [parameter.grad for parameter in player.parameters]
        made = self.recordings[kind] = Recording(*held, filled, values, replay, names, statistics, gradients)
        return made

    def _recorded(self, player: Player, function: Callable[[], Result]) -> tuple[Callable[[], None], Result] | None:
        try:
            return self.machine.record(function)
        except torch.OutOfMemoryError:
            self._without("there is no memory left to record moves in")
        except RuntimeError as error:  # CUDA may be in any state after it
            raise UserError(
                f"capture: the {player.name}'s move cannot be recorded ({first_line(error)}): "
                "use capture=false; resume= goes on with it from the last checkpoint"
            ) from error
        return None

    def _without(self, reason: str) -> None:
        if self.strict:
            raise UserError(f"capture=true: {reason}: use capture=auto or capture=false")
        self.off = True
        log.info("moves are not recorded (capture=auto): %s", reason)


def recorder(setup: Setup) -> Eager:
    """The executor of a run's moves.

    Raises:
        UserError: if capture=true and moves cannot be recorded.
    """
    eager, wanted = Eager(setup.config.accumulate), setup.config.capture
    if wanted is False:
        return eager
    strict = wanted is True
    if setup.device.type != "cuda":
        if strict:
            raise UserError(f"capture=true: is for CUDA devices, this run is on {setup.device.type}: use capture=auto")
        return eager
    reason = impossible(setup)
    if reason and strict:
        raise UserError(f"capture=true: {reason}: use capture=auto")
    reason = reason or (None if strict else against(setup))
    if reason:
        log.info("moves are not recorded (capture=auto): %s", reason)
        return eager
    return Recorder(CUDAGraphs(), strict=strict)


def impossible(setup: Setup) -> str | None:
    """Why moves cannot be recorded; None if they can."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return "several processes average their gradients in the middle of each move"
    if setup.config.reuse_fakes:
        return "with reuse_fakes=true, G's move goes on with what D's has computed"
    if setup.config.accumulate > 1:
        return f"accumulate={setup.config.accumulate} makes each move in parts"
    if setup.config.activation_checkpointing:
        return "activation_checkpointing=true puts back the generators' states in the middle of each move"
    return None


def against(setup: Setup) -> str | None:
    """Why moves are not recorded unless the user asks for it; None if they are."""
    if setup.config.compile:
        return "compile=true takes its place; capture=true does both"
    if setup.own:
        return f"the {setup.own[0]} is your own; capture=true if it computes with tensors alone, and the same each time"
    return None
