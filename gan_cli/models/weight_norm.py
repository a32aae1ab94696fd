"""Weight normalisation with a start that depends on the data (Salimans & Kingma 2016)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn.functional import linear

from gan_cli.distributed import moments
from gan_cli.models.widening import widened

SPREAD = 0.1  # of the entries at the start; rows are as long as the scale says, but longer ones turn more slowly
SMALLEST = 1e-6  # deviation of a unit on the first minibatch, below which it is left as it is


class RowLengths(torch.autograd.Function):
    """‖v‖ of each row of a matrix, (out, in) → (out,); its gradient in one pass, where torch's takes three."""

    generate_vmap_rule = True

    @staticmethod
    def forward(rows: Tensor) -> Tensor:
        return torch.linalg.vector_norm(rows, dim=1)

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        rows, lengths = ctx.saved_tensors  # type: ignore[attr-defined]
        return rows * (gradient / lengths)[:, None]


class WeightNormed(nn.Module):
    """A linear layer whose rows have a length of their own: y = g v·x / ‖v‖ + b, (B, in) → (B, out).

    A layer that has not been started has g = 1 and b = 0. Where a start on data gives every unit mean 0 and variance 1
    there, see ``starting``, g stays from then on, unless it is learnt: how strong a unit is beside noise is then a
    matter of the data, and of nothing that the noise could be escaped by.

    Args:
        learns_scale: whether g is learnt.
    """

    def __init__(self, inputs: int, outputs: int, *, learns_scale: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * SPREAD)  # v
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale: Tensor  # g
        if learns_scale:
            self.scale = nn.Parameter(torch.ones(outputs))
        else:
            self.register_buffer("scale", torch.ones(outputs))
        self.started: Tensor
        self.register_buffer("started", torch.tensor(False))
        self.starts = False

    def forward(self, x: Tensor) -> Tensor:
        # the outputs are scaled rather than the rows, which are many more numbers
        y = widened(linear(x, self.weight))
        if self.starts and not self.started:
            self._start(y)
        return torch.addcmul(self.bias, y, self.scale / RowLengths.apply(self.weight))

    @torch.no_grad()
    def _start(self, y: Tensor) -> None:
        y = y / torch.linalg.vector_norm(self.weight, dim=1)
        centre, variance = moments(y, (0,))
        deviation = torch.where(variance > SMALLEST**2, variance.sqrt(), 1.0)
        self.scale.copy_(1 / deviation)
        self.bias.copy_(-centre / deviation)
        self.started.fill_(True)


@contextmanager
def starting(network: nn.Module) -> Iterator[None]:
    """In this context, weight-normed layers take g and b from the first minibatch that passes through them."""
    layers = weight_normed(network)
    for layer in layers:
        layer.starts = True
    try:
        yield
    finally:
        for layer in layers:
            layer.starts = False


def weight_normed(network: nn.Module) -> list[WeightNormed]:
    """The weight-normed layers of a network."""
    return [part for part in network.modules() if isinstance(part, WeightNormed)]
