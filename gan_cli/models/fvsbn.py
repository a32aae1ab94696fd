"""The fully visible sigmoid belief net (Frey, Hinton & Dayan 1996): a logistic regression for each pixel."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from gan_cli.models.heads import Head, from_raster_order, in_raster_order, share, uniform_of
from gan_cli.models.labels import with_label
from gan_cli.models.units import from_levels


class FVSBN(nn.Module):
    """log p(x) = Σᵢ log p(xᵢ | x₁ … xᵢ₋₁), each with the numbers bᵢ + Σⱼ Wᵢⱼ xⱼ, j < i, in raster order.

    For binary pixels p(xᵢ = 1 | …) = σ(bᵢ + Σⱼ Wᵢⱼ xⱼ). A label adds a row of its own to b.

    Args:
        shape: the shape of a picture, (C, H, W), which has D = C·H·W pixels.
        classes: the number of labels, or 0.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, head: Head) -> None:
        super().__init__()
        self.shape, self.classes, self.head = shape, classes, head
        self.dimensions = self.latent = math.prod(shape)
        self.weight = nn.Parameter(torch.zeros(self.dimensions * head.size, self.dimensions + classes))
        self.bias = nn.Parameter(0.01 * torch.randn(self.dimensions * head.size))  # no two outputs begin alike

    @property
    def masked(self) -> Tensor:
        """W, masked so that a pixel depends only on those before it: (D·size, D + classes)."""
        earlier = torch.ones(self.dimensions, self.dimensions, dtype=torch.bool, device=self.weight.device).tril(-1)
        seen = nn.functional.pad(earlier, (0, self.classes), value=True).repeat_interleave(self.head.size, dim=0)
        return self.weight * seen

    def conditionals(self, y: Tensor, labels: Tensor | None) -> Tensor:
        """The input of the head for each pixel, (B, D, size), given pixels y in raster order, (B, D) in [0, 1]."""
        return linear(with_label(y, labels, self.classes), self.masked, self.bias).unflatten(1, (self.dimensions, -1))

    def log_p(self, k: Tensor, labels: Tensor | None, strengths: object = None) -> Tensor:
        """log p(x) in nats, (B,), of levels k, int64 (B, C, H, W)."""
        k = in_raster_order(k)
        return self.head.log_prob(self.conditionals(share(k, self.head.levels), labels), k).sum(dim=1)

    @torch.no_grad()
    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Draws pixel by pixel: z (B, D) in (−1, 1) → x (B, C, H, W) in [−1, 1]."""
        u, weight = uniform_of(z), self.masked
        given = linear(with_label(z[:, :0], labels, self.classes), weight[:, self.dimensions :], self.bias)
        given = given.unflatten(1, (self.dimensions, -1))  # (B, D, size), of no pixel yet
        drawn = []
        for i in range(self.dimensions):
            k = self.head.quantile(given[:, i], u[:, i])
            column = weight[:, i].view(1, self.dimensions, -1)
            given = given + share(k, self.head.levels)[:, None, None] * column
            drawn.append(k)
        return from_levels(from_raster_order(torch.stack(drawn, dim=1), self.shape), self.head.levels)
