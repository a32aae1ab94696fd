"""Minibatch standard deviation (Karras et al. 2018, section 3): D sees how much the samples of a batch differ."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_cli.distributed import note_minibatch, variance


def with_deviation(x: Tensor, group: int = 0) -> Tensor:
    """One more feature or plane: the standard deviation over the batch, averaged over everything else.

    Args:
        group: over groups of so many neighbours in the batch instead, or of the next smaller number that divides it;
            0: over the whole of it, that of all processes.
    """
    if not group:
        deviation = (variance(x.float()) + 1e-8).sqrt().mean().to(x.dtype)
        return torch.cat([x, deviation.expand(len(x), 1, *x.shape[2:])], dim=1)
    if len(x) % group:
        note_minibatch("the minibatch deviation")
    parts = x.float().unflatten(0, (-1, group_of(len(x), group)))  # (groups, neighbours, …)
    deviations = (parts.var(dim=1, correction=0) + 1e-8).sqrt().flatten(1).mean(dim=1).to(x.dtype)
    of_each = deviations.repeat_interleave(parts.shape[1]).view(-1, 1, *[1] * (x.dim() - 2))
    return torch.cat([x, of_each.expand(-1, -1, *x.shape[2:])], dim=1)


def group_of(batch: int, most: int) -> int:
    """The size of the groups that a batch is divided into."""
    return next(size for size in range(min(most, batch), 0, -1) if batch % size == 0)
