"""The deep Boltzmann machine of two hidden layers (Salakhutdinov & Hinton 2009), with binary units.

    E(x, h¹, h²) = −(x − μ)ᵀb − (h¹ − λ)ᵀc − (h² − μ²)ᵀb² − (x − μ)ᵀW¹(h¹ − λ) − (h¹ − λ)ᵀW²(h² − μ²)

x and h² do not see each other: together they are one side of a restricted machine, and h¹ is the other. So this is one,
with states s = (x, h²); chains, partition function and annealing serve as they are, and F(s) sums over h¹. New is h²,
which the data do not show.

Centring is what lets both layers learn at once, without one machine trained on top of the other before (Montavon &
Müller 2012).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from gan_cli.models.rbm import BinaryRBM


class DeepBM(BinaryRBM):
    """States s = (x, h²), (B, D + H₂); those of data have h² at its mean field m², the fixed point of

        m¹ = sigmoid(c + W¹ᵀ(x − μ) + W²(m² − μ²)),   m² = sigmoid(b² + W²ᵀ(m¹ − λ)).

    With q(h¹, h²) of these means, log p(x) ≥ E_q[−E] + H(q) − log Z = −F(x, m²) + H(m²) − log Z.

    Args:
        hidden: H₁, between the pixels and h².
        deep: H₂.
        updates: of the mean field, from the mean of h² on.
    """

    bound = "mean field"

    def __init__(self, shape: tuple[int, ...], hidden: int, deep: int, updates: int, centred: bool, chain: int) -> None:
        super().__init__((math.prod(shape) + deep,), hidden, centred, chain)
        self.shape, self.pixels, self.updates = shape, math.prod(shape), updates

    @torch.no_grad()
    def state(self, x: Tensor) -> Tensor:
        pixels = super().state(x)
        above, mu = self.weight[self.pixels :], self.mu[self.pixels :]  # W²ᵀ (H₂, H₁), μ²
        below = torch.addmm(self.c, pixels - self.mu[: self.pixels], self.weight[: self.pixels])
        deep = self.mean[self.pixels :].expand(len(pixels), -1)
        for _ in range(self.updates):
            middle = torch.sigmoid(below + (deep - mu) @ above)
            deep = torch.sigmoid(torch.addmm(self.b[self.pixels :], middle - self.lambda_, above.T))
        return torch.cat([pixels, deep], dim=1)

    def sample(self, state: Tensor) -> Tensor:
        return super().sample(state[:, : self.pixels])

    def log_mass(self, state: Tensor) -> Tensor:
        deep = state[:, self.pixels :]
        return super().log_mass(state) + binary_cross_entropy(deep, deep, reduction="none").sum(dim=1)
