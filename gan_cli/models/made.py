"""MADE: a perceptron that is masked into a fully visible belief net (Germain, Gregor, Murray & Larochelle 2015)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad, relu

from gan_cli.models.heads import Head, from_raster_order, in_raster_order, share, uniform_of
from gan_cli.models.labels import with_label
from gan_cli.models.units import from_levels
from gan_cli.models.widening import widened
from gan_cli.random import stream


class MaskedLinear(nn.Linear):
    """b + (W ⊙ M) x, (B, in) → (B, out)."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return linear(x, self.weight if mask is None else self.weight * mask, self.bias)


class MADE(nn.Module):
    """log p(x) = Σ_d log p(x_d | those before it in the order), all of them in one pass.

    Every unit has a degree m. Inputs have their place in the order, 1 … D; a hidden unit has one of 1 … D − 1, and is
    connected to units of a degree up to its own; an output is connected to units of a degree below its own. So with
    M_kj = [m_k ≥ m_j] between hidden layers and M_dk = [m_d > m_k] to the outputs (equations 12 and 13),

        h = relu(b + (W ⊙ M) x),   given = c + (V ⊙ M) h + (A ⊙ M) x   (A: direct connections, if any).

    Where labels have no direct connections, an eighth of each hidden layer has the degree 0: it sees labels alone, and
    every pixel sees it, the first ones too, which see no other unit or few.

    Of several masks, a move of the training takes one; the model is the mixture of all, p(x) = 1/K Σ_k p_k(x).

    Args:
        shape: of a picture, (C, H, W); D = C·H·W numbers.
        classes: labels it is given, or 0; they are inputs of degree 0, which everybody sees.
        hidden: units of each layer.
        masks: K.
        order: ``natural``, the raster order, or ``random``, one of its own for each mask.
        seed: what degrees are drawn from.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        head: Head,
        hidden: Sequence[int],
        masks: int,
        order: str,
        direct: bool,
        seed: int,
    ) -> None:
        super().__init__()
        self.shape, self.classes, self.head, self.masks = shape, classes, head, masks
        self.dimensions = size = math.prod(shape)
        self.latent = size + (masks > 1)  # one more number chooses a mask
        sizes = [size + classes, *hidden]
        self.hidden = [MaskedLinear(inputs, outputs) for inputs, outputs in pairwise(sizes)]
        self.layers = nn.ModuleList(self.hidden)
        self.out = MaskedLinear(sizes[-1], size * head.size)
        self.direct = MaskedLinear(size + classes, size * head.size, bias=False) if direct else None
        of_labels = bool(classes) and not direct
        for i, degrees in enumerate(drawn_degrees(size, hidden, masks, order, seed, of_labels)):
            self.register_buffer(f"degrees{i}", degrees)

    def degrees(self, mask: Tensor) -> list[Tensor]:
        """Those of one mask, of every layer; labels have 0."""
        of_all = [self.get_buffer(f"degrees{i}") for i in range(len(self.hidden) + 1)]
        found = [degrees.index_select(0, mask)[0] for degrees in of_all]
        return [pad(found[0], (0, self.classes)), *found[1:]]

    def connections(self, mask: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """Which there are: of the hidden layers, to the outputs, and past them; bool (out, in) each."""
        degrees = self.degrees(mask)
        last = degrees[0][: self.dimensions, None].repeat_interleave(self.head.size, dim=0)
        hidden = [own[:, None] >= before for before, own in pairwise(degrees)]
        return hidden, last > degrees[-1], last > degrees[0]

    def conditionals(self, y: Tensor, labels: Tensor | None, mask: Tensor) -> Tensor:
        """What the head is given for each pixel, (B, D, size), of pixels y in raster order, (B, D) in [0, 1].

        Args:
            mask: which, int64 (1,).
        """
        hidden, out, direct = self.connections(mask)
        y = h = with_label(y, labels, self.classes)
        for layer, connected in zip(self.hidden, hidden, strict=True):
            h = relu(layer(h, connected))
        given = self.out(h, out)
        if self.direct is not None:
            given = given + self.direct(y, direct)
        return given.unflatten(1, (self.dimensions, -1))

    def log_p(self, k: Tensor, labels: Tensor | None, strengths: Mapping[str, float | Tensor] | None = None) -> Tensor:
        """log p(x) in nats, (B,), of levels k, int64 (B, C, H, W); ``strengths`` may say by which mask alone."""
        k = in_raster_order(k)
        y = share(k, self.head.levels)

        def by(mask: Tensor) -> Tensor:
            return self.head.log_prob(widened(self.conditionals(y, labels, mask)), k).sum(dim=1)

        chosen = (strengths or {}).get("mask")
        if chosen is not None:  # a tensor where moves are recorded; filled on the device, which so waits for nobody
            return by(
                (chosen if isinstance(chosen, Tensor) else torch.full((), chosen, device=k.device)).long().view(1)
            )
        each = [by(torch.full((1,), mask, device=k.device)) for mask in range(self.masks)]
        return torch.stack(each).logsumexp(dim=0) - math.log(self.masks)

    @torch.no_grad()
    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Draws pixel by pixel: z (B, D) in (−1, 1) → x (B, C, H, W) in [−1, 1].

        Of several masks, the last number of z chooses one: (B, D + 1).
        """
        u = uniform_of(z)
        chosen = (u[:, -1] * self.masks).long() if self.masks > 1 else torch.zeros(len(u), dtype=torch.int64)
        rows = torch.zeros(len(u), self.dimensions, dtype=torch.int64, device=z.device)
        for mask in chosen.unique().tolist():
            drawn = self.draw(u[:, : self.dimensions], labels, torch.tensor([mask], device=z.device))
            rows = torch.where((chosen == mask).to(z.device)[:, None], drawn, rows)
        return from_levels(from_raster_order(rows, self.shape), self.head.levels)

    def draw(self, u: Tensor, labels: Tensor | None, mask: Tensor) -> Tensor:
        """Levels in raster order, int64 (B, D), by one mask.

        All that is known stays: a pixel is added to what the first layer and the outputs are given, and a hidden unit
        is computed once, as soon as all pixels of a degree up to its own are there. So a draw costs one pass.
        """
        connected, to_outputs, past_them = self.connections(mask)
        hidden = [layer.weight * seen for layer, seen in zip(self.hidden, connected, strict=True)]
        out, direct = self.out.weight * to_outputs, None if self.direct is None else self.direct.weight * past_them
        degrees, size = self.degrees(mask), self.dimensions
        label = with_label(u[:, :0], labels, self.classes)  # (B, classes)
        first = linear(label, hidden[0][:, size:], self.hidden[0].bias)  # (B, H)
        past = None if direct is None else linear(label, direct[:, size:])  # (B, D·size of the head)
        values = [u.new_zeros(len(u), len(own)) for own in degrees[1:]]
        rows = torch.zeros(u.shape, dtype=torch.int64, device=u.device)
        for step, pixel in enumerate(degrees[0][:size].argsort().tolist()):
            for i, own in enumerate(degrees[1:]):
                units = (own == step).nonzero()[:, 0]
                if i == 0:
                    values[0][:, units] = relu(first[:, units])
                else:
                    values[i][:, units] = relu(linear(values[i - 1], hidden[i][units], self.hidden[i].bias[units]))
            numbers = slice(pixel * self.head.size, (pixel + 1) * self.head.size)
            given = linear(values[-1], out[numbers], self.out.bias[numbers])
            if past is not None:
                given = given + past[:, numbers]
            rows[:, pixel] = self.head.quantile(given, u[:, pixel])
            y = share(rows[:, pixel, None], self.head.levels)
            first = first + y * hidden[0][:, pixel]
            if past is not None and direct is not None:
                past = past + y * direct[:, pixel]
        return rows


def drawn_degrees(
    size: int, hidden: Sequence[int], masks: int, order: str, seed: int, of_labels: bool = False
) -> list[Tensor]:
    """Degrees of the inputs and of every hidden layer, int64 (masks, units) each.

    Those of hidden units are uniform between the least of the layer before and D − 1 (section 3).

    Args:
        of_labels: whether the first eighth of each hidden layer has 0.
    """
    inputs: list[Tensor] = []
    layers: list[list[Tensor]] = [[] for _ in hidden]
    for mask in range(masks):
        generator = stream(seed, "masks", mask)
        natural = torch.arange(1, size + 1, device="cpu")
        before = natural if order == "natural" else natural[torch.randperm(size, generator=generator, device="cpu")]
        inputs.append(before)
        for layer, units in zip(layers, hidden, strict=True):
            before = torch.randint(int(before.min()), max(2, size), (units,), generator=generator, device="cpu")
            before[: -(-units // 8) if of_labels else 0] = 0
            layer.append(before)
    return [torch.stack(inputs), *(torch.stack(layer) for layer in layers)]
