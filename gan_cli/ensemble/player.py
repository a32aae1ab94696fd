"""A player of all games at once: the weights of E networks in one matrix, and one optimizer for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from gan_cli.config.library import Library
from gan_cli.data.minibatches import Minibatches
from gan_cli.ensemble.moves import Move
from gan_cli.ensemble.stack import Stack
from gan_cli.games.game import Game, Moment, Statistics
from gan_cli.training.capture import Eager, Gradient
from gan_cli.training.optimizers import OPTIMIZER
from gan_cli.training.player import Player
from gan_cli.training.setup import Setup


class StackedMinibatches(Minibatches):
    """The sample orders of all members, stacked; a minibatch is the indices of each member's samples."""

    def __init__(self, members: Sequence[Minibatches]) -> None:
        self.__dict__.update(members[0].seeded(0).__dict__)
        self.members = members

    def order(self, player: str, epoch: int) -> Tensor:
        """The order of every member, (E, N)."""
        return torch.stack([member.order(player, epoch) for member in self.members])

    def rows(self, player: str, drawn: int, size: int) -> tuple[Tensor, Tensor | None]:
        """Indices, int64 (E, size), and no labels, which are gathered together with the samples.

        They lie in memory in the same way wherever an epoch ends: a move is recorded with those that it is given first.
        """
        return self.indices(player, drawn, size).contiguous(), None


class StackedPlayer(Player):
    """Moves the players of one name in all members' games.

    Args:
        setups: the members' setups; the weights of their networks are rows of ``weights[name]``.
    """

    def __init__(
        self,
        name: str,
        setups: Sequence[Setup],
        weights: dict[str, Stack],
        buffers: list[Stack],
        library: Library,
        *,
        compile: bool,
    ) -> None:
        self.members = [next(p for p in setup.players if p.name == name) for setup in setups]
        self.setup, self.stack, self.weights, self.buffers = (
            setups[0],
            weights[name],
            weights,
            buffers,
        )
        first, config = self.members[0], setups[0].config
        matrix = nn.Module()
        matrix.weights = nn.Parameter(self.stack.flat)  # the same memory
        super().__init__(
            name,
            matrix,
            (),
            library.build(OPTIMIZER, config.optimizer).build(matrix.parameters(), first.lr),
            lr=first.lr,
            schedule=first.schedule,
            steps=first.steps,
            options=first.options,
            constrain=self.constrain_each if first.constrain else None,
        )
        self.seeds = [setup.config.seed for setup in setups]
        self.compile = compile
        self.moves: dict[tuple[object, ...], Move] = {}
        self._take_in()

    def gradients(self, indices: Tensor, moment: Moment) -> Statistics:
        """Computes each member's gradient into its row, and returns the statistics, each (E,).

        Args:
            indices: the samples in every member's minibatch, int64 (E, B).
        """
        strengths = self.setup.game.strengths(self.name, moment)
        kind = (moment.batch_size, *strengths)
        if kind not in self.moves:
            self.moves[kind] = Move(
                self.setup,
                self.name,
                list(strengths),
                moment.batch_size,
                self.weights,
                self.buffers,
                self.seeds,
                compile=self.compile,
            )
        move = self.moves[kind]
        move.draw(moment.step, moment.moves % self.steps)
        self.parameters[0].grad, statistics = move(indices, strengths)
        return statistics

    def constrain_each(self, parameters: Iterable[Tensor]) -> None:
        """Applies each member's own constraint to its own weights."""
        for member in self.members:
            assert member.constrain
            member.constrain(member.parameters)

    def hand_out(self, i: int) -> None:
        """Copies the optimizer state of row ``i`` to member ``i``."""
        member = self.members[i]
        for ours, theirs in zip(self.optimizer.param_groups, member.optimizer.param_groups, strict=True):
            theirs.update({key: value for key, value in ours.items() if key != "params"})
        for parameter, state in zip(member.parameters, self._rows(i), strict=True):
            if state:
                member.optimizer.state[parameter] = state
        member._last = list(self.stack.split(self._last[0][i]).values()) if self._last else []

    def _rows(self, i: int) -> list[dict[str, object]]:
        state = self.optimizer.state.get(self.parameters[0], {})
        split = {  # momenta and the like; other values, such as the number of steps, are the same for all
            key: self.stack.split(value[i])
            for key, value in state.items()
            if isinstance(value, Tensor) and value.shape == self.stack.flat.shape
        }
        return [{**state, **{key: row[name] for key, row in split.items()}} for name in self.stack.places]

    def _take_in(self) -> None:
        """Copies the optimizer states of the members into the stacked one."""
        names = list(self.stack.places)

        def stacked(values: list[list[Tensor]]) -> Tensor:
            sets = [dict(zip(names, row, strict=True)) for row in values]
            return self.stack.join({name: torch.stack([tensors[name] for tensors in sets]) for name in names})

        for key, value in self.members[0].optimizer.state.get(self.members[0].parameters[0], {}).items():
            rows = [[member.optimizer.state[p][key] for p in member.parameters] for member in self.members]
            same = isinstance(value, Tensor) and value.shape == self.members[0].parameters[0].shape
            self.optimizer.state[self.parameters[0]][key] = stacked(rows) if same else value
        if self.members[0]._last:
            self._last = [stacked([member._last for member in self.members])]


class Together(Eager):
    """Executes a move of all members at once."""

    def gradient(
        self, work: Gradient, game: Game, player: Player, rows: Tensor, labels: Tensor | None, moment: Moment
    ) -> Statistics:
        """Like ``Eager``, for the minibatches of all members; statistics are (E,)."""
        assert isinstance(player, StackedPlayer)
        return player.gradients(rows, moment)
