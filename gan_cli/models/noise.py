"""Gaussian noise on what a layer is given, in training alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gan_cli.random import normal_like


class Noise(nn.Module):
    """x + N(0, σ²), drawn anew for each number at each pass; in evaluation x itself."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.sigma:
            return x
        return torch.add(x, normal_like(x), alpha=self.sigma)

    def extra_repr(self) -> str:
        return f"sigma={self.sigma:g}"
