"""Batch norm (Ioffe & Szegedy 2015) over the minibatch of all processes, on any device and for any derivative."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gan_cli.distributed import moments, world


class SyncBatchNorm(nn.modules.batchnorm._BatchNorm):
    """torch's BatchNorm over the samples of all processes, for inputs (B, C) or (B, C, H, W).

    torch's own SyncBatchNorm works on CUDA only and has no second derivative, which gradient penalties need.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or world() == 1:
            return super().forward(x)
        dims = (0, *range(2, x.dim()))
        wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        mean, variance = moments(wide, dims)  # (C,) each
        if self.track_running_stats:
            self._remember(mean.detach(), variance.detach(), world() * x.numel() // x.shape[1])
        scale = (variance + self.eps).rsqrt()
        if self.affine:
            scale = self.weight * scale
        shift = self.bias - scale * mean if self.affine else -scale * mean
        shape = (1, -1, *[1] * (x.dim() - 2))
        y = torch.addcmul(shift.view(shape), wide, scale.view(shape))
        return y.to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)

    def _check_input_dim(self, input: Tensor) -> None:
        """(B, C, …)."""


def synchronise(network: nn.Module) -> None:
    """Replaces every batch norm in a network by a ``SyncBatchNorm`` with the same weights under the same names."""
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
            norm = SyncBatchNorm(child.num_features, child.eps, child.momentum or 0.1, affine=child.affine)
            norm.load_state_dict(child.state_dict())
            setattr(network, name, norm.to(child.running_mean).train(child.training))
        else:
            synchronise(child)
