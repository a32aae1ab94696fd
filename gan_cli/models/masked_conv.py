"""Convolutions that see only a part of what is around them: rows above, or what comes before in raster order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

Sees = Literal["above", "down to here", "before", "up to here"]


class MaskedConv(nn.Conv2d):
    """A convolution of which some weights are 0: (B, in, H, W) → (B, out, H, W).

    ``above``: the rows above. ``down to here``: these and the whole own row. ``before``: the rows above, what is to the
    left, and of the place itself the channels of colours before the own (the papers' mask A). ``up to here``: the own
    colour too (mask B).

    Args:
        inputs, outputs: channels.
        kernel: height and width, both odd.
        colours: groups of channels, red before green before blue; 1 of grey pictures.
        twice: the outputs are two sets of channels, each with all colours.
    """

    mask: Tensor
    held: Tensor | None = None  # the masked weights, while they stay what they are

    def __init__(
        self, inputs: int, outputs: int, kernel: tuple[int, int], sees: Sees, colours: int, *, twice: bool = False
    ) -> None:
        super().__init__(inputs, outputs, kernel, padding=(kernel[0] // 2, kernel[1] // 2))
        row, column = (torch.arange(size) - size // 2 for size in kernel)
        row, column = row[:, None], column[None, :]
        seen = {
            "above": (row < 0).expand(kernel),
            "down to here": (row <= 0).expand(kernel),
            "before": (row < 0) | ((row == 0) & (column < 0)),
            "up to here": (row < 0) | ((row == 0) & (column < 0)),
        }[sees]
        mask = seen.expand(outputs, inputs, *kernel).clone()
        if sees in ("before", "up to here"):
            own = colours_of(outputs // 2, colours).repeat(2) if twice else colours_of(outputs, colours)
            other, own = colours_of(inputs, colours), own[:, None]
            mask[:, :, kernel[0] // 2, kernel[1] // 2] = own > other if sees == "before" else own >= other
        self.register_buffer("mask", mask, persistent=False)

    @property
    def masked(self) -> Tensor:
        return self.weight * self.mask if self.held is None else self.held

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, self.masked, self.bias, padding=self.padding)

    def at(self, around: Tensor) -> Tensor:
        """What stands at one place, given what is around it: (B, in, *kernel) → (B, out)."""
        return nn.functional.linear(around.flatten(1), self.masked.flatten(1), self.bias)

    def along(self, rows: Tensor) -> Tensor:
        """What stands in one row, given as many rows as the kernel has, padded at the sides: (B, out, W)."""
        return conv2d(rows, self.masked, self.bias)[:, :, 0]


@contextmanager
def still(network: nn.Module) -> Iterator[None]:
    """A context in which the weights of a network do not change, and are masked once."""
    layers = [layer for layer in network.modules() if isinstance(layer, MaskedConv)]
    try:
        for layer in layers:
            layer.held = layer.masked
        yield
    finally:
        for layer in layers:
            layer.held = None


def colours_of(channels: int, colours: int) -> Tensor:
    """The colour of each channel, (channels,)."""
    return torch.arange(channels) * colours // channels
