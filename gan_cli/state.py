"""Everything a run is, as plain values and tensors; and back."""

from __future__ import annotations

from typing import Any

import torch

from gan_cli import __version__
from gan_cli.build import Setup
from gan_cli.errors import Diverged, UserError


def state_of(setup: Setup, step: int) -> dict[str, Any]:
    """Everything the run is at a step: plain values and tensors."""
    return {
        "version": __version__,
        "config": setup.config.saved(),
        "data": {
            "fingerprint": setup.samples.fingerprint(),
            "shape": list(setup.samples.shape),
            "classes": setup.samples.classes,
            "names": list(setup.samples.names),
        },
        "classes": setup.sampler.classes,
        "step": step,
        "precision": setup.precision,
        "networks": {player.name: player.network.state_dict() for player in setup.players},
        "players": {player.name: player.state() for player in setup.players},
        "ema": setup.ema.network.state_dict() if setup.ema else None,
    }


def restore(setup: Setup, state: dict[str, Any]) -> int:
    """Puts a checkpoint's state into freshly built parts and returns its step.

    Raises:
        UserError: if the data or the weights are not those of the checkpoint.
    """
    if state["data"]["fingerprint"] != setup.samples.fingerprint():
        raise UserError(
            f"dataset={setup.config.dataset.name}: its pictures are not those the checkpoint was trained on: "
            "point dataset.root or dataset.path at them"
        )
    try:
        for player in setup.players:
            player.network.load_state_dict(state["networks"][player.name])
            player.restore(state["players"][player.name])
        if setup.ema:
            setup.ema.network.load_state_dict(state["ema"] or state["networks"]["generator"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise UserError(f"resume: the checkpoint's weights do not fit: {str(error).splitlines()[0]}") from error
    return state["step"]


def require_finite(setup: Setup, step: int) -> None:
    """Raises Diverged rather than let weights that are not finite replace a good checkpoint."""
    if setup.config.on_divergence == "stop":
        weights = [p.detach() for player in setup.players for p in player.network.parameters()]
        if not torch.isfinite(torch.stack(torch._foreach_norm(weights))).all():
            raise Diverged(f"weights not finite at step {step}")
