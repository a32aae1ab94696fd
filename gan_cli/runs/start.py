"""``start=PATH``: a new run that begins with the weights of another.

Each network takes what fits from its own counterpart, and the moving average from the moving average, or from the
weights where the start kept none. It forgets them as it would forget first weights of its own, in proportion to the
images seen: samples of a short run are not those of its start. All else is the new run's own: optimizers, steps, draws,
and what a game keeps besides weights (chains, the probability of adaptive augmentation).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from gan_cli.config.library import Library
from gan_cli.config.options import Values
from gan_cli.config.paths import expanded
from gan_cli.config.schema import Config, from_saved
from gan_cli.data.conditions import columns_in
from gan_cli.errors import UserError
from gan_cli.games.game import Game
from gan_cli.games.growing import growing
from gan_cli.output.text import shortened
from gan_cli.runs import checkpoint, weights
from gan_cli.training.fits import require_weights
from gan_cli.training.freezing import layer_of
from gan_cli.training.setup import Setup
from gan_cli.training.state import not_finite
from gan_cli.training.taking import Taken, take, takeable, taken

if TYPE_CHECKING:
    from gan_cli.training.state import State

BLOCK, LONGEST = 2**20, 900  # bytes that are read at a time; characters of a path


@dataclass(frozen=True)
class Origin:
    """Where the weights of a run come from, for its checkpoints and its status.

    Attributes:
        path: the checkpoint, or the exported file.
        sha256: of that file.
        averaged: whether the average forgets nothing of it early, as in runs that an earlier version began.
    """

    path: str
    step: int
    sha256: str
    averaged: bool = False

    def saved(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "averaged" or value}


def origin_of(state: State) -> Origin | None:
    """Where the weights of a checkpoint's run came from, if from another run."""
    return Origin(**state["start"]) if state.get("start") else None


@dataclass(frozen=True)
class Source:
    """The weights that a run begins with.

    Attributes:
        networks: the tensors of each player; of an exported file, those of the player who draws samples.
        average: the moving average of the player ``sampler``; None if there is none.
        game: as its config makes it, without memory; None where that cannot be.
    """

    what: str
    path: Path
    step: int
    networks: Mapping[str, Mapping[str, Tensor]]
    sampler: str
    average: Mapping[str, Tensor] | None
    game: Game | None


def find(where: str, library: Library) -> Source:
    """Reads what ``start=where`` names: a run folder, a checkpoint, ``latest``, or an exported file or its folder.

    Raises:
        UserError: if it cannot be read, or does not fit the config that it holds.
    """
    path, what = expanded(where, "start="), f"start={where}"
    if (file := weights.exported(path)) is not None:
        path, made = file, weights.read(file, "start", True)
        config = _config_in(made.config, library, what)
        game = require_weights(config, library, made.shape, made.classes, lambda g: {g.sampler: made.tensors}, what)
        sampler = game.sampler if game else "generator"
        return Source(what, path, made.step, {sampler: made.tensors}, sampler, None, game)
    _, path, state = checkpoint.find(where, "start")
    config, networks = _config_in(state["config"], library, what), state["networks"]
    shape, seen = tuple(state["data"]["shape"]), columns_in(state["classes"], state["data"])
    game = require_weights(config, library, shape, seen, lambda _: networks, what, state["ema"])
    sampler = state.get("sampler", "generator")
    return Source(what, path, state["step"], networks, sampler, state["ema"], game)


def _config_in(saved: Values, library: Library, what: str) -> Config:
    try:
        return from_saved(saved, library)
    except UserError as error:
        raise UserError(*(f"{what}: in its config, {line}" for line in error.problems)) from error


def begin(setup: Setup, library: Library) -> tuple[Origin | None, list[str]]:
    """Gives a new run the weights of its ``start``, if it has one.

    Returns:
        Where they come from, and a line for each player about what is taken and what is not.

    Raises:
        UserError: if they cannot be read, are not finite, or nothing of them fits.
    """
    where = setup.config.start
    if where is None:
        return None, []
    source = find(where, library)
    lines, some = [], False
    for player in setup.players:
        name, network = player.name, player.network
        there, other = source.networks.get(name, {}), source.game.networks.get(name) if source.game else None
        found = taken(network, there, other)
        take(network, there, found)
        lines.append(_told(name, network, there, found))
        some |= any(tensor.dim() > 1 for key, tensor in there.items() if key in found.names.values())
        if name == setup.game.sampler and setup.ema:
            average = source.average if name == source.sampler and source.average else there
            found = taken(setup.ema.network, average, other)
            take(setup.ema.network, average, found)
    for grown in growing([*setup.game.networks.values(), *([setup.ema.network] if setup.ema else [])]):
        grown.images.zero_()  # the stage follows from the images of this run
    if not some:
        raise UserError(f"{source.what}: nothing of it fits but biases and the like: {'; '.join(lines)}")
    if lost := not_finite(setup):
        raise UserError(f"{source.what}: has {lost}: start from an earlier checkpoint")
    lines = [f"{source.what} (step {source.step}): {line}" for line in lines]
    return Origin(shortened(str(source.path), LONGEST), source.step, _sha256(source.path)), lines


def _told(player: str, network: nn.Module, there: Mapping[str, Tensor], found: Taken) -> str:
    """How much is taken, from where if not from layers of the same name, what is not and why, and what is left."""
    here = takeable(network)
    if not found.names and not found.left:
        return f"has no {player}, which begins anew"
    numbers = sum(here[name][found.parts.get(name) or ...].numel() for name in found.names)
    of = sum(tensor.numel() for tensor in here.values())
    line = f"the {player} takes {len(found.names)} of {len(here)} tensors, {numbers:,} of {of:,} numbers"
    moved = {layer_of(name): layer_of(source) for name, source in found.names.items() if name != source}
    if moved:
        line += f" ({', '.join(f'{layer} from {source}' for layer, source in moved.items())})"
    if found.parts:
        line += f"; columns of labels begin at 0: {', '.join(found.parts)}"
    if found.misfits:
        line += f"; anew: {_by_layer(found.misfits, here)}"
    return line + (f"; left there: {_by_layer(dict.fromkeys(found.left, ''), there)}" if found.left else "")


def _by_layer(reasons: Mapping[str, str], every: Iterable[str]) -> str:
    """Tensors and the reason of each; the tensors of a layer together where all of it is meant."""
    sizes = Counter(map(layer_of, every))
    whole = {layer for layer, count in Counter(map(layer_of, reasons)).items() if count == sizes[layer]}
    told: dict[str, str] = {}
    for name, reason in reasons.items():
        layer = layer_of(name)
        told.setdefault(layer if layer and layer in whole else name, f" ({reason})" if reason else "")
    return ", ".join(f"{name}{reason}" for name, reason in told.items())


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
