"""The interface of a dataset, and abilities that only some have; code that needs one asks by ``isinstance``."""

from __future__ import annotations

from dataclasses import Field, replace
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import numpy as np

from gan_cli.config.options import Group
from gan_cli.data.conditions import Condition
from gan_cli.data.presenting import Presentation
from gan_cli.data.samples import Samples


class Dataset(Protocol):
    """What a dataset must define."""

    def load(self) -> Samples:
        """All samples."""
        ...


DATASET = Group[Dataset]("dataset")


@runtime_checkable
class KnowsShape(Dataset, Protocol):
    """A dataset that knows the shape of its samples wherever they are, as all shipped ones do."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample: (C, H, W) or (d,)."""
        ...


@runtime_checkable
class Shipped(KnowsShape, Protocol):
    """A dataset that also knows its number of classes before its samples are loaded: a folder of them looks for them.

    Until Python 3.12, to ask whether a dataset is one is to make it look.
    """

    @property
    def classes(self) -> int:
        """The number of labels, 0 if there are none."""
        ...


@runtime_checkable
class KnowsConditions(Protocol):
    """A dataset that knows which conditions its samples come with before they are loaded."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What each column of the labels is; empty where there are none, or classes."""
        ...


@runtime_checkable
class KnowsDepth(Protocol):
    """A dataset of pictures that may be at full depth."""

    @property
    def full_depth(self) -> bool:
        """Whether it gives float32 in [−1, 1] instead of bytes."""
        ...


@runtime_checkable
class Counted(Protocol):
    """A dataset that knows how many samples it gives before they are loaded; None where only reading them tells."""

    def count(self) -> int | None:
        """Samples to train on."""
        ...

    def held_out_count(self) -> int | None:
        """Samples of the same source that no player will see."""
        ...


@runtime_checkable
class Drawn(Protocol):
    """A dataset that draws as many samples as it is told to.

    Attributes:
        counted: the keys that say how many.
    """

    counted: ClassVar[str]

    @property
    def needs(self) -> int:
        """Bytes of memory that it takes, at least."""
        ...


@runtime_checkable
class Imported(Protocol):
    """A dataset whose samples are written to the disk once, in another form."""

    def require_disk(self) -> None:
        """Raises a UserError if they cannot fit."""
        ...


@runtime_checkable
class KnowsLeftOut(Protocol):
    """A dataset that may leave out some of its source."""

    def left_out(self) -> list[str]:
        """Lines about what is left out, as far as that is known before the samples are loaded."""
        ...


@runtime_checkable
class Presents(Protocol):
    """A dataset of pictures that are shown to a model as it wants them."""

    @property
    def presentation(self) -> Presentation:
        """How they are shown."""
        ...


@runtime_checkable
class HoldsOut(Protocol):
    """A dataset with samples that are not trained on."""

    def held_out(self) -> Samples | None:
        """Samples of the same source that no player has seen, if there are any."""
        ...


@runtime_checkable
class LeavesOut(Protocol):
    """A dataset that can be limited to a part of its samples."""

    def unused(self) -> Samples | None:
        """Samples of the same split that the limit leaves out, if there are any."""
        ...


@runtime_checkable
class KnowsDensity(Protocol):
    """Points of a density with a formula."""

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log p(x) in nats, for x (N, d): (N,)."""
        ...


@runtime_checkable
class KnowsConditional(Protocol):
    """Points of a density given conditions, with a formula. Labels are float32 (N, k), as networks see them."""

    def some_labels(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """Labels as they are in the data, (count, k)."""
        ...

    def given(self, labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """A draw from p(· | label) for each label: (N, d)."""
        ...

    def log_density_given(self, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """log p(x | label) in nats, for x (N, d): (N,)."""
        ...

    def ranks_given(self, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Numbers (N, d) in [0, 1], uniform and independent where x ~ p(· | label), one for one with x."""
        ...


@runtime_checkable
class KnowsModes(Protocol):
    """Points of a mixture."""

    @property
    def shares(self) -> np.ndarray:
        """The share of each mode in the density: (modes,)."""
        ...

    def mode_counts(self, points: np.ndarray) -> np.ndarray:
        """The number of points (n, d) of high quality at each mode: (modes,)."""
        ...

    def quality(self, points: np.ndarray) -> dict[str, float]:
        """Modes found, and the share of points of high quality."""
        ...


@runtime_checkable
class Stacks(Protocol):
    """Pictures whose channels are pictures themselves: a dataclass with a test split."""

    __dataclass_fields__: ClassVar[dict[str, Field[object]]]

    def glyphs(self) -> Samples:
        """The single pictures: (N, 1, H, W) with labels."""
        ...


@runtime_checkable
class Redraws(Protocol):
    """Points that can be drawn again, in any number and with any seed: a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[object]]]
    points: int
    seed: int

    def load(self) -> Samples:
        """float32 (points, d)."""
        ...


Options = TypeVar("Options", Stacks, Redraws)


def with_options(dataset: Options, **options: object) -> Options:
    """The dataset with other options."""
    fields: Any = dataset  # a dataclass, which a protocol cannot say
    return replace(fields, **options)
