"""The interface of an architecture."""

from __future__ import annotations

from typing import Protocol

from torch import nn

from gan_cli.config.options import Group


class Architecture(Protocol):
    """Makes both networks of a game. ``shape`` is (C, H, W) for pictures and (d,) for points.

    ``classes`` is 0 unless the run is conditional. The ``labels`` that networks are called with are then int64 (B,),
    else None.
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


class ForAutoencoders(Architecture, Protocol):
    """An architecture that autoencoders can have too."""

    def encoder(self, shape: tuple[int, ...], outputs: int) -> nn.Module:
        """A module ``(x, labels=None)``: (B, *shape) → (B, outputs), any real numbers; labels are not given to it."""
        ...

    def decoder(self, latent: int, shape: tuple[int, ...], classes: int) -> nn.Module:
        """A module ``(z, labels)``: (B, latent) → (B, *shape), any real numbers, of which p(x | z) is made."""
        ...


ARCHITECTURE = Group[Architecture]("architecture")
