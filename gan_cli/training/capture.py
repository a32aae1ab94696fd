"""Moves recorded once and replayed: a whole move is then one launch, and the host no longer the limit.

A recorded move computes what was recorded, from the same memory: what changes from move to move must lie in tensors
that are filled before each replay (the minibatch, the strengths of what counts, the rate), and a move that does
something else (another penalty is due) is another recording. Random numbers need no care: a CUDA graph takes seed and
offset of the default generator when it is replayed, so each move draws what it would have drawn.

The first moves of each kind are made as they are, and are real moves of the training: they choose the kernels, make
the optimizer's state, and show whether anything waits for the device.
"""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.games.game import Game, Moment, Statistics, Strengths
from gan_cli.training.player import Player

if TYPE_CHECKING:
    from gan_cli.training.setup import Setup

log = logging.getLogger(__name__)
WARM_UP = 2  # moves of a kind before it is recorded
WAITS = "called a synchronizing CUDA operation"

Gradient = Callable[[Player, Tensor, "Tensor | None", Strengths], Statistics]
Descent = Callable[[Player, int], None]
Kind = tuple[str, ...]


class Eager:
    """Makes every move as it is written; what makes them in another way derives from it."""

    def gradient(
        self, work: Gradient, game: Game, player: Player, rows: Tensor, labels: Tensor | None, moment: Moment
    ) -> Statistics:
        """Leaves the gradient of a player's cost in its parameters: ``work`` on a minibatch as it is stored."""
        return work(player, rows, labels, game.strengths(player.name, moment))

    def descend(self, descend: Descent, player: Player, step: int) -> None:
        """Moves a player along its gradient."""
        descend(player, step)


class Machine(Protocol):
    """What can record."""

    def record(self, function: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        """Records a function without running it: how to run it, and what it returned, filled by each run."""

    def watched(self) -> AbstractContextManager[list[str]]:
        """Gives a list, to which it adds what waited for the device."""


class CUDAGraphs:
    """Records as CUDA graphs, each with memory of its own."""

    def record(self, function: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        graph = torch.cuda.CUDAGraph()
        current = torch.cuda.current_stream()
        stream = None if current == torch.cuda.default_stream() else current  # the default one cannot be recorded
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):  # other threads fetch data
            result = function()
        return graph.replay, result

    @contextmanager
    def watched(self) -> Iterator[list[str]]:
        found: list[str] = []
        before = torch.cuda.get_sync_debug_mode()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                yield found
            finally:
                torch.cuda.set_sync_debug_mode(before)
        for warning in caught:
            if WAITS in str(warning.message):
                found.append(f"{warning.filename}:{warning.lineno}")
            elif "Synchronization debug mode" not in str(warning.message):
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


@dataclass
class Recording:
    """One kind of move, and the memory it reads and writes."""

    rows: Tensor
    labels: Tensor | None
    strengths: dict[str, Tensor]
    values: dict[str, float]  # what the strengths were last filled with
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

    A joint descent (extragradient, optimistic) and one whose options change with the step are made as they are
    written; their gradients are replayed all the same.

    Args:
        strict: raise UserError if a move cannot be recorded, rather than go on without.
    """

    def __init__(self, machine: Machine, *, strict: bool) -> None:
        self.machine, self.strict = machine, strict
        self.off = False
        self.recordings: dict[Kind, Recording] = {}
        self._seen: Counter[Kind] = Counter()
        self._latest: dict[str, Kind] = {}  # what each player's gradient came from

    def gradient(
        self, work: Gradient, game: Game, player: Player, rows: Tensor, labels: Tensor | None, moment: Moment
    ) -> Statistics:
        strengths = game.strengths(player.name, moment)
        kind = self._latest[player.name] = (player.name, str(moment.batch_size), *strengths)
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
        """Looks for what would stop a recording, in the last move before it."""
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

    def _recorded(self, player: Player, function: Callable[[], Any]) -> tuple[Callable[[], None], Any] | None:
        try:
            return self.machine.record(function)
        except torch.OutOfMemoryError:
            self._without("there is no memory left to record moves in")
        except RuntimeError as error:  # what CUDA is like after it, nobody knows
            reason = str(error).splitlines()[0]
            raise UserError(
                f"capture: the {player.name}'s move cannot be recorded ({reason}): "
                "use capture=false; resume= goes on with it from the last checkpoint"
            ) from error
        return None

    def _without(self, reason: str) -> None:
        if self.strict:
            raise UserError(f"capture=true: {reason}: use capture=auto or capture=false")
        self.off = True
        log.info("moves are not recorded (capture=auto): %s", reason)


def recorder(setup: Setup) -> Eager:
    """How a run makes its moves.

    Raises:
        UserError: if capture=true and it cannot be.
    """
    wanted = setup.config.capture
    if wanted is False:
        return Eager()
    strict = wanted is True
    if setup.device.type != "cuda":
        if strict:
            raise UserError(f"capture=true: is for CUDA devices, this run is on {setup.device.type}: use capture=auto")
        return Eager()
    reason = impossible(setup)
    if reason and strict:
        raise UserError(f"capture=true: {reason}: use capture=auto")
    reason = reason or (None if strict else against(setup))
    if reason:
        log.info("moves are not recorded (capture=auto): %s", reason)
        return Eager()
    return Recorder(CUDAGraphs(), strict=strict)


def impossible(setup: Setup) -> str | None:
    """Why moves cannot be recorded one by one."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return "several processes average their gradients in the middle of each move"
    if setup.config.reuse_fakes:
        return "with reuse_fakes=true, G's move goes on with what D's has computed"
    return None


def against(setup: Setup) -> str | None:
    """Why moves are better not recorded unless someone insists."""
    if setup.config.compile:
        return "compile=true takes its place; capture=true does both"
    if setup.own:
        return f"the {setup.own[0]} is your own; capture=true if it computes with tensors alone, and the same each time"
    return None


@contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """Work on a GPU in a stream that can be recorded; nothing elsewhere."""
    if device.type != "cuda":
        yield
        return
    stream, outside = torch.cuda.Stream(device), torch.cuda.current_stream(device)
    stream.wait_stream(outside)
    with torch.cuda.stream(stream):
        yield
    outside.wait_stream(stream)
