"""A player: one network of a game, and how it learns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from gan_cli import distributed
from gan_cli.config.batch_sizes import BatchSizes
from gan_cli.games.game import Constraint, Game, Moment, Statistics, Strengths
from gan_cli.training.scaler import Scaler
from gan_cli.training.schedules import Schedule


class Player:
    """One network of a game, with its optimizer.

    Args:
        name: the player's name in the game.
        opponents: networks that get no gradient while this player moves.
        lr: this player's learning rate, before the schedule's factor.
        schedule: step (1, 2, …) → factor.
        steps: moves per turn; for the discriminator, the k of Algorithm 1.
        options: step → other options of the optimizer that change, such as momentum.
        constrain: called with the parameters after each move.
        scaler: keeps the gradients of a float16 network in range.
        average: replaces tensors by their means over all processes that play this player.
        learns: the weights that it learns; by default all of its network.
    """

    def __init__(
        self,
        name: str,
        network: nn.Module,
        opponents: Iterable[nn.Module],
        optimizer: torch.optim.Optimizer,
        *,
        lr: float,
        schedule: Schedule,
        steps: int,
        options: Callable[[int], dict[str, object]] | None = None,
        constrain: Constraint | None = None,
        scaler: Scaler | None = None,
        average: Callable[[list[Tensor]], None] | None = None,
        learns: Iterable[Tensor] | None = None,
    ) -> None:
        self.name, self.network = name, network
        self.optimizer, self.lr, self.schedule, self.steps = optimizer, lr, schedule, steps
        self.options, self.constrain = options, constrain
        self.scaler, self.average = scaler, average
        self.parameters: list[Tensor] = list(network.parameters() if learns is None else learns)
        self._others = [parameter for opponent in opponents for parameter in opponent.parameters()]
        self._start: list[Tensor] = []  # the parameters before the look-ahead
        self._last: list[Tensor] = []  # the last displacement of an optimistic player
        self._told: Statistics = {}  # of the parts of a move so far

    def moment(self, step: int, move: int, batch_sizes: BatchSizes) -> Moment:
        """The moment of this player's move 0, 1, … in a step."""
        size = batch_sizes.at(step)
        return Moment(
            step,
            moves=(step - 1) * self.steps + move,
            images=batch_sizes.images_seen(step - 1),
            drawn=batch_sizes.drawn(step) * self.steps + move * size,
            batch_size=size,
            again=bool(self._start),
        )

    def gradient(self, game: Game, x: Tensor, z: Tensor, labels: Tensor | None, strengths: Strengths) -> Statistics:
        """Computes the gradient of this player's cost into its parameters' ``.grad``; opponents get none.

        Where a move is made in parts (see ``gan_cli.distributed``), this is called for each of them, and the gradient
        is that of the mean of their costs.

        Returns:
            The statistics of the game, and the norm of the gradient; none before the last part.
        """
        if not distributed.part():
            self._begin()
        cost, statistics = game.cost(self.name, x, z, labels, strengths)
        if (parts := distributed.parts()) > 1:
            cost, statistics = cost / parts, self._with(statistics, parts)
        (cost if self.scaler is None else cost * self.scaler.scale).backward()
        if distributed.part() + 1 < parts:
            return {}
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        if self.average is not None:
            self.average([*gradients, *statistics.values()])
        norm = self.scaler.unscale(gradients) if self.scaler else torch.nn.utils.get_total_norm(gradients)
        return {**statistics, f"grad_norm/{self.name}": norm}

    def _begin(self) -> None:
        for parameter in self.parameters:
            parameter.requires_grad_(True)
        for parameter in self._others:
            parameter.requires_grad_(False)
        self.optimizer.zero_grad(set_to_none=True)
        self._told = {}

    def _with(self, statistics: Statistics, parts: int) -> Statistics:
        """The mean over the parts of a move, as far as it has come."""
        self._told = {name: value / parts + self._told.get(name, 0.0) for name, value in statistics.items()}
        return self._told

    def descend(self, step: int) -> None:
        """One step of the optimizer along the gradient, at the rate of this step."""
        self.tune(step)
        self.move()

    def tune(self, step: int) -> None:
        """Sets the learning rate and the other options that change with the step."""
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(self.rate(step))
            else:
                group["lr"] = self.rate(step)
            group.update(self.options(step) if self.options else {})

    def move(self) -> None:
        """The part of a descent that happens on the device."""
        self.optimizer.step()
        if self.constrain is not None:
            self.constrain(self.parameters)

    def forget(self) -> None:
        """Forgets what the optimizer has gathered, and the last displacement."""
        self.optimizer.state.clear()
        self._last = []

    def look_ahead(self, step: int) -> None:
        """The first half of an extragradient step (Korpelevich 1976; Gidel et al. 2019, algorithm 2)."""
        self._start = [parameter.detach().clone() for parameter in self.parameters]
        self.descend(step)

    @torch.no_grad()
    def descend_from_start(self, step: int) -> None:
        """The second half: back to where the look-ahead began, then along the gradient found at its end."""
        torch._foreach_copy_(self.parameters, self._start)
        self._start = []
        self.descend(step)

    @torch.no_grad()
    def descend_optimistically(self, step: int) -> None:
        """w ← w + 2u − u′, of this displacement u and the last one u′ (Daskalakis et al. 2018, equation 4)."""
        before = [parameter.detach().clone() for parameter in self.parameters]
        self.descend(step)
        displacement = torch._foreach_sub([p.detach() for p in self.parameters], before)
        if self._last:
            torch._foreach_add_(self.parameters, list(torch._foreach_sub(displacement, self._last)))
        if self.constrain is not None:
            self.constrain(self.parameters)
        self._last = list(displacement)

    def rate(self, step: int) -> float:
        """The learning rate at a step."""
        return self.lr * self.schedule(step)

    def state(self) -> dict[str, Any]:
        """What a resumed player needs besides its weights."""
        optimizer = self.optimizer.state_dict()
        for group in optimizer["param_groups"]:
            group["lr"] = self.lr if isinstance(group["lr"], Tensor) else group["lr"]
        state = {"optimizer": optimizer, "last": self._last}
        return {**state, "scaler": self.scaler.state()} if self.scaler else state

    def restore(self, state: dict[str, Any]) -> None:
        saved, ours = state["optimizer"], self.optimizer.state_dict()["param_groups"]
        groups = [{**theirs, **our} for theirs, our in zip(saved["param_groups"], ours, strict=True)]
        self.optimizer.load_state_dict({**saved, "param_groups": groups})  # the options are the config's
        if self.scaler and "scaler" in state:
            self.scaler.restore(state["scaler"])
        self._last = [u.to(p.device) for u, p in zip(state["last"], self.parameters, strict=False)]
