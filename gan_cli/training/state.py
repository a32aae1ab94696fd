"""The state of a run as plain values and tensors, for checkpoints."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from gan_cli.data.identity import identity_of, require_same
from gan_cli.errors import UserError
from gan_cli.games.game import Keeps
from gan_cli.output.text import shortened
from gan_cli.training.setup import Setup
from gan_cli.version import __version__

State = dict[str, Any]  # what a checkpoint holds: plain values and tensors, nested


def state_of(setup: Setup, step: int) -> State:
    """The state of the run at a step."""
    return {
        "version": __version__,
        "config": setup.config.saved(),
        "data": identity_of(setup.samples),
        "classes": int(setup.sampler.classes),
        "step": step,
        "attempt": setup.attempt,
        "precision": setup.precision,
        "threads": torch.get_num_threads() if setup.device.type == "cpu" else None,
        "sampler": setup.game.sampler,
        "networks": {player.name: player.network.state_dict() for player in setup.players},
        "players": {player.name: player.state() for player in setup.players},
        "ema": setup.ema.network.state_dict() if setup.ema else None,
        "kept": setup.game.kept() if isinstance(setup.game, Keeps) else None,
    }


def restore(setup: Setup, state: State) -> int:
    """Loads a checkpoint's state into a newly built setup, and returns its step.

    Raises:
        UserError: if the data or the weights are not those of the checkpoint.
    """
    require_same(setup.samples, setup.config.dataset.name, state["data"])
    try:
        for player in setup.players:
            player.network.load_state_dict(state["networks"][player.name])
            player.restore(state["players"][player.name])
        if setup.ema:
            setup.ema.network.load_state_dict(state["ema"] or state["networks"][setup.game.sampler])
            setup.ema.begun = bool(state.get("start") and state["start"].get("averaged"))
        if isinstance(setup.game, Keeps):
            setup.game.restore(state["kept"])
    except (LookupError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"resume: the checkpoint's weights do not fit: {shortened(' '.join(str(error).split()), 300)}"
        ) from error
    return state["step"]


def not_finite(setup: Setup) -> str | None:
    """Whose weights have left the numbers, in words; None if nobody's. Buffers may hold infinities, as masks do."""
    for player in setup.players:
        if not _finite(player.network):
            return f"the {player.name}'s weights not finite"
    return "the moving average not finite" if setup.ema and not _finite(setup.ema.network) else None


def _finite(network: nn.Module) -> bool:
    weights = [weight.detach() for weight in network.parameters()]
    buffers = [buffer for buffer in network.buffers() if buffer.is_floating_point() and buffer.numel()]
    lost = ~torch.stack(torch._foreach_norm(weights)).isfinite()
    if buffers:
        lost = torch.cat([lost, torch.stack([buffer.isnan().any() for buffer in buffers])])
    return not lost.any()
