"""Numbers of few bits, before they are added up."""

from __future__ import annotations

import torch
from torch import Tensor


def widened(x: Tensor) -> Tensor:
    """Converts float16 and bfloat16 to float32; other tensors are returned unchanged."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
