"""Layers that stay as they begin (FreezeD, Mo, Cho & Shin 2020): for fine-tuning on few pictures.

A layer is a part of a network with a matrix of weights or more, in the order in which the network makes them; norms,
and other parts with nothing but vectors, belong to the layer before them. Frozen weights get no gradients and have no
place in the optimizer. A frozen batch norm still normalises each minibatch by itself, as it did in training; its
running statistics stay as they are, and so do the power iterations of a frozen spectral norm.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrizations import _SpectralNorm

from gan_cli.errors import UserError
from gan_cli.games.game import Game

PARAMETRISED = ".parametrizations."


@dataclass
class Layer:
    """A layer: its name, the modules that belong to it, and the names of their weights."""

    name: str
    modules: list[nn.Module] = field(default_factory=list)
    weights: list[str] = field(default_factory=list)


def layer_of(weight: str) -> str:
    """The name of the layer that a weight belongs to, by the name of the weight."""
    return weight.partition(PARAMETRISED)[0] if PARAMETRISED in weight else weight.rpartition(".")[0]


def layers_of(network: nn.Module) -> list[Layer]:
    """The layers of a network, in the order in which it makes them."""
    own: dict[str, list[str]] = {}
    matrices = set()
    for name, weight in network.named_parameters():
        place = layer_of(name)
        own.setdefault(place, []).append(name)
        if weight.dim() > 1:
            matrices.add(place)
    found: list[Layer] = []
    for name, module in network.named_modules():
        if PARAMETRISED in f"{name}.":  # of the layer that it parametrises
            if found:
                found[-1].modules.append(module)
            continue
        if name in matrices or (name in own and not found):
            found.append(Layer(name))
        if found and (name in own or not list(module.children())):
            found[-1].modules.append(module)
            found[-1].weights += own.get(name, [])
    return found


def frozen_weights(player: str, network: nn.Module, freeze: Sequence[str]) -> set[str]:
    """The names of a player's weights that stay as they are.

    Raises:
        UserError: if there are no such layers, or if none would be left to learn.
    """
    return {name for layer in frozen_layers(player, network, freeze) for name in layer.weights}


def learning(player: str, network: nn.Module, freeze: Sequence[str]) -> list[nn.Parameter]:
    """The weights that a player learns: all but the frozen ones."""
    still = frozen_weights(player, network, freeze) if freeze else set()
    return [weight for name, weight in network.named_parameters() if name not in still]


def frozen_layers(player: str, network: nn.Module, freeze: Sequence[str]) -> list[Layer]:
    """As ``frozen_weights``, the layers."""
    every = layers_of(network)
    there = f"the {player} has {len(every)} layers with weights: {', '.join(layer.name or player for layer in every)}"
    found: list[Layer] = []
    for typed in freeze:
        who, _, which = typed.partition(":")
        if who != player:
            continue
        if which.isdecimal():
            some = every[: int(which)]
            if int(which) > len(every):
                raise UserError(f"freeze={typed}: {there}")
        else:
            some = [layer for layer in every if f"{layer.name}.".startswith(f"{which}.")]
            if not some:
                raise UserError(f"freeze={typed}: no layer is called so: {there}")
        found += [layer for layer in some if layer not in found]
        if len(found) == len(every):
            raise UserError(f"freeze={typed}: leaves the {player} nothing to learn: {there}: freeze fewer")
    return found


def require_players(freeze: Sequence[str], players: Collection[str]) -> None:
    """Refuses to freeze layers of a player that the game does not have."""
    for typed in freeze:
        if typed.partition(":")[0] not in players:
            raise UserError(f"freeze={typed}: there is no such player: {', '.join(players)}")


def hold_still(game: Game, freeze: Sequence[str]) -> None:
    """Keeps frozen weights from getting gradients, and what belongs to them from following the minibatches.

    Raises:
        UserError: if there are no such layers, or if none would be left to learn.
    """
    require_players(freeze, game.networks)
    for player, network in game.networks.items():
        layers, weights = frozen_layers(player, network, freeze), dict(network.named_parameters())
        for layer in layers:
            for name in layer.weights:
                weights[name].requires_grad_(False)
            for module in layer.modules:
                if isinstance(module, _BatchNorm):
                    module.track_running_stats = False  # in training alone: it samples with those that it has
                elif isinstance(module, _SpectralNorm):
                    module.eval()


def told(game: Game, freeze: Sequence[str]) -> list[str]:
    """A line for each player with frozen layers."""
    lines = []
    for player, network in game.networks.items():
        if not (layers := frozen_layers(player, network, freeze)):
            continue
        sizes = {name: weight.numel() for name, weight in network.named_parameters()}
        still = sum(sizes[name] for layer in layers for name in layer.weights)
        lines.append(
            f"frozen: {len(layers)} of {len(layers_of(network))} layers of the {player} "
            f"({', '.join(layer.name for layer in layers)}): {still:,} of {sum(sizes.values()):,} weights"
        )
    return lines
