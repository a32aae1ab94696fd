"""What flows may be told. Nothing here imports torch."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from gan_cli.config.options import Chosen, Count, Reading, Whole
from gan_cli.data.schemas import ImageOptions, VectorOptions
from gan_cli.games.schemas import LikelihoodOptions

Sizes = Annotated[list[Count], Field(min_length=1)]


class FlowOptions(LikelihoodOptions):
    """A density of points or of dequantised pictures."""

    points = True
    together = True
    figures = ("dimension", "simulator")

    base: Literal["normal", "logistic"]
    space: Literal["unit", "logit"]
    margin: Annotated[float, Field(gt=0, lt=0.5)]

    @property
    def reads(self) -> Reading:
        """A density is of numbers between the levels too."""
        return "dequantised"


class NICEOptions(FlowOptions):
    couplings: Annotated[Count, Field(ge=2)]
    hidden: Sizes


class RealNVPOptions(NICEOptions):
    network: Literal["auto", "mlp", "convolutional"]
    scales: Annotated[Count, Field(le=8)]
    width: Count
    blocks: Whole

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Pictures that cannot be halved as often, and points, which have no neighbours."""
        problems, dataset = super().contradictions(chosen), chosen.one("dataset")
        if isinstance(dataset, VectorOptions) and self.network == "convolutional":
            problems.append(
                f"model.network=convolutional: is of pictures, and dataset={dataset.name} holds points: use mlp"
            )
        if not isinstance(dataset, ImageOptions) or self.network == "mlp":
            return problems
        common = math.gcd(dataset.height, dataset.width)
        if common % 2**self.scales:
            whole = next((scales for scales in range(self.scales, 0, -1) if not common % 2**scales), 0)
            instead = f"model.scales={whole}" if whole else "model.network=mlp"
            problems.append(
                f"model.scales={self.scales}: each halves the sides, and dataset.size={dataset.shown_size} cannot be "
                f"halved {self.scales} times: use {instead}"
            )
        return problems


class AutoregressiveOptions(FlowOptions):
    together = False  # the package's masks are of bool
    idle = (*LikelihoodOptions.idle, "precision")  # the package computes in that of the weights

    layers: Count
    hidden: Sizes
    order: Literal["natural", "random"]
    passes: Whole

    def contradictions(self, chosen: Chosen) -> list[str]:
        """One pass, in which no number can follow from another."""
        problems = super().contradictions(chosen)
        if self.passes == 1:
            problems.append(
                "model.passes=1: no number would depend on another: use 2, a coupling, or 0, as many as numbers"
            )
        return problems


class SplineOptions(AutoregressiveOptions):
    bins: Annotated[Count, Field(ge=2, le=1024)]
