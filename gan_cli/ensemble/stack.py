"""Tensors of the same names and shapes in several modules, stacked in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

LINE = (
    16  # elements: every tensor begins at a cache line, and no kernel handles a remainder, which it may round otherwise
)


class Stack:
    """Moves E sets of tensors, of one dtype, into one matrix (E, width); the tensors become views of its rows.

    So the modules always have the values in the matrix, and nothing has to be copied back.
    """

    def __init__(self, sets: Sequence[Mapping[str, Tensor]]) -> None:
        self.shapes = {name: tensor.shape for name, tensor in sets[0].items()}
        self.places: dict[str, slice] = {}
        width = 0
        for name, shape in self.shapes.items():
            self.places[name] = slice(width, width + shape.numel())
            width += -(-shape.numel() // LINE) * LINE
        some = next(iter(sets[0].values()), torch.empty(0))
        self.flat = torch.zeros(len(sets), width, dtype=some.dtype, device=some.device)
        for row, tensors in zip(self.flat, sets, strict=True):
            for name, view in self.split(row).items():
                view.copy_(tensors[name].detach())
                tensors[name].data = view

    def split(self, flat: Tensor) -> dict[str, Tensor]:
        """(…, width) → views (…, *shape) by name."""
        lead = flat.shape[:-1]
        return {name: flat[..., place].reshape((*lead, *self.shapes[name])) for name, place in self.places.items()}

    def join(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """The inverse of ``split``: (E, *shape) by name → (E, width), with zeros in between."""
        if not self.places:
            return torch.zeros_like(self.flat)
        parts = [tensors[name].reshape(len(self.flat), -1) for name in self.places]
        return torch.cat([pad(part, (0, -part.shape[1] % LINE)) for part in parts], dim=1)
