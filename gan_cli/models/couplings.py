"""Coupling layers: NICE (Dinh, Krueger & Bengio 2015) and RealNVP (Dinh, Sohl-Dickstein & Bengio 2017)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle, relu

from gan_cli.models.flows import Bijection
from gan_cli.models.labels import with_label
from gan_cli.models.widening import widened

STEEPEST = 2.0  # of a coupling's s, whose tanh is scaled by it

MakeNet = Callable[[int, int], nn.Module]  # numbers, or channels, in and out → a network (x, labels) -> out


class Coupling(Bijection):
    """A part x_A stays, and tells how the other, x_B, moves. With a network of any kind the Jacobian is triangular:

        y_A = x_A,   y_B = f(x_B; network(x_A)),   |det ∂y/∂x| = |det ∂y_B/∂x_B|

    x is (B, D, …): numbers, or channels of pictures. The network's last layer begins at 0, so that y = x.

    Args:
        stays: for each of the D, whether it is in A.
    """

    outputs = 1  # of the network, for each number of x_B

    def __init__(self, stays: Sequence[bool], make: MakeNet) -> None:
        super().__init__()
        a, b = ([i for i, one in enumerate(stays) if one == wanted] for wanted in (True, False))
        if not a or not b:
            raise ValueError(
                "a coupling layer splits a sample in two, and these have one number: use model=spline_flow"
            )
        self.register_buffer("a", torch.tensor(a), persistent=False)
        self.register_buffer("b", torch.tensor(b), persistent=False)
        self.register_buffer("back", torch.tensor(a + b).argsort(), persistent=False)
        self.network = make(len(a), self.outputs * len(b))

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.index_select(1, self.get_buffer("a")), x.index_select(1, self.get_buffer("b"))

    def joined(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.cat([a, b], dim=1).index_select(1, self.get_buffer("back"))


class AdditiveCoupling(Coupling):
    """y_B = x_B + t(x_A): |det ∂y/∂x| = 1 (NICE, section 3.2)."""

    def forward(self, x: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        a, b = self.parts(x)
        return self.joined(a, b + widened(self.network(a, labels))), x.new_zeros(len(x))

    def inverse(self, y: Tensor, labels: Tensor | None) -> Tensor:
        a, b = self.parts(y)
        return self.joined(a, b - widened(self.network(a, labels)))


class AffineCoupling(Coupling):
    """y_B = x_B ⊙ exp(s(x_A)) + t(x_A): log |det ∂y/∂x| = Σ s(x_A) (RealNVP, equations 4 to 6).

    s is a tanh, as in section 4.1, so that no layer scales without bound.
    """

    outputs = 2

    def told(self, a: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """s and t, each as x_B."""
        s, t = widened(self.network(a, labels)).chunk(2, dim=1)
        return STEEPEST * torch.tanh(s / STEEPEST), t

    def forward(self, x: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        a, b = self.parts(x)
        s, t = self.told(a, labels)
        return self.joined(a, b * s.exp() + t), s.flatten(1).sum(dim=1)

    def inverse(self, y: Tensor, labels: Tensor | None) -> Tensor:
        a, b = self.parts(y)
        s, t = self.told(a, labels)
        return self.joined(a, (b - t) * (-s).exp())


class Scale(Bijection):
    """One scale of a picture (RealNVP, section 3.6), and within it all coarser ones.

    Blocks of 2 × 2 pixels are squeezed into channels, (C, H, W) → (4C, H/2, W/2). Couplings split these four pixels
    first like the squares of a checkerboard, then by rows. Half of the channels is then finished; the others go on
    to the next scale.

    Args:
        shape: of what comes in, (C, H, W).
        scales: from this one on.
        couplings: of each scale: half of them by squares, half by rows.
    """

    def __init__(self, shape: tuple[int, ...], scales: int, couplings: int, make: MakeNet) -> None:
        super().__init__()
        channels, height, width = shape
        if height % 2 or width % 2:
            raise ValueError(f"model.scales: each halves the sides, and {height}x{width} cannot be halved: use fewer")
        self.shape, self.squeezed = shape, (4 * channels, height // 2, width // 2)
        squares = [(pixel in (0, 3)) for _ in range(channels) for pixel in range(4)]  # of ┌0 1┐
        rows = [pixel in (0, 1) for _ in range(channels) for pixel in range(4)]  # of      └2 3┘
        kinds = [squares] * (couplings - couplings // 2) + [rows] * (couplings // 2)
        splits = [[stays != bool(i % 2) for stays in kind] for i, kind in enumerate(kinds)]  # A and B in turn
        self.couplings = nn.ModuleList(AffineCoupling(split, make) for split in splits)
        rest = (2 * channels, height // 2, width // 2)
        self.coarser = Scale(rest, scales - 1, couplings, make) if scales > 1 else None

    def forward(self, x: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        y, log_det = pixel_unshuffle(x.unflatten(1, self.shape), 2), x.new_zeros(len(x))
        for coupling in self.couplings:
            y, more = coupling(y, labels)
            log_det = log_det + more
        if self.coarser is None:
            return y.flatten(1), log_det
        done, rest = (half.flatten(1) for half in y.chunk(2, dim=1))
        rest, more = self.coarser(rest, labels)
        return torch.cat([done, rest], dim=1), log_det + more

    def inverse(self, y: Tensor, labels: Tensor | None) -> Tensor:
        if self.coarser is not None:
            done, rest = y.chunk(2, dim=1)
            y = torch.cat([done, self.coarser.inverse(rest, labels)], dim=1)
        x = y.unflatten(1, self.squeezed)
        for coupling in reversed(self.couplings):
            assert isinstance(coupling, Coupling)
            x = coupling.inverse(x, labels)
        return pixel_shuffle(x, 2).flatten(1)


def alternating(size: int, layers: int) -> list[list[bool]]:
    """Splits of numbers by even and odd places, A and B in turn."""
    return [[i % 2 == layer % 2 for i in range(size)] for layer in range(layers)]


class Perceptron(nn.Module):
    """(B, inputs) → (B, outputs): hidden layers of ReLU; 0 at the start."""

    def __init__(self, inputs: int, outputs: int, classes: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.classes, sizes = classes, [inputs + classes, *hidden]
        self.hidden = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        self.out = silent(nn.Linear(sizes[-1], outputs))

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        h = with_label(x, labels, self.classes)
        for layer in self.hidden:
            h = relu(layer(h))
        return self.out(h)


class Residual(nn.Module):
    """h + two convolutions of h: (B, width, H, W), as it was."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, h: Tensor) -> Tensor:
        return h + self.second(relu(self.first(relu(h))))


class Convolutions(nn.Module):
    """(B, inputs, H, W) → (B, outputs, H, W): residual blocks; 0 at the start."""

    def __init__(self, inputs: int, outputs: int, classes: int, width: int, blocks: int) -> None:
        super().__init__()
        self.classes = classes
        self.into = nn.Conv2d(inputs + classes, width, 3, padding=1)
        self.blocks = nn.ModuleList(Residual(width) for _ in range(blocks))
        self.out = silent(nn.Conv2d(width, outputs, 3, padding=1))

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        h = self.into(with_label(x, labels, self.classes))
        for block in self.blocks:
            h = block(h)
        return self.out(relu(h))


def silent(layer: nn.Linear | nn.Conv2d) -> nn.Module:
    """The layer, with weights that are 0."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
