"""Gradients of float16 networks, kept in range (Micikevicius et al. 2018, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor

START, GROWTH_INTERVAL = 2.0**16, 2000


class Scaler:
    """Multiplies the cost, so that small gradients do not underflow, and divides the gradients by the same factor.

    A move whose gradients overflow is skipped and halves the scale; 2,000 moves in a row without overflow double it.
    All of it happens on the device: the fused optimizer reads ``found_inf``, and the host never waits for it.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, device: torch.device) -> None:
        self.scale = torch.full((), START, device=device)
        self.good = torch.zeros((), device=device)  # moves since the last overflow or doubling
        self.overflow = torch.zeros((), device=device)
        optimizer.found_inf = self.overflow  # type: ignore[attr-defined]

    @torch.no_grad()
    def unscale(self, gradients: list[Tensor]) -> Tensor:
        """Divides the gradients in place and returns their norm: 0 if the move is skipped."""
        torch._foreach_mul_(gradients, self.scale.reciprocal())
        norm = torch.nn.utils.get_total_norm(gradients)
        fine = norm.isfinite()
        self.overflow.copy_(~fine)
        self.good.copy_(torch.where(fine, self.good + 1, 0.0))
        doubled = self.good == GROWTH_INTERVAL
        self.scale.mul_(torch.where(fine, torch.where(doubled, 2.0, 1.0), 0.5))
        self.good.masked_fill_(doubled, 0.0)
        return torch.where(fine, norm, 0.0)

    def state(self) -> dict[str, Tensor]:
        return {"scale": self.scale, "good": self.good}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.scale.copy_(state["scale"])
        self.good.copy_(state["good"])
