"""n-grams: the frequencies of each level given the n − 1 pixels before it, counted."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gan_cli.models.heads import from_raster_order, in_raster_order, uniform_of
from gan_cli.models.units import from_levels


class NGram(nn.Module):
    """p(xᵢ = v | xᵢ₋ₙ₊₁ … xᵢ₋₁) = (N(context, v) + α) / (N(context) + α L), in raster order, wherever in the picture.

    What comes before the first pixel is a level of its own. N is a weight in float64, which holds whole numbers up to
    2⁵³ exactly; a label has counts of its own.

    Args:
        shape: of a picture, (C, H, W); D = C·H·W numbers.
        classes: labels it is given, or 0.
        levels: L.
        n: pixels that belong together.
        smoothing: α, as if everything had been seen so often before.
    """

    def __init__(self, shape: tuple[int, ...], classes: int, levels: int, n: int, smoothing: float) -> None:
        super().__init__()
        self.shape, self.levels, self.n, self.smoothing = shape, levels, n, smoothing
        self.dimensions = self.latent = math.prod(shape)
        self.contexts = (levels + 1) ** (n - 1)
        self.counts = nn.Parameter(torch.zeros(max(1, classes) * self.contexts, levels, dtype=torch.float64))

    def contexts_of(self, k: Tensor, labels: Tensor | None) -> Tensor:
        """Which row of the counts each pixel belongs to, int64 (B, D), of levels in raster order."""
        before = nn.functional.pad(k, (self.n - 1, 0), value=self.levels)[:, : self.n + self.dimensions - 2]
        rows = torch.zeros_like(k)
        for back in range(self.n - 1):  # the farthest first
            rows = rows * (self.levels + 1) + before[:, back : back + self.dimensions]
        return rows if labels is None else rows + self.contexts * labels[:, None]

    def places(self, k: Tensor, labels: Tensor | None) -> Tensor:
        """Which of all counts each pixel belongs to, int64 (B, D), of levels (B, C, H, W)."""
        k = in_raster_order(k)
        return self.contexts_of(k, labels) * self.levels + k

    def log_p(self, k: Tensor, labels: Tensor | None, strengths: object = None) -> Tensor:
        """log p(x) in nats, float64 (B,), of levels k, int64 (B, C, H, W)."""
        places = self.places(k, labels)
        whole = self.counts.sum(dim=1)[places // self.levels] + self.smoothing * self.levels
        return ((self.counts.flatten()[places] + self.smoothing).log() - whole.log()).sum(dim=1)

    @torch.no_grad()
    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Draws pixel by pixel: z (B, D) in (−1, 1) → x (B, C, H, W) in [−1, 1]."""
        u, base = uniform_of(z).double(), self.levels + 1
        row = torch.full((len(z),), self.contexts - 1, device=z.device)  # nothing but what comes before
        first = 0 if labels is None else self.contexts * labels
        drawn = []
        for i in range(self.dimensions):
            seen = self.counts[first + row] + self.smoothing  # (B, L)
            below = (seen.cumsum(dim=1) / seen.sum(dim=1, keepdim=True))[:, :-1]
            k = (below <= u[:, i, None]).sum(dim=1)
            row = (row * base + k) % self.contexts
            drawn.append(k)
        return from_levels(from_raster_order(torch.stack(drawn, dim=1), self.shape), self.levels)
