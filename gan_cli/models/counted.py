"""Random numbers that are a function of a latent and of how many came before: no generator, and no state.

So a chain of any length follows from a few numbers, row by row, with the same bits on every device.
"""

from __future__ import annotations

import torch
from torch import Tensor

STEP = 0x9E3779B9 - 2**32  # the golden ratio as a 32-bit number: consecutive multiples lie far apart


def scrambled(x: Tensor) -> Tensor:
    """A bijection of int32 that makes neighbours unlike (Wellons' lowbias32); ``x`` is changed in place."""
    x.bitwise_xor_((x >> 16).bitwise_and_(0xFFFF)).mul_(0x7FEB352D)
    x.bitwise_xor_((x >> 15).bitwise_and_(0x1FFFF)).mul_(0x846CA68B - 2**32)
    return x.bitwise_xor_((x >> 16).bitwise_and_(0xFFFF))


class Counted:
    """U(0, 1) numbers: each call gives the next ones of every row.

    Args:
        z: latents, (B, size); every bit of them counts.
    """

    def __init__(self, z: Tensor) -> None:
        self.keys, self.calls = torch.zeros(len(z), 1, dtype=torch.int32, device=z.device), 0
        self.parts = [scrambled(part.clone()) for part in z.float().contiguous().view(torch.int32).split(1, dim=1)]

    def __call__(self, like: Tensor) -> Tensor:
        """One for each number of ``like`` (B, n): in its format, in (0, 1), multiples of 2⁻²⁴ and a half."""
        self.calls += 1
        keys = torch.full_like(self.keys, self.calls)
        for part in self.parts:
            keys = scrambled(keys.mul_(STEP).bitwise_xor_(part))
        places = torch.arange(like.shape[1], dtype=torch.int32, device=like.device).mul_(STEP)
        bits = scrambled(places + keys)
        return ((bits >> 8).bitwise_and_(0xFFFFFF).to(like.dtype) + 0.5) * 2**-24
