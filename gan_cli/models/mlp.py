"""The multilayer perceptrons of Goodfellow et al. (2014)."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gan_cli.config.options import Values
from gan_cli.distributed import shares
from gan_cli.models.architecture import OfOptions
from gan_cli.models.labels import with_label
from gan_cli.models.minibatch_std import with_deviation
from gan_cli.models.noise import Noise
from gan_cli.models.weight_norm import WeightNormed
from gan_cli.random import like


class Maxout(nn.Module):
    """max over ``pieces`` affine maps, for each unit (Goodfellow et al. 2013): (B, in) → (B, out)."""

    def __init__(self, inputs: int, outputs: int, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.linear: nn.Module = nn.Linear(inputs, outputs * pieces)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).unflatten(1, (-1, self.pieces)).amax(dim=2)


class Dropout(nn.Dropout):
    """torch's dropout, except that a sample's mask does not depend on which process, or part of a move, holds it."""

    def forward(self, x: Tensor) -> Tensor:
        if shares() == 1 or not self.training:
            return super().forward(x)
        kept = 1 - self.p
        return x * like(x, lambda empty, generator: empty.bernoulli_(kept, generator=generator).div_(kept))


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "tanh": nn.Tanh,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
}


def affine(inputs: int, outputs: int, norm: str) -> nn.Module:
    """A linear layer, with the norm of its weights."""
    if norm == "weight":
        return WeightNormed(inputs, outputs)
    made = nn.Linear(inputs, outputs)
    return spectral_norm(made) if norm == "spectral" else made


def layers(
    sizes: list[int], activation: str, pieces: int, norm: str, dropout: float, noise: float = 0.0
) -> list[nn.Module]:
    """Hidden layers from ``sizes[0]`` inputs to ``sizes[-1]`` units.

    Args:
        noise: σ of what is added to the units between two layers.
    """
    made: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        if noise and made:
            made.append(Noise(noise))
        if activation == "maxout":
            unit = Maxout(inputs, outputs, pieces)
            if norm in ("spectral", "weight"):
                unit.linear = (
                    spectral_norm(unit.linear) if norm == "spectral" else affine(inputs, outputs * pieces, norm)
                )
            made.append(unit)
        else:
            made.append(affine(inputs, outputs, norm))
        if norm == "batch":
            made.append(nn.BatchNorm1d(outputs))
        elif norm == "layer":
            made.append(nn.LayerNorm(outputs))
        if activation != "maxout":
            made.append(ACTIVATIONS[activation]())
        if dropout:
            made.append(Dropout(dropout))
    return made


def initialise(network: nn.Module, how: float | str | None) -> None:
    """Weights from U(−r, r) and biases 0, with the r that is given, as in the 2014 configuration, or for ``glorot``
    with r of √(6/(inputs + outputs)) (Glorot & Bengio 2010). None leaves torch's own."""
    if how is None:
        return
    for name, parameter in network.named_parameters():
        if parameter.dim() == 2:  # not the scales of norms
            if how == "glorot":
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.uniform_(parameter, -float(how), float(how))
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)


def last(inputs: int, outputs: int, norm: str) -> nn.Module:
    """The last layer of a network: of weight norm, with scales that are learnt."""
    return WeightNormed(inputs, outputs, learns_scale=True) if norm == "weight" else nn.Linear(inputs, outputs)


class Generator(nn.Module):
    """z (B, latent) → x (B, *shape); pixels in [−1, 1]."""

    def __init__(
        self,
        latent: int,
        shape: tuple[int, ...],
        classes: int,
        *,
        hidden: list[int],
        activation: str,
        pieces: int,
        norm: str,
        dropout: float,
        output: str,
        init: float | str | None,
        output_norm: str = "none",
    ) -> None:
        super().__init__()
        self.shape, self.classes = shape, classes
        sizes = [latent + classes, *hidden]
        self.hidden = nn.Sequential(*layers(sizes, activation, pieces, norm, dropout))
        self.out = last(sizes[-1], math.prod(shape), output_norm)
        self.output = output
        if self.output == "auto":
            self.output = "tanh" if len(shape) == 3 else "none"
        initialise(self, init)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.out(self.hidden(with_label(z, labels, self.classes))).unflatten(1, self.shape)
        if self.output == "tanh":
            return x.tanh()
        if self.output == "sigmoid":  # the 2014 paper's [0, 1], in our pixels
            return 2 * x.sigmoid() - 1
        return x


class Discriminator(nn.Module):
    """x (B, *shape) → logits (B,), or ``outputs`` numbers (B, outputs)."""

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        *,
        hidden: list[int],
        activation: str,
        pieces: int,
        norm: str,
        dropout: float,
        input_dropout: float,
        minibatch_std: bool,
        init: float | str | None,
        pixels: str,
        noise: float = 0.0,
        input_noise: float = 0.0,
        outputs: int | None = None,
    ) -> None:
        super().__init__()
        self.classes, self.outputs = classes, outputs
        sizes = [math.prod(shape) + classes, *hidden]
        body = layers(sizes, activation, pieces, norm, dropout, noise)
        if input_dropout:
            body.insert(0, Dropout(input_dropout))
        if input_noise:
            body.insert(0, Noise(input_noise))
        self.hidden = nn.Sequential(*body)
        self.minibatch_std, self.unit_pixels = minibatch_std, pixels == "unit"
        self.noise = Noise(noise)
        self.out: nn.Module = last(sizes[-1] + self.minibatch_std, outputs or 1, norm)
        initialise(self, init)
        if norm == "spectral":
            self.out = spectral_norm(self.out)

    def features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """The features that the last layer works on, (B, F), before their noise."""
        if self.unit_pixels:
            x = (x + 1) / 2
        hidden = self.hidden(with_label(x.flatten(1), labels, self.classes))
        return with_deviation(hidden) if self.minibatch_std else hidden

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        y = self.out(self.noise(self.features(x, labels)))
        return y if self.outputs else y.squeeze(1)


class MLP(OfOptions):
    """Makes the networks from their options; see ``conf/architecture/mlp.yaml``."""

    generators, discriminators = Generator, Discriminator

    def __init__(self, generator: Values, discriminator: Values) -> None:
        still = {"dropout": 0.0, "input_dropout": 0.0, "noise": 0.0, "input_noise": 0.0, "minibatch_std": False}
        super().__init__(generator, discriminator, decoder={"output": "none"}, encoder=still)
