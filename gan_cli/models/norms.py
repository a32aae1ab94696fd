"""Norms by name, and such whose scale and shift belong to a label."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.parametrizations import spectral_norm

from gan_cli.data.conditions import Columns


def normalisation(kind: str, channels: int, affine: bool = True, *, of_signals: bool = False) -> nn.Module:
    """A norm of pictures (B, C, H, W): batch, instance, group, layer; of any other name none.

    Args:
        affine: whether it learns a scale and a shift of each channel.
        of_signals: whether it is one of signals (B, C, L).
    """
    if kind == "batch":
        return (nn.BatchNorm1d if of_signals else nn.BatchNorm2d)(channels, affine=affine)
    if kind == "instance":
        return (nn.InstanceNorm1d if of_signals else nn.InstanceNorm2d)(channels, affine=affine)
    if kind == "group":
        groups = next(groups for groups in (8, 4, 2, 1) if channels % groups == 0)
        return nn.GroupNorm(groups, channels, affine=affine)
    if kind == "layer":
        return nn.GroupNorm(1, channels, affine=affine)
    return nn.Identity()


def with_spectral_norms(stages: nn.Sequential, out: nn.Linear) -> None:
    """Gives the convolutions of a discriminator, and its last layer, a spectral norm."""
    for part in (*stages, out):
        if isinstance(part, _ConvNd | nn.Linear):
            spectral_norm(part)


class OfLabel(nn.Module):
    """A scale and a shift of each channel that belong to a label; of conditions, linear functions of them."""

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(classes, channels))
        self.shift = nn.Parameter(torch.zeros(classes, channels))
        self.linear = isinstance(classes, Columns)
        if self.linear:
            nn.init.zeros_(self.scale)
            self.own = nn.Parameter(torch.stack([torch.ones(channels), torch.zeros(channels)]))  # with conditions of 0

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """``x`` (B, C, H, W), ``code`` the labels one-hot, (B, K), or conditions."""
        if self.linear:
            scale, shift = self.own[0] + code @ self.scale, self.own[1] + code @ self.shift
            return torch.addcmul(shift[:, :, None, None], x, scale[:, :, None, None])
        return torch.addcmul((code @ self.shift)[:, :, None, None], x, (code @ self.scale)[:, :, None, None])


class ConditionalNorm(nn.Module):
    """A norm with a scale and a shift for each label (Dumoulin et al. 2017; de Vries et al. 2017).

    Without labels (``classes`` is 0), a norm with one of each.
    """

    def __init__(self, kind: str, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = normalisation(kind, channels, affine=not classes)
        if classes:
            self.of_label = OfLabel(classes, channels)

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """``x`` (B, C, H, W), ``code`` the labels one-hot, (B, K), or None without labels."""
        return self.norm(x) if code is None else self.of_label(self.norm(x), code)
