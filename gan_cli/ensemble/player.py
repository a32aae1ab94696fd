"""A player of all games at once: the weights of E networks in one matrix, and one optimizer for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gan_cli.config.library import Library
from gan_cli.data.minibatches import Minibatches
from gan_cli.ensemble.moves import Move
from gan_cli.ensemble.stack import Stack
from gan_cli.games.game import Game, Moment, Statistics
from gan_cli.training.capture import Eager, Gradient
from gan_cli.training.player import Player
from gan_cli.training.setup import Setup


class StackedMinibatches(Minibatches):
    """The orders of all members, side by side; a minibatch is which samples each member draws."""

    def __init__(self, members: Sequence[Minibatches]) -> None:
        self.__dict__.update(members[0].seeded(0).__dict__)
        self.members = members

    def order(self, player: str, epoch: int) -> Tensor:
        """(E, N)"""
        return torch.stack([member.order(player, epoch) for member in self.members])

    def rows(self, player: str, drawn: int, size: int) -> tuple[Tensor, Tensor | None]:
        """int64 (E, size), and no labels: they are looked up where the samples are."""
        return self.indices(player, drawn, size), None


class StackedPlayer(Player):
    """Moves the players of one name of all members.

    Args:
        setups: of the members; the weights of their networks are rows of ``weights[name]``.
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
            library.build("optimizer", config.optimizer).build(matrix.parameters(), first.lr),
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
        """Leaves each member's gradient in its row, and returns their statistics, each (E,).

        Args:
            indices: of every member's minibatch, int64 (E, B).
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

    def constrain_each(self, parameters: Any) -> None:
        """Each member's own constraint, on its own weights."""
        for member in self.members:
            assert member.constrain
            member.constrain(member.parameters)

    def hand_out(self, i: int) -> None:
        """Makes the optimizer of member ``i`` what its row says."""
        member = self.members[i]
        for ours, theirs in zip(self.optimizer.param_groups, member.optimizer.param_groups, strict=True):
            theirs.update({key: value for key, value in ours.items() if key != "params"})
        for parameter, state in zip(member.parameters, self._rows(i), strict=True):
            if state:
                member.optimizer.state[parameter] = state
        member._last = list(self.stack.split(self._last[0][i]).values()) if self._last else []

    def _rows(self, i: int) -> list[dict[str, Any]]:
        state = self.optimizer.state.get(self.parameters[0], {})
        split = {  # momenta and the like; the number of steps is the same for all
            key: self.stack.split(value[i])
            for key, value in state.items()
            if isinstance(value, Tensor) and value.shape == self.stack.flat.shape
        }
        return [{**state, **{key: row[name] for key, row in split.items()}} for name in self.stack.places]

    def _take_in(self) -> None:
        """Makes the optimizer what those of the members are."""
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
    """Makes a move of all members at once; how each descends follows from their one optimizer."""

    def gradient(
        self, work: Gradient, game: Game, player: Player, rows: Tensor, labels: Tensor | None, moment: Moment
    ) -> Statistics:
        """As ``Eager``, of the minibatches of all members; statistics are (E,)."""
        assert isinstance(player, StackedPlayer)
        return player.gradients(rows, moment)
