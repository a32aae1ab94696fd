"""Loads a trained generator, for notebooks and commands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor
from torch import device as Device

from gan_cli.config.library import Library
from gan_cli.config.schema import Config, from_saved
from gan_cli.errors import UserError, first_line
from gan_cli.games.game import Game, Keeps
from gan_cli.games.sampler import Sampler
from gan_cli.random import apart
from gan_cli.runs import weights
from gan_cli.runs.weights import Weights
from gan_cli.training.devices import pick_device
from gan_cli.training.fits import require_weights
from gan_cli.training.fitting import check_trained
from gan_cli.training.outline import game_of, prior_of


@dataclass(frozen=True)
class Trained:
    """A generator ready to draw samples, and the weights it was built from."""

    sampler: Sampler
    weights: Weights


def load(path: str | Path, device: str = "cpu", config_dir: str | Path | None = None) -> Sampler:
    """The generator of a run folder (its newest checkpoint), of one checkpoint, or of an export: a file or its folder.

    It is the moving average if the run kept one. Neither needs the data that it was trained on.

    Args:
        path: or ``"latest"``: the newest run under ``outputs/``.
        config_dir: the folder of your own options, if the run used any.

    Raises:
        UserError: (a ValueError) if there is no readable checkpoint.
    """
    library = Library(*([config_dir] if config_dir else []))
    with apart():  # networks are filled with draws before they are filled with weights
        return trained(str(path), library, device, key="path").sampler


def trained(where: str, library: Library, device: str = "cpu", *, ema: bool = True, key: str = "checkpoint") -> Trained:
    """The generator that ``key=where`` names.

    Args:
        ema: whether to use the moving average, if the run kept one.

    Raises:
        UserError: if it cannot be read, or does not fit its config.
    """
    found = weights.find(where, key, ema)
    config = from_saved(found.config, library)
    place, what = pick_device(device), f"{key}={where}"

    def networks(game: Game) -> dict[str, dict[str, Tensor]]:
        return {**found.others, game.sampler: found.tensors}

    require_weights(config, library, found.shape, found.classes, networks, what)
    game, sampler = rebuilt(found, config, library, place, what)
    for network in game.networks.values():
        network.eval().requires_grad_(False)
    check_trained(sampler, found.shape)
    return Trained(sampler, found)


def rebuilt(found: Weights, config: Config, library: Library, device: Device, what: str) -> tuple[Game, Sampler]:
    """The game of trained weights, and what draws its samples; an exported file has no whole game.

    Args:
        what: says where the weights are from: ``checkpoint=PATH``.

    Raises:
        UserError: if they do not fit their config.
    """
    game = game_of(config, library, found.shape, found.classes, device)
    _fill(game, found, what)
    whole = game if game.networks.keys() <= {game.sampler, *found.others} else None
    prior, drawn = prior_of(game, config, library), game.networks[game.sampler]
    names, conditions, fields = found.names, found.conditions, found.fields
    return game, Sampler(drawn, prior, config, found.classes, device, names, whole, conditions, fields)


def _fill(game: Game, found: Weights, what: str) -> None:
    """Loads trained weights into the networks of a game, and what it keeps; of an exported file, the sampler's only.

    Raises:
        UserError: if they do not fit.
    """
    try:
        for name, tensors in {**found.others, game.sampler: found.tensors}.items():
            game.networks[name].load_state_dict(tensors)
        if isinstance(game, Keeps) and found.kept:
            game.restore(found.kept)
    except (KeyError, RuntimeError) as error:
        raise UserError(f"{what}: its weights do not fit its config: {first_line(error)}") from error
