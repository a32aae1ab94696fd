"""The DCGAN of signals (Radford, Metz & Chintala 2016, in one dimension), for lengths that are a small start doubled.

As in WaveGAN (Donahue, McAuley & Puckette 2019), filters are longer than those of pictures: what a signal does is seen
in dozens of values.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from gan_cli.config.options import Values
from gan_cli.models.architecture import OfOptions
from gan_cli.models.dcgan import channel_plan, initialise
from gan_cli.models.labels import with_label
from gan_cli.models.lengths import halvings, require_length
from gan_cli.models.minibatch_std import with_deviation
from gan_cli.models.norms import normalisation, with_spectral_norms

normalised = partial(normalisation, of_signals=True)


def plan(width: int, length: int) -> tuple[int, list[int]]:
    """The length at the start, and the channels there and after each doubling up to the layer next to the signal."""
    start, stages = halvings(length)
    return start, channel_plan(width, stages)


class Generator(nn.Module):
    """Project z (B, latent) to the start, then double the length until the signal (B, C, L) in [−1, 1].

    A doubling repeats each value, then convolves: transposed convolutions leave a tone of their own in a signal
    (Odena et al. 2016; Donahue et al. 2019, section 3).

    Args:
        bounded: by a tanh; without it, any real numbers.
    """

    def __init__(
        self,
        latent: int,
        shape: tuple[int, ...],
        classes: int,
        width: int,
        norm: str,
        kernel: int,
        bounded: bool = True,
    ) -> None:
        super().__init__()
        self.classes = classes
        self.start, channels = plan(width, shape[1])
        bias = norm == "none"
        self.project = nn.Linear(latent + classes, channels[0] * self.start, bias=bias)
        self.first = nn.Sequential(normalised(norm, channels[0]), nn.ReLU(inplace=True))
        stages: list[nn.Module] = []
        for inputs, outputs in pairwise(channels):
            stages += [nn.Upsample(scale_factor=2), nn.Conv1d(inputs, outputs, kernel, 1, kernel // 2, bias=bias)]
            stages += [normalised(norm, outputs), nn.ReLU(inplace=True)]
        stages += [nn.Upsample(scale_factor=2), nn.Conv1d(channels[-1], shape[0], kernel, 1, kernel // 2)]
        self.stages = nn.Sequential(*stages, *([nn.Tanh()] if bounded else []))
        initialise(self)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.project(with_label(z, labels, self.classes)).unflatten(1, (-1, self.start))  # (B, C, start)
        return self.stages(self.first(x))


class Discriminator(nn.Module):
    """Halve the length of the signal (B, C, L) until the start, then one logit, (B,), or ``outputs`` numbers."""

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        width: int,
        norm: str,
        kernel: int,
        minibatch_std: bool,
        outputs: int | None = None,
    ) -> None:
        super().__init__()
        self.classes, self.minibatch_std, self.outputs = classes, minibatch_std, outputs
        start, channels = plan(width, shape[1])
        channels = channels[::-1]
        bias = norm in ("none", "spectral")
        stages: list[nn.Module] = [nn.Conv1d(shape[0] + classes, channels[0], kernel, 2, kernel // 2)]
        stages.append(nn.LeakyReLU(0.2, inplace=True))
        for before, after in pairwise(channels):
            stages += [nn.Conv1d(before, after, kernel, 2, kernel // 2, bias=bias), normalised(norm, after)]
            stages += [nn.LeakyReLU(0.2, inplace=True)]
        self.stages = nn.Sequential(*stages)
        self.out = nn.Linear((channels[-1] + minibatch_std) * start, outputs or 1)
        initialise(self)
        if norm == "spectral":
            with_spectral_norms(self.stages, self.out)

    def features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """The features that the last layer works on, (B, F)."""
        maps = self.stages(with_label(x, labels, self.classes))  # (B, C, start)
        return (with_deviation(maps) if self.minibatch_std else maps).flatten(1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        y = self.out(self.features(x, labels))
        return y if self.outputs else y.squeeze(1)


class DCGAN1d(OfOptions):
    """Makes the networks from their options; see ``conf/architecture/dcgan1d.yaml``."""

    generators, discriminators = Generator, Discriminator

    def __init__(self, width: int, norm: str, kernel: int, generator: Values, discriminator: Values) -> None:
        super().__init__(generator, discriminator, decoder={"bounded": False}, encoder={"minibatch_std": False})

    def _require(self, shape: tuple[int, ...]) -> None:
        require_length(shape)
