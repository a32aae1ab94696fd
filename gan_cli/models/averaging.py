"""A copy of a network with averaged weights."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

RAMP_UP = 0.1  # the half-life is at most this share of the images seen, so that early averages forget the start


DIRECTION = re.compile(r"(^|\.)(parametrizations\.\w+\.\d+\._|weight_)[uv]$")  # as torch's spectral norms name them


def is_direction(name: str) -> bool:
    """Whether a buffer is a singular vector of a spectral norm: the average of such is shorter, and is none."""
    return DIRECTION.search(name) is not None


def directed(averaged: Mapping[str, Tensor], network: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An average with the singular vectors of its network: earlier versions averaged these too."""
    return {name: network.get(name, mean) if is_direction(name) else mean for name, mean in averaged.items()}


class AveragedNetwork:
    """A copy of a network whose parameters and floating-point buffers follow those of the network as a moving average.

    Counters, and the singular vectors of spectral norms, are those of the network.

    Attributes:
        network: the copy, in evaluation mode.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._ours: list[Tensor] = []
        self._theirs: list[Tensor] = []
        self._copied: list[tuple[Tensor, Tensor]] = []
        targets = dict(self.network.state_dict(keep_vars=True))
        for name, value in network.state_dict(keep_vars=True).items():
            if value.is_floating_point() and not is_direction(name):
                self._ours.append(targets[name])
                self._theirs.append(value)
            else:
                self._copied.append((targets[name], value))

    @torch.no_grad()
    def follow(self, decay: float) -> None:
        """ours ← decay · ours + (1 − decay) · theirs."""
        torch._foreach_lerp_(self._ours, self._theirs, 1 - decay)
        if self._copied:
            torch._foreach_copy_([ours for ours, _ in self._copied], [theirs for _, theirs in self._copied])


def decay_of(half_life: float, before: int, seen: int) -> float:
    """The factor of the old average in a step between so many images seen: a function of both, so there is no state."""
    half_life = min(half_life, RAMP_UP * seen)
    return 0.5 ** ((seen - before) / half_life) if half_life else 0.0
