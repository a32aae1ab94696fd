"""The interface of an architecture."""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from torch import nn

from gan_cli.config.options import Group, Values
from gan_cli.models.doubling import require_doubling


class Architecture(Protocol):
    """Makes both networks of a game. ``shape`` is (C, H, W) for pictures and (d,) for points.

    ``classes`` is 0 unless the run is conditional. The ``labels`` that networks are called with are then int64 (B,), or
    float32 (B, classes) conditions where ``classes`` is ``gan_cli.data.conditions.Columns``; else None.
    """

    def generator(self, latent: int, shape: tuple[int, ...], classes: int) -> nn.Module:
        """A module ``(z, labels) -> x``: (B, latent) → (B, *shape), pixels in [−1, 1].

        Raises:
            ValueError: if the architecture cannot make samples of this shape.
        """
        ...

    def discriminator(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """A module ``(x, labels) -> logits``: (B, *shape) → (B,)."""
        ...


@runtime_checkable
class Projects(Protocol):
    """An architecture whose discriminators project on the label themselves (Miyato & Koyama 2018)."""

    projects: ClassVar[bool]


class OfOptions:
    """An architecture whose networks are made from their options and the shape of a sample: a class to derive from.

    Attributes:
        generators, discriminators: the classes of its networks; a decoder is a generator, and an encoder or a
            classifier a discriminator with ``outputs`` numbers in the place of a logit.
        sides: the smallest and the largest side of the pictures that it can make, a small start doubled; None: it makes
            any samples.

    Args:
        generator, discriminator: their options.
        decoder: the options that are others in a decoder, which has no bounds, than in a generator.
        encoder: the options that are others in an encoder, whose codes depend on one sample alone, than in a
            discriminator.
    """

    generators: ClassVar[type[nn.Module]]
    discriminators: ClassVar[type[nn.Module]]
    sides: ClassVar[tuple[int, int] | None] = None

    def __init__(self, generator: Values, discriminator: Values, *, decoder: Values, encoder: Values) -> None:
        self._generator, self._discriminator = generator, discriminator
        self._decoder, self._encoder = {**generator, **decoder}, {**discriminator, **encoder}

    def generator(self, latent: int, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Raises ValueError for a shape that it cannot make."""
        self._require(shape)
        return self.generators(latent, shape, classes, **self._generator)

    def discriminator(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        return self.discriminators(shape, classes, **self._discriminator)

    def decoder(self, latent: int, shape: tuple[int, ...], classes: int) -> nn.Module:
        """As the generator, without bounds: (B, *shape), any real numbers. Raises ValueError likewise."""
        self._require(shape)
        return self.generators(latent, shape, classes, **self._decoder)

    def encoder(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        """As the discriminator, without what would make a code depend on chance or on other samples.

        Raises ValueError likewise.
        """
        self._require(shape)
        return self.discriminators(shape, 0, **self._encoder, outputs=outputs)

    def classifier(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        """The discriminator as it is, with a logit for each class in the place of one. Raises ValueError likewise."""
        self._require(shape)
        return self.discriminators(shape, 0, **self._discriminator, outputs=outputs)

    def _require(self, shape: tuple[int, ...]) -> None:
        if self.sides:
            require_doubling(shape, *self.sides)


ARCHITECTURE = Group[Architecture]("architecture")
