"""Gradients of float16 networks, kept in range (Micikevicius et al. 2018, section 3.2)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

START, GROWTH_INTERVAL = 2.0**16, 2000


class Scaler:
    """Multiplies the cost, so that small gradients do not vanish, and divides the gradients again.

    A move whose gradients overflow is skipped and halves the scale; 2,000 without one double it. All of it happens on
    the device: the fused optimizer itself looks at ``found_inf``, and the host never waits to know.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, device: torch.device) -> None:
        self.scale = torch.full((), START, device=device)
        self.good = torch.zeros((), device=device)  # moves since the last overflow or doubling
        self.overflow = torch.zeros((), device=device)
        optimizer.found_inf = self.overflow  # type: ignore[attr-defined]

    @torch.no_grad()
    def unscale(self, gradients: list[Tensor]) -> Tensor:
        """Divides them in place and returns their norm: 0 if the move is to be skipped."""
        torch._foreach_mul_(gradients, self.scale.reciprocal())
        norm = torch.nn.utils.get_total_norm(gradients)
        fine = norm.isfinite()
        self.overflow.copy_(~fine)
        self.good.copy_(torch.where(fine, self.good + 1, 0.0))
        doubled = self.good == GROWTH_INTERVAL
        self.scale.mul_(torch.where(fine, torch.where(doubled, 2.0, 1.0), 0.5))
        self.good.masked_fill_(doubled, 0.0)
        return torch.where(fine, norm, 0.0)

    def state(self) -> dict[str, Any]:
        return {"scale": self.scale, "good": self.good}

    def restore(self, state: dict[str, Any]) -> None:
        self.scale.copy_(state["scale"])
        self.good.copy_(state["good"])
