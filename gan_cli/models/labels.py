"""Conditional models after Mirza & Osindero (2014): the label is appended to the input.

Labels are classes, int64 (B,), which are given one-hot, or conditions, float32 (B, k), as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from gan_cli.data.conditions import Columns


def with_label(x: Tensor, labels: Tensor | None, classes: int) -> Tensor:
    """``x`` (B, F), (B, C, L) or (B, C, H, W) with ``classes`` more features or planes; as it is if that is 0."""
    if not classes:
        return x
    code = one_hot_of(labels, classes, x)  # (B, K)
    if x.dim() > 2:
        code = code[(...,) + (None,) * (x.dim() - 2)].expand(-1, -1, *x.shape[2:])  # (B, K, H, W) or (B, K, L)
    return torch.cat([x, code], dim=1)


def appended(module: nn.Module) -> int | None:
    """How many columns labels append to what a network is given; None of what does not say, as its parts."""
    found = getattr(module, "appended", getattr(module, "classes", None))
    return found if isinstance(found, int) else None


def one_hot_of(labels: Tensor | None, classes: int, like: Tensor) -> Tensor:
    """Labels as (B, classes), in the format of ``like``. Raises ValueError if there are none."""
    if labels is None:
        raise ValueError("a conditional model needs labels")
    if labels.is_floating_point():
        return labels.to(like.dtype)
    return one_hot(labels, classes).to(like.dtype)


def blank_labels(classes: int, count: int, device: torch.device | None = None) -> Tensor | None:
    """Labels of the form that networks made for ``classes`` are given, all of them 0; None if these see none."""
    if isinstance(classes, Columns):
        return torch.zeros(count, classes, device=device)
    return torch.zeros(count, dtype=torch.int64, device=device) if classes else None
