"""Conditional models after Mirza & Osindero (2014): the label is appended to the input, one-hot."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot


def with_label(x: Tensor, labels: Tensor | None, classes: int) -> Tensor:
    """``x`` (B, F) or (B, C, H, W) with ``classes`` more features or constant planes; unchanged if ``classes`` is 0."""
    if not classes:
        return x
    if labels is None:
        raise ValueError("a conditional model needs labels")
    code = one_hot(labels, classes).to(x.dtype)  # (B, K)
    if x.dim() == 4:
        code = code[:, :, None, None].expand(-1, -1, *x.shape[2:])  # (B, K, H, W)
    return torch.cat([x, code], dim=1)
