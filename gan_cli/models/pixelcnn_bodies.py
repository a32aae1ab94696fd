"""The two bodies of a PixelCNN: with the blind spot of its first paper, and without."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from gan_cli.data.conditions import Columns
from gan_cli.models.masked_conv import MaskedConv
from gan_cli.models.pixelcnn import FIRST, place_for


def of_label(classes: int, features: int) -> nn.Module | None:
    """What a label adds to each feature, or each condition in proportion: labels → (B, features)."""
    if isinstance(classes, Columns):
        return nn.Linear(classes, features, bias=False)
    return nn.Embedding(classes, features) if classes else None


def added(x: Tensor, label: nn.Module | None, labels: Tensor | None) -> Tensor:
    """x (B, F, …) with what a label adds to each feature."""
    if label is None:
        return x
    if labels is None:
        raise ValueError("a conditional model needs labels")
    return x + label(labels).view(*x.shape[:2], *[1] * (x.dim() - 2))


class ResidualBlock(nn.Module):
    """h + expand(relu(conv(relu(squeeze(relu(h)))))), at half the width (2016, figure 5)."""

    def __init__(self, features: int, kernel: int, colours: int, classes: int) -> None:
        super().__init__()
        half = max(colours, features // 2)
        self.squeeze = MaskedConv(features, half, (1, 1), "up to here", colours)
        self.conv = MaskedConv(half, half, (kernel, kernel), "up to here", colours)
        self.expand = MaskedConv(half, features, (1, 1), "up to here", colours)
        self.label = of_label(classes, half)

    def forward(self, h: Tensor, labels: Tensor | None) -> Tensor:
        seen = added(self.conv(relu(self.squeeze(relu(h)))), self.label, labels)
        return h + self.expand(relu(seen))


class Residual(nn.Module):
    """The body of 2016: one stack of masked convolutions; what lies to the upper right of a pixel it never sees."""

    def __init__(self, features: int, layers: int, kernel: int, colours: int, classes: int) -> None:
        super().__init__()
        self.first = MaskedConv(colours, features, (FIRST, FIRST), "before", colours)
        self.layers = [ResidualBlock(features, kernel, colours, classes) for _ in range(layers)]
        self.blocks = nn.ModuleList(self.layers)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        h = self.first(x)
        for block in self.layers:
            h = block(h, labels)
        return h

    def begin(self, x: Tensor, labels: Tensor | None) -> ResidualDraft:
        return ResidualDraft(self, x, labels)


class ResidualDraft:
    """The activations that enter the 3 × 3 convolutions, as far as the picture is drawn."""

    def __init__(self, body: Residual, x: Tensor, labels: Tensor | None) -> None:
        self.body, self.x, self.labels = body, x, labels
        kernels = [block.conv.kernel_size[0] for block in body.layers]
        inputs = [block.conv.in_channels for block in body.layers]
        self.kept = [place_for(len(x), n, x, kernel // 2) for n, kernel in zip(inputs, kernels, strict=True)]

    def row(self, i: int) -> None:
        """Nothing is known of a row but what each pixel finds out."""

    def pixel(self, i: int, j: int) -> Tensor:
        h = self.body.first.at(self.x[:, :, i : i + FIRST, j : j + FIRST])
        for block, kept in zip(self.body.layers, self.kept, strict=True):
            kernel = block.conv.kernel_size[0]
            kept[:, :, i + kernel // 2, j + kernel // 2] = relu(block.squeeze.at(relu(h)))
            seen = block.conv.at(kept[:, :, i : i + kernel, j : j + kernel])
            h = h + block.expand.at(relu(added(seen, block.label, self.labels)))
        return h


def gated(a: Tensor) -> Tensor:
    """tanh of one half of the features, times σ of the other."""
    value, gate = a.chunk(2, dim=1)
    return torch.tanh(value) * torch.sigmoid(gate)


class GatedBlock(nn.Module):
    """A vertical stack that sees the rows above, and a horizontal one that sees it and the left (2016b, figure 2)."""

    def __init__(self, features: int, kernel: int, colours: int, classes: int) -> None:
        super().__init__()
        self.vertical = MaskedConv(features, 2 * features, (kernel, kernel), "down to here", colours)
        self.link = nn.Conv2d(2 * features, 2 * features, 1)
        self.horizontal = MaskedConv(features, 2 * features, (1, kernel), "up to here", colours, twice=True)
        self.residual = MaskedConv(features, features, (1, 1), "up to here", colours)
        self.label = of_label(classes, 2 * features)

    def forward(self, v: Tensor, h: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        a = added(self.vertical(v), self.label, labels)
        b = self.horizontal(h) + self.link(a)
        return gated(a), h + self.residual(gated(b))


class Gated(nn.Module):
    """The body of 2016b: two stacks of gated convolutions, which together see everything before a pixel."""

    def __init__(self, features: int, layers: int, kernel: int, colours: int, classes: int) -> None:
        super().__init__()
        self.above = MaskedConv(colours, features, (FIRST, FIRST), "above", colours)
        self.left = MaskedConv(colours, features, (1, FIRST), "before", colours)
        self.layers = [GatedBlock(features, kernel, colours, classes) for _ in range(layers)]
        self.blocks = nn.ModuleList(self.layers)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        v, h = self.above(x), self.left(x)
        for block in self.layers:
            v, h = block(v, h, labels)
        return h

    def begin(self, x: Tensor, labels: Tensor | None) -> GatedDraft:
        return GatedDraft(self, x, labels)


class GatedDraft:
    """The vertical activations of all rows so far, and the horizontal ones of the row that is being drawn."""

    def __init__(self, body: Gated, x: Tensor, labels: Tensor | None) -> None:
        self.body, self.x, self.labels = body, x, labels
        self.sides = [block.vertical.kernel_size[0] // 2 for block in body.layers]
        features = body.left.out_channels
        self.vertical = [place_for(len(x), features, x, side) for side in self.sides]
        self.horizontal = [kept[:, :, :1].clone() for kept in self.vertical]
        self.links: list[Tensor] = []

    def row(self, i: int) -> None:
        """The vertical stack of row i, which follows from the rows above."""
        v, self.links = self.body.above.along(self.x[:, :, i : i + FIRST]), []
        for block, kept, side in zip(self.body.layers, self.vertical, self.sides, strict=True):
            kept[:, :, i + side, side : kept.shape[3] - side] = v
            a = added(block.vertical.along(kept[:, :, i : i + 2 * side + 1]), block.label, self.labels)
            self.links.append(block.link(a[:, :, None])[:, :, 0])  # (B, 2F, W)
            v = gated(a)

    def pixel(self, i: int, j: int) -> Tensor:
        row = i + FIRST // 2
        h = self.body.left.at(self.x[:, :, row : row + 1, j : j + FIRST])
        for block, kept, side, link in zip(self.body.layers, self.horizontal, self.sides, self.links, strict=True):
            kept[:, :, 0, j + side] = h
            b = block.horizontal.at(kept[:, :, :, j : j + 2 * side + 1]) + link[:, :, j]
            h = h + block.residual.at(gated(b))
        return h
