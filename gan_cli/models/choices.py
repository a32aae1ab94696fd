"""A generator of rows of a table: the features of a category are shares, which add up to 1."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

BOUND = 15.0  # of a logit on either side: e³⁰ to 1 is a choice
ALONE = -1  # a feature that is a number of its own


class Choices(nn.Module):
    """A network of points whose features are numbers, or shares of a category: a softmax over each of these.

    Which feature belongs to which category is a buffer, so that a checkpoint knows it; see ``choose``. Shares are soft,
    as D could not pass a gradient through a choice (Camino et al. 2018); logits are bounded, so that none overflows.

    Attributes:
        count: how many categories there are.
    """

    group: Tensor
    of_this_run = ("group",)  # buffers that no other run is asked for: see ``gan_cli.training.taking``

    def __init__(self, network: nn.Module, features: int) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("group", torch.full((features,), ALONE, dtype=torch.int64))
        self.count = 0
        self.register_load_state_dict_post_hook(lambda module, _: module._counted())

    def choose(self, groups: Sequence[int]) -> None:
        """Says the category of each feature, by number; −1 for a number of its own."""
        self.group.copy_(torch.tensor(groups, dtype=torch.int64))
        self._counted()

    def _counted(self) -> None:
        self.count = int(self.group.max()) + 1

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.network(z, labels)  # (B, d)
        if not self.count:
            return x
        each, alone = torch.arange(self.count, device=x.device), self.group == ALONE
        belongs = (self.group[:, None] == each).to(x.dtype)  # (d, K)
        weights = (BOUND * (x / BOUND).tanh()).exp()
        totals = weights @ belongs @ belongs.T + alone.to(x.dtype)  # (B, d); 1 of a number, which is divided by nothing
        return torch.where(alone, x, weights / totals)
