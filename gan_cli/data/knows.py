"""What some datasets know of themselves besides their samples; asked for by type."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from gan_cli.data.samples import Samples


@runtime_checkable
class HoldsOut(Protocol):
    """A dataset with samples that are not trained on."""

    def held_out(self) -> Samples | None:
        """Samples of the same source that no player has seen, if there are any."""
        ...


@runtime_checkable
class LeavesOut(Protocol):
    """A dataset that may give a part of its samples."""

    def unused(self) -> Samples | None:
        """Samples of the same split that were not given, if there are any."""
        ...


@runtime_checkable
class KnowsDensity(Protocol):
    """Points of a density with a formula."""

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log p(x) in nats, for x (N, d): (N,)."""
        ...


@runtime_checkable
class KnowsModes(Protocol):
    """Points of a mixture."""

    @property
    def shares(self) -> np.ndarray:
        """How much of the density each mode is: (modes,)."""
        ...

    def mode_counts(self, points: np.ndarray) -> np.ndarray:
        """How many points (n, d) of high quality lie at each mode: (modes,)."""
        ...

    def quality(self, points: np.ndarray) -> dict[str, float]:
        """Modes found and share of high quality."""
        ...


@runtime_checkable
class Stacks(Protocol):
    """Pictures whose channels are pictures by themselves: a dataclass with a test split."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def glyphs(self) -> Samples:
        """The single pictures: (N, 1, size, size) with labels."""
        ...


@runtime_checkable
class Redraws(Protocol):
    """Points that can be drawn again, as many and by another seed as one likes: a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    points: int
    seed: int

    def load(self) -> Samples:
        """float32 (points, d)."""
        ...
