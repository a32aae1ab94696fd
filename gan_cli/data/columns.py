"""What the numbers of a sample stand for: the columns of a table, the channels of a signal. Torch-free.

A checkpoint and an export hold them, so that samples are given back in their units without the data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from gan_cli.config.options import Finite, NonNegative, Options, Positive, Share

MOST = 10_000  # columns, and values of one
FAR = 2**12  # from 0, in spreads: float32 rounds numbers there by as much as 1/4096 of a spread


def _shown(text: str) -> str:
    if not text.isprintable():
        raise ValueError("cannot be shown")
    return text


Name = Annotated[str, Field(max_length=1000), AfterValidator(_shown)]


class Column(Options):
    """A column of a table, or a channel of a signal.

    Attributes:
        kind: ``number``; ``category``, which is one of ``values``; ``label``, what samples are asked for by, which is
            not among the features: one of ``values``, or without them a number that is given as (x − mean) / scale.
        values: of a category, by number; "" is a cell without a value.
        at, low, high: of a number that is stored as that of a normal distribution with the same rank: values in
            ascending order, and the shares of the data below and up to each.
        mean, scale: of a number that is stored as (x − mean) / scale, where ``at`` is empty.
        decimals: of a number as it is written, 0 for whole ones; None: as many as it has.
        gaps: whether cells of a number may be without a value, which two more features say.
        rate: values per second of a signal; 0 where that is not known.
    """

    name: Name
    kind: Literal["number", "category", "label"] = "number"
    values: Annotated[list[Name], Field(max_length=MOST)] = Field(default_factory=list)
    at: Annotated[list[Finite], Field(max_length=MOST)] = Field(default_factory=list)
    low: list[Share] = Field(default_factory=list)
    high: list[Share] = Field(default_factory=list)
    mean: Finite = 0.0
    scale: Positive = 1.0
    decimals: Annotated[int, Field(ge=0, le=15)] | None = None
    gaps: bool = False
    rate: NonNegative = 0.0

    @model_validator(mode="after")
    def _agree(self) -> Column:
        wrong = self.kind != "label" and bool(self.values) != (self.kind == "category")
        if wrong or len(set(self.values)) < len(self.values):
            raise ValueError("its values are not those of a category")
        shares = [share for pair in zip(self.low, self.high, strict=False) for share in pair]
        if not len(self.at) == len(self.low) == len(self.high) or shares != sorted(shares):
            raise ValueError("its shares do not rise with its values")
        if sorted(set(self.at)) != self.at:
            raise ValueError("its values do not rise")
        return self

    @property
    def features(self) -> int:
        """The numbers of a sample that stand for it."""
        return {"number": 1 + 2 * self.gaps, "category": len(self.values), "label": 0}[self.kind]

    @property
    def is_far(self) -> bool:
        """Whether its numbers lie so far from 0, for their spread, that float32 would round much of it away."""
        middle, spread = (
            ((self.at[0] + self.at[-1]) / 2, self.at[-1] - self.at[0]) if self.at else (self.mean, self.scale)
        )
        return abs(middle) > FAR * (spread or 1.0)

    @property
    def is_number(self) -> bool:
        return not self.values

    @property
    def soft(self) -> int:
        """How many of them, the last ones, are shares that add up to 1."""
        return {"number": 2 * self.gaps, "category": len(self.values), "label": 0}[self.kind]


Fields = tuple[Column, ...]


def width(columns: Iterable[Column]) -> int:
    """The features of a row."""
    return sum(column.features for column in columns)


def groups(columns: Iterable[Column]) -> list[int]:
    """For each feature, the number of the choice that it takes part in; −1 for a number of its own."""
    found: list[int] = []
    for place, column in enumerate(columns):
        found += [-1] * (column.features - column.soft) + [place] * column.soft
    return found


def spelled_alike(some: Sequence[Column], others: Sequence[Column]) -> bool:
    """Whether columns are the same but for how numbers that are categories are written, such as 501 and 00501."""
    return len(some) == len(others) and all(
        one.model_copy(update={"values": []}) == other.model_copy(update={"values": []})
        and list(map(_number, one.values)) == list(map(_number, other.values))
        for one, other in zip(some, others, strict=True)
    )


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def saved(columns: Sequence[Column]) -> list[dict[str, object]]:
    """As plain values, for a checkpoint."""
    return [column.model_dump() for column in columns]


def read(columns: Iterable[dict[str, object]]) -> Fields:
    """What ``saved`` returned."""
    return tuple(Column.model_validate(column) for column in columns)


def fit(columns: Sequence[Column], shape: Sequence[int]) -> bool:
    """Whether these are the columns of samples of a shape: of points (d,) all features, of signals (C, L) channels."""
    if not columns:
        return True
    plain = len(shape) == 1 or all(column.kind == "number" and not column.gaps for column in columns)
    return len(shape) < 3 and width(columns) == shape[0] and plain
