"""The options of feature extractors and metrics: types and limits. Torch-free."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gan_cli.config.options import Choice, Count, NonNegative, Positive, Text, Whole


class ClassifierOptions(Choice):
    root: Text
    seed: Whole
    epochs: Count


class InceptionOptions(Choice):
    weights: Text


class KernelOptions(Choice):
    subsets: Annotated[Count, Field(ge=2)]
    subset_size: Annotated[Count, Field(ge=2)]


class NeighbourOptions(Choice):
    neighbours: Count


class InceptionScoreOptions(Choice):
    splits: Count


class SlicedWassersteinOptions(Choice):
    projections: Count


class SWDOptions(Choice):
    neighbourhoods: Count
    directions: Count
    samples: Annotated[Count, Field(ge=2)]


class DivergenceOptions(Choice):
    cells: Annotated[Count, Field(ge=2)]


class ConditionalDivergenceOptions(Choice):
    conditions: Count
    draws: Annotated[Count, Field(ge=2)]
    side: Annotated[Count, Field(ge=2, le=64)]


class ParzenOptions(Choice):
    bandwidths: Annotated[list[Positive], Field(min_length=1)]
    validation: Annotated[Count, Field(ge=2)]
    test: Annotated[Count, Field(ge=2)]


class LikelihoodOptions(Choice):
    samples: Annotated[Count, Field(ge=2)]
    draws: Count | None


class SpeedOptions(Choice):
    batch: Annotated[Count, Field(le=1_000_000)]
    seconds: NonNegative


class TwoSampleOptions(Choice):
    steps: Count


class MemorisationOptions(Choice):
    samples: Annotated[Count, Field(ge=2)]
    pairs: Count
