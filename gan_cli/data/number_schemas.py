"""The options of datasets of numbers: tables, signals, points. Torch-free."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from gan_cli.config.mistakes import shown
from gan_cli.config.options import (
    Chosen,
    Count,
    Finite,
    NonNegative,
    Positive,
    Text,
    Whole,
)
from gan_cli.data.schemas import NoPictures, PartlyLabelledOptions, VectorOptions
from gan_cli.output.text import composed

MOST_VALUES = 1000  # of a category


def _names(wanted: list[object]) -> list[str]:
    if any(isinstance(one, bool) or not isinstance(one, int | float | str) for one in wanted):
        raise ValueError("must be names of columns, such as [age,city]")
    return [composed(str(one)) for one in wanted]


Names = Annotated[list[Any], AfterValidator(_names)]  # of columns: str


class TableOptions(VectorOptions, PartlyLabelledOptions):
    holds = "rows of a table"

    path: Text
    split: Literal["train", "test", "all"]
    limit: Whole
    label: Annotated[Text, AfterValidator(composed)] | None
    columns: Names
    leave_out: Names
    categories: Names
    numbers: Literal["ranks", "standard"]
    missing: Literal["keep", "drop", "refuse"]
    most_values: Annotated[Count, Field(ge=2, le=MOST_VALUES)]
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None

    @property
    def has_labels(self) -> bool:
        return self.label is not None

    def contradictions(self, chosen: Chosen) -> list[str]:
        """A label that nobody asks for, or none that could be asked for, and columns that are to be and not to be."""
        problems = super().contradictions(chosen)
        conditional = chosen.root.get("conditional")
        if conditional is True and self.label is None:
            problems.append("conditional=true: on which column? add dataset.label=COLUMN")
        model = chosen.one("model")
        if conditional is False and self.label is not None and not (model and model.learns_labels):
            problems.append(
                f"dataset.label={self.label}: nobody is asked for it with conditional=false: use conditional=true"
            )
        kept = [name for name in self.columns if name not in self.leave_out]
        if idle := [
            name
            for name in self.categories
            if name != self.label and (name in self.leave_out or (self.columns and name not in kept))
        ]:
            problems.append(
                f"dataset.categories={shown(self.categories)}: {idle[0]} is left out: add it to dataset.columns, "
                "or leave it out here too"
            )
        if both := [name for name in self.columns if name in self.leave_out]:
            problems.append(
                f"dataset.leave_out={shown(self.leave_out)}: {both[0]} is in dataset.columns: leave one out"
            )
        return problems


class SignalOptions(NoPictures, PartlyLabelledOptions):
    holds = "signals"
    fitting = "dcgan1d"

    path: Text
    length: Annotated[Count, Field(ge=4, le=2**20)]
    channels: Annotated[Count, Field(le=1024)] | None
    cut: Literal["windows", "first", "centre"]
    key: Text | None
    labels_key: Text | None
    rate: Positive | None
    split: Literal["all", "train", "test"]
    limit: Whole


class PointOptions(VectorOptions):
    points: Count
    seed: Whole

    @property
    def has_labels(self) -> bool:
        """They are the modes, and finding those is the game's."""
        return False


class MixtureOptions(PointOptions):
    means: Annotated[list[Annotated[list[Finite], Field(min_length=1)]], Field(min_length=1)]
    weights: list[Positive] | None
    sigma: Positive


class RingOptions(PointOptions):
    modes: Count
    radius: Positive
    sigma: Positive


class GridOptions(PointOptions):
    side: Count
    spacing: Positive
    sigma: Positive


class GaussianOptions(PointOptions):
    labelled = False

    dimension: Count
    mean: Finite
    sigma: Positive


class SwissRollOptions(PointOptions):
    labelled = False

    turns: Positive
    radius: Positive
    noise: NonNegative


Physical = Annotated[float, Field(ge=1e-6, le=1e6)]  # so that no rate overflows


class PendulumOptions(PointOptions):
    figures = ("simulator",)

    interval: Physical
    gravity: Annotated[NonNegative, Field(le=1e6)]
    damping: Annotated[NonNegative, Field(le=1e6)]
    torque: Physical
    speed: Physical
    slip: Annotated[float, Field(gt=0, lt=1)]
    angle_noise: Physical
    velocity_noise: Physical

    @property
    def has_labels(self) -> bool:
        """States and torques, without which there is no telling what comes next."""
        return self.labelled
