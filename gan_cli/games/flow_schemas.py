"""What flows may be told. Nothing here imports torch."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from gan_cli.config.options import Chosen, Count, Reading, Values, Whole
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

    def unused(self, chosen: Chosen) -> Values:
        """The space of pixels, of points; and the margin of another space."""
        dataset = chosen.one("dataset")
        if isinstance(dataset, VectorOptions):
            return dict.fromkeys(
                ("space", "margin"), f"is for pictures, and dataset={dataset.name} holds points: leave it out"
            )
        return {"margin": "is of model.space=logit: leave one of them out"} if self.space == "unit" else {}


class NICEOptions(FlowOptions):
    couplings: Annotated[Count, Field(ge=2)]
    hidden: Sizes


class RealNVPOptions(NICEOptions):
    network: Literal["auto", "mlp", "convolutional"]
    scales: Annotated[Count, Field(le=8)]
    width: Count
    blocks: Whole

    def unreadable(self, dataset: str, holds: str) -> str | None:
        """Points, which have no neighbours, of convolutions."""
        if holds == "pictures" or self.network != "convolutional":
            return super().unreadable(dataset, holds)
        return f"model.network=convolutional: is of pictures, and dataset={dataset} holds {holds}: use mlp"

    def unused(self, chosen: Chosen) -> Values:
        """What is of the other network."""
        dataset, found = chosen.one("dataset"), super().unused(chosen)
        if isinstance(dataset, VectorOptions) or self.network == "mlp":
            why = "is of model.network=convolutional, and a perceptron couples these: leave it out"
            return {**found, **dict.fromkeys(("scales", "width", "blocks"), why)}
        if isinstance(dataset, ImageOptions) or self.network == "convolutional":
            why = "is of model.network=mlp, and convolutions couple these: use model.width, or model.network=mlp"
            return {**found, "hidden": why}
        return found

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Pictures that cannot be halved as often."""
        problems, dataset = super().contradictions(chosen), chosen.one("dataset")
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
