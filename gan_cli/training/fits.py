"""Whether the tensors of a checkpoint are those that its config makes: looked at before anything is allocated.

The game is built without memory, on torch's meta device, so that a layer of 10¹² units costs nothing to compare.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from gan_cli.config.asking import is_own, kind
from gan_cli.config.library import Library
from gan_cli.config.schema import Config
from gan_cli.data.conditions import columns_in
from gan_cli.data.knows import DATASET, KnowsShape
from gan_cli.errors import UserError
from gan_cli.games.game import Game, Keeps
from gan_cli.games.growing import growth_of
from gan_cli.training.answers import optimizer_of
from gan_cli.training.freezing import learning
from gan_cli.training.optimizers import OPTIMIZER
from gan_cli.training.outline import blank, own_parts

Form = tuple[torch.dtype, tuple[int, ...]]
Trial = tuple[dict[str, Form | None], dict[str, Any]]  # what an optimizer keeps of a weight, and its options
SCALAR: tuple[int, ...] = ()


class Misfit(ValueError):
    """A tensor is not the one that the config makes."""


def require_weights(
    config: Config,
    library: Library,
    shape: tuple[int, ...],
    classes: int,
    networks: Callable[[Game], Mapping[str, Mapping[str, object]]],
    what: str,
    average: Mapping[str, object] | None = None,
) -> Game | None:
    """Refuses networks that are not those of a config.

    Args:
        shape: of one sample, as the checkpoint says.
        networks: the tensors of each player, of a game.
        what: the checkpoint, as it was asked for.
        average: the moving average of the player who draws samples.

    Returns:
        The game of the config without memory, as ``blank`` does.

    Raises:
        UserError: if they are others.
    """
    require_shape(config, library, shape, what)
    if (game := blank(config, library, shape, classes)) is not None:
        with _refusing(what):
            _require_networks(game, networks(game))
            if average is not None:
                _require("ema", average, _forms(game.networks[game.sampler]))
    return game


def _require_networks(game: Game, networks: Mapping[str, Mapping[str, object]]) -> None:
    for name, tensors in networks.items():
        _require(f"networks.{name}", tensors, _forms(game.networks.get(name)))


def require_state(config: Config, library: Library, state: Mapping[str, Any], what: str) -> None:
    """Refuses a checkpoint to go on from whose tensors are not those of its config.

    Args:
        what: the checkpoint, as it was asked for.

    Raises:
        UserError: naming the first that is another.
    """
    shape, classes = tuple(state["data"]["shape"]), columns_in(state["classes"], state["data"])
    require_shape(config, library, shape, what)
    if (game := blank(config, library, shape, classes)) is None:
        return
    own = library.has_own_class("optimizer", config.optimizer.name)
    with _refusing(what):
        _require_networks(game, state["networks"])
        if list(state["networks"]) != list(game.networks) or state.get("sampler", game.sampler) != game.sampler:
            raise Misfit(f"its players are {', '.join(state['networks'])}, and not {', '.join(game.networks)}")
        if state["ema"] is not None:
            _require("ema", state["ema"], _forms(game.networks[game.sampler]))
        _require("kept", state.get("kept") or {}, _tensors(game.kept()) if isinstance(game, Keeps) else {})
        for name, value in state["log"]["sums"].items():
            if not isinstance(value, Tensor) or value.shape != SCALAR or not value.is_floating_point():
                raise Misfit(f"log.sums.{name} is {_kind(value)}, and not a number")
        whole = growth_of(game.networks.values()) is None  # else layers that are not there yet have never moved
        certain, trial = whole and not own_parts(config, library) and not own, None if own else _trial(config, library)
        for name, network in game.networks.items():
            weights = [_form(weight) for weight in learning(name, network, config.freeze)]
            _require_player(f"players.{name}", weights, config, trial, state, state["players"][name], certain)


def require_shape(config: Config, library: Library, shape: tuple[int, ...], what: str) -> None:
    """Refuses samples of another shape than the dataset of the config has, where that is known."""
    dataset = library.build(DATASET, config.dataset)
    if not is_own(dataset) and isinstance(dataset, KnowsShape) and tuple(dataset.shape) != shape:
        raise UserError(
            f"{what}: its samples are {shape}, and those of dataset={config.dataset.name} are {tuple(dataset.shape)}: "
            "not what gan-train writes"
        )


def _require_player(
    where: str,
    weights: Sequence[Form],
    config: Config,
    trial: Trial | None,
    state: Mapping[str, Any],
    saved: Mapping[str, Any],
    certain: bool,
) -> None:
    """Refuses moments of other weights, and options that are no options of the optimizer.

    Args:
        weights: those that the player learns.
        trial: what the optimizer keeps; None where that cannot be known.
        certain: every weight is known to move in every step.
    """
    moments, moved = saved["optimizer"]["state"], state["step"] > 0 and not state.get("attempt", 0)
    if saved["last"] or (certain and moved and config.updates == "optimistic"):
        if len(saved["last"]) != len(weights):
            raise Misfit(f"{where}.last has {len(saved['last'])} entries, and the config makes {len(weights)} weights")
        _require(f"{where}.last", dict(enumerate(saved["last"])), dict(enumerate(weights)))
    if "scaler" in saved or state.get("precision") == "fp16":
        _require_scaler(f"{where}.scaler", saved.get("scaler") or {})
    if trial is None:
        return
    place, (form, group) = f"{where}.optimizer", trial
    kept = range(len(weights)) if form else ()
    if certain and moments.keys() != set(kept) and (moved or moments):
        raise Misfit(f"{place}.state is of {len(moments)} weights, and the config makes {len(weights)}")
    for number, entries in moments.items():
        if number not in range(len(weights)):
            raise Misfit(f"{place}.state.{number} is of no weight")
        wanted = {
            name: (each[0], weights[number][1]) if each and each[1] == TRIAL else each for name, each in form.items()
        }
        _require(f"{place}.state.{number}", entries, wanted)
    (theirs,) = saved["optimizer"]["param_groups"]
    for name, value in theirs.items():
        if name == "params":
            if not isinstance(value, list) or [str(n) for n in value] != [str(n) for n in range(len(weights))]:
                raise Misfit(f"{place}.param_groups.params are not the weights")
        elif name not in group or _sort(value) != _sort(group[name]):
            raise Misfit(
                f"{place}.param_groups.{name} is {_kind(value)}, which is no option of {config.optimizer.name}"
            )


def _require_scaler(where: str, scaler: Mapping[str, Any]) -> None:
    scalar = (torch.float32, SCALAR)
    _require(where, scaler, {"scale": scalar, "good": scalar})
    if not 0 < scaler["scale"] < math.inf or not 0 <= scaler["good"] < math.inf:
        raise Misfit(f"{where} is not what scales gradients")


TRIAL = (2, 3)


def _trial(config: Config, library: Library) -> Trial:
    """What the optimizer keeps of a weight of shape ``TRIAL`` after a step, and its options."""
    weight = nn.Parameter(torch.zeros(TRIAL))
    weight.grad = torch.zeros(TRIAL)
    options = library.build(OPTIMIZER, config.optimizer)
    made = optimizer_of(options, f"optimizer={config.optimizer.name}", [weight], 1e-3)
    made.step()
    state = made.state_dict()
    return _tensors(state["state"].get(0, {})), state["param_groups"][0]


def _sort(value: object) -> object:
    """What options may be exchanged for each other: switches, finite numbers, as many of them."""
    if value is None or isinstance(value, bool):
        return "switch"
    if isinstance(value, int | float):
        return "number" if math.isfinite(value) else "not finite"
    return [_sort(each) for each in value] if isinstance(value, list | tuple) else type(value).__name__


def _require(where: str, found: object, wanted: Mapping[Any, Form | None]) -> None:
    """Refuses tensors of other names, shapes or types than are wanted; None is wanted where there is no tensor yet."""
    if not isinstance(found, Mapping):
        raise Misfit(f"{where} is {_kind(found)}")
    if found.keys() != wanted.keys():
        extra, missing = [*(found.keys() - wanted.keys())], [*(wanted.keys() - found.keys())]
        name = min(map(str, extra or missing))
        raise Misfit(f"{where} {'has' if extra else 'lacks'} {name[:100]!r}")
    for name, form in wanted.items():
        value = found[name]
        if (_form(value) != form) if isinstance(value, Tensor) else (value is not None or form is not None):
            raise Misfit(f"{where}.{name} is {_kind(value)}, and the config makes {_told(form)}")


def _forms(network: nn.Module | None) -> dict[str, Form | None]:
    return {} if network is None else _tensors(network.state_dict())


def _tensors(values: Mapping[str, Any]) -> dict[str, Form | None]:
    return {name: _form(value) if isinstance(value, Tensor) else None for name, value in values.items()}


def _form(tensor: Tensor) -> Form:
    return tensor.dtype, tuple(tensor.shape)


def _kind(value: object) -> str:
    return _told(_form(value)) if isinstance(value, Tensor) else kind(value)


def _told(form: Form | None) -> str:
    return "nothing" if form is None else f"{str(form[0]).removeprefix('torch.')} {form[1]}"


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    try:
        yield
    except Misfit as error:
        raise UserError(f"{what}: its weights do not fit its config: {error}") from error
