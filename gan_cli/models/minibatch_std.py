"""Minibatch standard deviation (Karras et al. 2018, section 3): D sees how much the samples of a batch differ."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_cli.distributed import variance


def with_deviation(x: Tensor) -> Tensor:
    """One more feature or plane: the standard deviation over the batch, averaged over everything else."""
    deviation = (variance(x.float()) + 1e-8).sqrt().mean().to(x.dtype)
    return torch.cat([x, deviation.expand(len(x), 1, *x.shape[2:])], dim=1)
