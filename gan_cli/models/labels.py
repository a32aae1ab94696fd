"""Conditional models after Mirza & Osindero (2014): the label is appended to the input, one-hot."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot


def with_label(x: Tensor, labels: Tensor | None, classes: int) -> Tensor:
    """``x`` (B, F) or (B, C, H, W) with ``classes`` more features or constant planes; unchanged if ``classes`` is 0."""
    if not classes:
        return x
    code = one_hot_of(labels, classes, x)  # (B, K)
    if x.dim() == 4:
        code = code[:, :, None, None].expand(-1, -1, *x.shape[2:])  # (B, K, H, W)
    return torch.cat([x, code], dim=1)


def one_hot_of(labels: Tensor | None, classes: int, like: Tensor) -> Tensor:
    """Labels (B,) as (B, classes), in the format of ``like``. Raises ValueError if there are none."""
    if labels is None:
        raise ValueError("a conditional model needs labels")
    return one_hot(labels, classes).to(like.dtype)
