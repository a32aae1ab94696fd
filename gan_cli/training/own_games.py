"""Tries a game of the user's own."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gan_cli.config.asking import asked, kind
from gan_cli.data.samples import as_input
from gan_cli.errors import UserError
from gan_cli.training.copies import Networks, check_descent, latents

if TYPE_CHECKING:
    from gan_cli.training.setup import Setup


def check_own_game(setup: Setup, rows: int) -> None:
    """Lets each player of a game of your own make a move on copies of the networks, and its sampler draw."""
    config, who = setup.config, f"model={setup.config.model.name}"
    values, classes = setup.samples.values, setup.sampler.classes
    x = as_input(values[np.arange(rows) % len(values)], setup.device).to(torch.get_default_dtype())
    z = latents(setup.sampler.prior, config, rows).to(setup.device)
    labels = setup.sampler.labels_of(range(rows))
    labels = None if labels is None else labels.to(setup.device)
    with asked(f"{who}: a copy of the game"):
        game = copy.deepcopy(setup.game)
    for player in setup.players:
        name = player.name
        network = game.networks[name].train().requires_grad_(True)
        moment = player.moment(1, 0, setup.batch_sizes)
        with asked(f"{who}: the cost of its {name}"):
            found: object = game.cost(name, x, z, labels, game.strengths(name, moment))
        if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], dict)):
            raise UserError(f"{who}: cost({name!r}, …) returned {kind(found)}: return the cost, and statistics by name")
        cost, statistics = found
        if not isinstance(cost, Tensor) or cost.numel() != 1 or not cost.requires_grad:
            raise UserError(f"{who}: the cost of its {name} is {kind(cost)}: return a tensor of one number, by tensors")
        for key, value in {"the cost": cost, **statistics}.items():
            if not isinstance(value, Tensor) or value.numel() != 1 or not value.isfinite().all():
                raise UserError(f"{who}: {key} of its {name} is {kind(value)}: must be a tensor of one finite number")
        gradients = torch.autograd.grad(cost, list(network.parameters()), allow_unused=True)
        if all(gradient is None for gradient in gradients):
            raise UserError(f"{who}: no gradient of the {name}'s cost reaches its weights: compute with tensors alone")
        check_descent(setup, network, player)
    Networks(game.networks[game.sampler], None, config, setup.samples.shape, classes).check_outputs(z, x, labels, False)
