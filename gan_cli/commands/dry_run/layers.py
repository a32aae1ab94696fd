"""The networks of a game, layer by layer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from rich.table import Table
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from gan_cli.data.samples import as_input
from gan_cli.games.game import parameters_of
from gan_cli.training.setup import Setup


class Layer(NamedTuple):
    """A module without parts: its name, its class, the shape of its output without the batch, its weights."""

    name: str
    kind: str
    shape: tuple[int, ...]
    weights: int


def tables(setup: Setup, count: int) -> list[Table]:
    """A table for each network, the last player's first: G before D.

    Args:
        count: samples in the pass that finds out shapes.
    """
    rows, weights, made = _layers(setup, count), parameters_of(setup.game), []
    for name in reversed(list(setup.game.networks)):
        table = Table("layer", "kind", "output", "weights", title=name, title_justify="left")
        for layer in rows[name]:
            table.add_row(layer.name, layer.kind, str(layer.shape), f"{layer.weights:,}")
        table.add_row("total", "", "", f"{weights[name]:,}", style="bold")
        made.append(table)
    return made


def _layers(setup: Setup, count: int) -> dict[str, list[Layer]]:
    """The layers of each network, in order of use, noted while every player's cost is computed once.

    Args:
        count: samples in that pass.
    """
    game, sampler = setup.game, setup.sampler
    rows: dict[str, list[Layer]] = {name: [] for name in game.networks}
    handles = []
    for player, network in game.networks.items():
        for name, module in network.eval().named_modules():
            if not list(module.children()) or is_parametrized(module):

                def note(
                    module: nn.Module, args: object, output: object, name: str = name, player: str = player
                ) -> None:
                    if all(row.name != name for row in rows[player]):
                        count = sum(p.numel() for p in module.parameters())
                        first = output[0] if isinstance(output, tuple | list) else output  # of an LSTM
                        shape = tuple(first.shape[1:]) if isinstance(first, Tensor) else ()
                        kind = type(module).__name__
                        rows[player].append(Layer(name, kind, shape, count))

                if "parametrizations" not in name:
                    handles.append(module.register_forward_hook(note))
    x = as_input(setup.samples.values[np.arange(count) % len(setup.samples)])
    z, labels = sampler.latents_of(range(count)), sampler.labels_of(range(count))
    for player in game.networks:
        game.cost(player, x, z, labels, {})
    for handle in handles:
        handle.remove()
    return rows
