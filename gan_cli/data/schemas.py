"""What each dataset may be told. Nothing here imports torch."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from gan_cli.config.mistakes import shown
from gan_cli.config.options import (
    BlackAndWhite,
    Choice,
    Chosen,
    Count,
    Finite,
    NonNegative,
    Positive,
    Text,
    Whole,
)


class DataOptions(Choice):
    labelled: ClassVar[bool] = True

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Labels that are not there."""
        if self.labelled or not chosen.on("conditional"):
            return []
        return [f"conditional=true: dataset={self.name} has no labels: use conditional=false"]


class ImageOptions(DataOptions):
    size: Annotated[Count, Field(ge=4, le=1024)]
    channels: Literal[1, 3]
    limit: Whole
    flip: bool
    split: Literal["train", "test"]


class WebImageOptions(ImageOptions):
    root: Text


class QMNISTOptions(WebImageOptions):
    split: Literal["train", "test", "test10k", "test50k", "nist"]  # type: ignore[assignment]


class SVHNOptions(WebImageOptions):
    split: Literal["train", "test", "extra"]  # type: ignore[assignment]


class STL10Options(WebImageOptions):
    split: Literal["train", "test", "unlabeled", "train+unlabeled"]  # type: ignore[assignment]


class CelebAOptions(WebImageOptions):
    labelled = False

    split: Literal["train", "valid", "test", "all"]  # type: ignore[assignment]


class LSUNOptions(WebImageOptions):
    labelled = False

    split: Literal["train", "val", "test"]  # type: ignore[assignment]
    category: str


class StackedOptions(WebImageOptions):
    source: Literal["mnist", "fashion_mnist", "digits"]
    stacks: Count
    seed: Whole
    channels: Literal[3]


class FolderOptions(ImageOptions):
    root: Text
    path: Text
    split: Literal["all", "train", "test"]  # type: ignore[assignment]
    allow_missing: bool
    range: BlackAndWhite | None
    rules: Literal[1, 2]

    before: ClassVar[dict[str, Any]] = {"rules": 1}


class PointOptions(DataOptions):
    points: Count
    seed: Whole

    def contradictions(self, chosen: Chosen) -> list[str]:
        """What is for pictures."""
        augment = chosen.root.get("augment")
        pictures = f"augment={shown(augment)}: is for pictures, and dataset={self.name} holds points"
        return [*super().contradictions(chosen), *([pictures] if augment else [])]


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
