"""What Boltzmann machines may be told. Nothing here imports torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gan_cli.config.options import Chosen, Count, Reading, Several
from gan_cli.data.schemas import ImageOptions, VectorOptions
from gan_cli.games.schemas import LikelihoodOptions

WEIGHTS = 2**27


class RBMOptions(LikelihoodOptions):
    idle = (*LikelihoodOptions.idle, "conditional", "precision")
    figures = ("mixing",)

    visible: Literal["binary", "gaussian"]
    hidden: Count
    chains: Literal["contrastive", "persistent"]
    gibbs_steps: Count
    particles: Annotated[Count, Field(le=100_000)] | None
    centring: bool
    chain: Annotated[Count, Field(le=1_000_000)]
    ais_chains: Annotated[Several, Field(le=100_000)]
    ais_temperatures: Annotated[Count, Field(le=10_000_000)]

    @property
    def reads(self) -> Reading:
        """Black and white, or a density."""
        return "binary" if self.visible == "binary" else "dequantised"

    @property
    def points(self) -> bool:  # type: ignore[override]
        """Coordinates are Gaussian units."""
        return self.visible == "gaussian"

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Points of binary units, chains that are not kept, or that processes cannot share; too many weights."""
        problems, dataset, devices = [], chosen.one("dataset"), chosen.count("devices")
        if isinstance(dataset, VectorOptions) and not self.points:
            problems.append(
                f"dataset={dataset.name}: holds points, and binary units are pixels: use model.visible=gaussian, or "
                "pictures, such as dataset=digits"
            )
        else:
            problems += super().contradictions(chosen)
        if self.particles and self.chains == "contrastive":
            problems.append(
                f"model.particles={self.particles}: model.chains=contrastive begins at the minibatch, and keeps none: "
                "leave it out"
            )
        elif self.particles and devices > 1 and self.particles % devices:
            problems.append(
                f"model.particles={self.particles}: devices={devices} share them, so it must be a multiple of "
                f"{devices}, such as model.particles={-(-self.particles // devices) * devices}"
            )
        if (parts := chosen.count("accumulate")) > 1:
            problems.append(
                f"accumulate={parts}: the chains of model=rbm and its running means go on once in a move: leave it out"
            )
        if isinstance(dataset, ImageOptions):
            weights = dataset.numbers * self.hidden
            if weights > WEIGHTS:
                problems.append(
                    f"model.hidden={self.hidden}: needs {weights:,} weights for dataset.size={dataset.shown_size}: use "
                    f"at most {WEIGHTS // dataset.numbers}"
                )
        return problems
