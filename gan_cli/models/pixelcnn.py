"""PixelCNN: a fully visible belief net of convolutions (van den Oord et al. 2016, and with gates 2016b)."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from gan_cli.models.heads import Head, in_raster_order, share, uniform_of
from gan_cli.models.masked_conv import MaskedConv, still
from gan_cli.models.units import from_levels
from gan_cli.models.widening import widened

FIRST = 7  # side of the first kernel


class Body(Protocol):
    """Features of each pixel that follow from those before it alone."""

    def __call__(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """(B, C, H, W) → (B, F, H, W)."""
        ...

    def begin(self, x: Tensor, labels: Tensor | None) -> Draft:
        """The same, place by place, of a picture that is being drawn: (B, C, H + 6, W + 6), three zeros around it."""
        ...


class Draft(Protocol):
    """A picture that is being drawn, and all activations of what has been drawn of it."""

    def row(self, i: int) -> None:
        """Row i begins: everything above is there."""
        ...

    def pixel(self, i: int, j: int) -> Tensor:
        """Its features, (B, F), given everything before it."""
        ...


class PixelCNN(nn.Module):
    """log p(x) = Σᵢ log p(xᵢ | x₁ … xᵢ₋₁), all of them in one pass of masked convolutions.

    Drawing keeps the activations of what is drawn, so that a picture costs the work of about one pass, in as many steps
    as there are pixels and channels.

    Args:
        shape: of a picture, (C, H, W).
        body: from pixels to features.
        features: F, the channels of the body.
    """

    def __init__(self, shape: tuple[int, ...], head: Head, body: Body, features: int) -> None:
        super().__init__()
        self.shape, self.head = shape, head
        self.latent = math.prod(shape)
        assert isinstance(body, nn.Module)
        self.body = body
        self.hidden = MaskedConv(features, features, (1, 1), "up to here", shape[0])
        self.out = MaskedConv(features, shape[0] * head.size, (1, 1), "up to here", shape[0])

    def conditionals(self, y: Tensor, labels: Tensor | None) -> Tensor:
        """What the head is given for each pixel, (B, H, W, C, size), of pixels y (B, C, H, W) in [0, 1]."""
        given = self.out(relu(self.hidden(relu(self.body(y, labels)))))
        return given.unflatten(1, (self.shape[0], -1)).permute(0, 3, 4, 1, 2)

    def log_p(self, k: Tensor, labels: Tensor | None, strengths: object = None) -> Tensor:
        """log p(x) in nats, (B,), of levels k, int64 (B, C, H, W)."""
        given = widened(self.conditionals(share(k, self.head.levels), labels)).flatten(1, 3)
        return self.head.log_prob(given, in_raster_order(k)).sum(dim=1)

    @torch.no_grad()
    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Draws pixel by pixel: z (B, H·W·C) in (−1, 1) → x (B, C, H, W) in [−1, 1]."""
        channels, height, width = self.shape
        u = uniform_of(z).view(-1, height, width, channels)
        side = FIRST // 2
        y = pad(u.new_zeros(len(z), *self.shape), (side,) * 4)
        drawn = torch.zeros(len(z), *self.shape, dtype=torch.int64, device=z.device)
        with still(self):
            draft = self.body.begin(y, labels)
            for i in range(height):
                draft.row(i)
                for j in range(width):
                    for c in range(channels):
                        features = relu(draft.pixel(i, j))
                        given = self.out.at(relu(self.hidden.at(features))).unflatten(1, (channels, -1))[:, c]
                        drawn[:, c, i, j] = k = self.head.quantile(given, u[:, i, j, c])
                        y[:, c, i + side, j + side] = share(k, self.head.levels)
        return from_levels(drawn, self.head.levels)


def place_for(batch: int, features: int, like: Tensor, side: int) -> Tensor:
    """Zeros for the activations of a picture, ``side`` of them around it; ``like``: the padded picture."""
    height, width = (size - 2 * (FIRST // 2) + 2 * side for size in like.shape[2:])
    return like.new_zeros(batch, features, height, width)
