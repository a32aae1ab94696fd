"""Layers of Karras et al. (2018), section 4: an equalised learning rate, and pixelwise normalisation."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gan_cli.models.widening import widened

HE = math.sqrt(2)  # the gain of layers before a rectifier


class Equalised(nn.Module):
    """Weights from N(0, 1), multiplied by gain / √(inputs of a unit) whenever they are used; biases from 0.

    So every weight has the same dynamic range, and an optimizer that normalises its steps learns all of them at the
    same speed (section 4.1).
    """

    def __init__(self, shape: tuple[int, ...], biases: int, gain: float) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(shape)), nn.Parameter(torch.zeros(biases))
        self.scale = gain / math.sqrt(math.prod(shape[1:]))

    @property
    def scaled(self) -> Tensor:
        """The weights as they are used."""
        return self.weight * self.scale


class Linear(Equalised):
    """(B, inputs) → (B, outputs)."""

    def __init__(self, inputs: int, outputs: int, gain: float = HE) -> None:
        super().__init__((outputs, inputs), outputs, gain)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.scaled, self.bias)


class ToStart(Equalised):
    """(B, inputs) → (B, maps, h, w), with one bias for each map."""

    def __init__(self, inputs: int, maps: int, height: int = 4, width: int = 4) -> None:
        super().__init__((height * width * maps, inputs), maps, HE / 4)
        self.sides = height, width

    def forward(self, x: Tensor) -> Tensor:
        y = F.linear(x, self.scaled).unflatten(1, (*self.sides, -1)) + self.bias  # (B, h, w, maps)
        return y.permute(0, 3, 1, 2)  # channels last in memory


class Conv(Equalised):
    """(B, inputs, H, W) → (B, outputs, H, W)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, gain: float = HE) -> None:
        super().__init__((outputs, inputs, kernel, kernel), outputs, gain)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.scaled, self.bias, padding=self.weight.shape[2] // 2)


def rectified(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


def pixel_norm(x: Tensor) -> Tensor:
    """Divides the vector of each pixel, or a whole latent, by the root of its mean square (section 4.2)."""
    wide = widened(x)  # 1e-8 is 0 in float16
    return (wide * (wide.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()).to(x.dtype)


def faded(old: Tensor, new: Tensor, alpha: float | Tensor) -> Tensor:
    """``old`` at α = 0 and ``new`` at α = 1, to the bit; in between, on the line from one to the other."""
    wide = torch.promote_types(torch.promote_types(old.dtype, new.dtype), torch.float32)
    weight = torch.as_tensor(alpha, dtype=wide, device=old.device)
    return torch.lerp(old.to(wide), new.to(wide), weight).to(new.dtype)


def enlarged(x: Tensor, times: int = 2) -> Tensor:
    """Repeats each pixel of pictures (B, C, H, W) in both directions; the sum that is its derivative has one order."""
    if times == 1:
        return x
    rows = x.permute(0, 2, 3, 1)[:, :, None, :, None]  # (B, H, 1, W, 1, C)
    repeated = rows.expand(-1, -1, times, -1, times, -1).flatten(3, 4).flatten(1, 2)
    return repeated.permute(0, 3, 1, 2)  # channels last in memory


def reduced(x: Tensor, times: int = 2) -> Tensor:
    """The means of square blocks of pictures (B, C, H, W), so many pixels a side."""
    return x if times == 1 else F.avg_pool2d(x, times)
