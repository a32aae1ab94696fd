"""Checks the outputs of the parts of a game. Each wrong output becomes an error message of one line.

The message names the part, what it returned, and what it should return.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from inspect import getmembers

import numpy as np
import torch
from torch import Tensor, nn

from gan_cli.config.asking import asked, kind, method
from gan_cli.errors import UserError
from gan_cli.games.penalties import Output, Penalises
from gan_cli.losses.loss import Loss
from gan_cli.training.optimizers import MakesOptimizer


class AskedNetwork(nn.Module):
    """A network whose outputs are checked."""

    player: str
    arguments: str

    def __init__(self, network: nn.Module, who: str, too_few: str, *, trained: bool) -> None:
        super().__init__()
        self.network, self.who, self.too_few, self.trained = network, who, too_few, trained

    def ask(self, name: str, x: Tensor, labels: Tensor | None) -> object:
        who = f"{self.who}: the {self.player}"
        function = method(self.network, who, name, self.arguments, x, labels)
        with asked(f"{who}'s {name}({self.arguments}), given {kind(x)},"):
            try:
                return self.network(x, labels) if name == "forward" else function(x, labels)
            except ValueError as error:
                if "Expected more than 1 value per channel" in str(error):
                    raise UserError(self.too_few) from error
                raise

    def refused(self, returned: object, wanted: str) -> UserError:
        return UserError(f"{self.who}: the {self.player} returned {kind(returned)}: return {wanted}")


class AskedGenerator(AskedNetwork):
    player, arguments = "generator", "z, labels"

    def __init__(self, network: nn.Module, who: str, too_few: str, shape: tuple[int, ...], *, trained: bool) -> None:
        super().__init__(network, who, too_few, trained=trained)
        self.shape = shape

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x, wanted = self.ask("forward", z, labels), (len(z), *self.shape)
        if not isinstance(x, Tensor) or tuple(x.shape) != wanted or not x.is_floating_point():
            raise self.refused(x, f"samples of the data's shape, {'pixels in [−1, 1], ' * (len(wanted) == 4)}{wanted}")
        if not self.trained and not x.isfinite().all():
            raise UserError(f"{self.who}: the untrained generator returns numbers that are not finite")
        return x


class AskedDiscriminator(AskedNetwork):
    player, arguments = "discriminator", "x, labels"

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        logits = self.ask("forward", x, labels)
        one_each = isinstance(logits, Tensor) and logits.numel() == len(x) and logits.shape[:1] == (len(x),)
        if not isinstance(logits, Tensor) or not one_each or not logits.is_floating_point():
            raise self.refused(logits, f"one logit for each of {len(x)} samples, ({len(x)},)")
        if not self.trained and not logits.isfinite().all():
            raise UserError(f"{self.who}: the untrained discriminator returns logits that are not finite")
        return logits

    def features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        found = self.ask("features", x, labels)
        if not isinstance(found, Tensor) or len(found) != len(x):
            raise UserError(f"{self.who}: the discriminator's features() returned {kind(found)}: return ({len(x)}, F)")
        return found


class AskedLoss(Loss):
    """A loss whose costs are checked; its attributes are those of the loss."""

    def __init__(self, loss: Loss, who: str) -> None:
        self._loss, self._who = loss, who
        said = dict(getmembers(loss))
        self.__dict__.update({name: said[name] for name in Loss.__annotations__})

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return self._cost("discriminator", "real_logits, fake_logits", "J(D)", real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return self._cost("generator", "fake_logits, real_logits=None", "J(G)", fake_logits, real_logits)

    def _cost(self, name: str, wanted: str, meaning: str, *logits: Tensor | None) -> Tensor:
        function = method(self._loss, self._who, name, wanted, *logits)
        with asked(f"{self._who}: {name}()"):
            cost = function(*logits)
        return scalar(cost, f"{self._who}: {name}()", meaning)


class AskedPenalty:
    """A penalty whose value is checked."""

    def __init__(self, penalty: Penalises, who: str) -> None:
        self._penalty, self._who = penalty, who

    def __call__(self, judge: Output, real: Tensor, fake: Tensor) -> Tensor:
        function = method(self._penalty, self._who, "__call__", "judge, real, fake", judge, real, fake)
        with asked(f"{self._who}: the penalty"):
            value = function(judge, real, fake)
        return scalar(value, f"{self._who}: the penalty", "its value")

    def due(self, move: int) -> bool:
        return self._penalty.due(move)

    def strength(self, images: int) -> float:
        """The penalty's factor, checked; ``due`` is checked too."""
        due = method(self._penalty, self._who, "due", "move", 0)
        strength = method(self._penalty, self._who, "strength", "images", images)
        with asked(f"{self._who}: due() or strength()"):
            due(0)
            return number(strength(images), f"{self._who}: strength()", "a finite number")


def scalar(value: object, who: str, meaning: str) -> Tensor:
    """Checks a cost: one finite number in a tensor, with a gradient.

    Args:
        who: what returned it, such as ``loss=mine: discriminator()``.
        meaning: what it should have returned, such as ``J(D)``.

    Raises:
        UserError: if it is something else.
    """
    if not isinstance(value, Tensor):
        raise UserError(f"{who} returned {kind(value)}: return {meaning}, a tensor of one number")
    if value.numel() != 1:
        raise UserError(f"{who} returned {kind(value)}: return {meaning}, one number, such as the .mean() over samples")
    if not value.isfinite().all():
        raise UserError(f"{who} returned {value.item()} for untrained networks: {meaning} must be finite")
    if not value.requires_grad:
        raise UserError(f"{who} does not follow from what D says: compute {meaning} of the logits with tensors alone")
    return value


def number(value: object, who: str, wanted: str, least: float = -math.inf) -> float:
    """Checks a finite number.

    Raises:
        UserError: if it is something else, or below ``least``.
    """
    if isinstance(value, bool | str) or not (
        isinstance(value, int | float | np.number) or (isinstance(value, Tensor) and value.numel() == 1)
    ):
        raise UserError(f"{who} returned {kind(value)}: return {wanted}")
    if not math.isfinite(value) or value < least:
        raise UserError(f"{who} returned {float(value)}: return {wanted}")
    return float(value)


def optimizer_of(
    options: MakesOptimizer, who: str, parameters: Iterable[nn.Parameter], lr: float
) -> torch.optim.Optimizer:
    """The torch optimizer that an option makes.

    Raises:
        UserError: if it fails, or makes something else.
    """
    parameters = list(parameters)
    build = method(options, who, "build", "parameters, lr", parameters, lr)
    with asked(f"{who}: build(parameters, lr)"):
        made = build(parameters, lr)
    if not isinstance(made, torch.optim.Optimizer):
        raise UserError(f"{who}: build() returned {kind(made)}: return a torch.optim.Optimizer")
    return made
