"""The fully visible sigmoid belief net (Frey, Hinton & Dayan 1996): a logistic regression for each pixel."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from gan_cli.models.heads import Head, from_raster_order, in_raster_order, share, uniform_of
from gan_cli.models.labels import with_label
from gan_cli.models.made import MaskedLinear
from gan_cli.models.units import from_levels
from gan_cli.models.widening import widened


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
        self.given = MaskedLinear(self.dimensions + classes, self.dimensions * head.size)
        nn.init.zeros_(self.given.weight)
        nn.init.normal_(self.given.bias, std=0.01)  # no two components of a mixture begin alike

    @property
    def connected(self) -> Tensor:
        """What a pixel sees: those before it, and the label; bool (D·size, D + classes)."""
        device = self.given.weight.device
        earlier = torch.ones(self.dimensions, self.dimensions, dtype=torch.bool, device=device).tril(-1)
        return nn.functional.pad(earlier, (0, self.classes), value=True).repeat_interleave(self.head.size, dim=0)

    def conditionals(self, y: Tensor, labels: Tensor | None) -> Tensor:
        """The input of the head for each pixel, (B, D, size), given pixels y in raster order, (B, D) in [0, 1]."""
        given = self.given(with_label(y, labels, self.classes), self.connected)
        return given.unflatten(1, (self.dimensions, -1))

    def log_p(self, k: Tensor, labels: Tensor | None, strengths: object = None) -> Tensor:
        """log p(x) in nats, (B,), of levels k, int64 (B, C, H, W)."""
        k = in_raster_order(k)
        given = widened(self.conditionals(share(k, self.head.levels), labels))
        return self.head.log_prob(given, k).sum(dim=1)

    @torch.no_grad()
    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Draws pixel by pixel: z (B, D) in (−1, 1) → x (B, C, H, W) in [−1, 1]."""
        u, weight = uniform_of(z), self.given.weight * self.connected
        given = linear(with_label(z[:, :0], labels, self.classes), weight[:, self.dimensions :], self.given.bias)
        given = given.unflatten(1, (self.dimensions, -1))  # (B, D, size), of no pixel yet
        drawn = []
        for i in range(self.dimensions):
            k = self.head.quantile(given[:, i], u[:, i])
            column = weight[:, i].view(1, self.dimensions, -1)
            given = given + share(k, self.head.levels)[:, None, None] * column
            drawn.append(k)
        return from_levels(from_raster_order(torch.stack(drawn, dim=1), self.shape), self.head.levels)
