"""What Boltzmann machines may be told. Nothing here imports torch."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gan_cli.config.options import Chosen, Count, Reading, Several
from gan_cli.data.schemas import ImageOptions
from gan_cli.games.schemas import LikelihoodOptions

WEIGHTS = 2**27


class BoltzmannOptions(LikelihoodOptions):
    """What both machines are told."""

    idle = (*LikelihoodOptions.idle, "conditional", "precision")
    reads: ClassVar[Reading] = "binary"

    chains: Literal["contrastive", "persistent"]
    gibbs_steps: Count
    particles: Annotated[Count, Field(le=100_000)] | None
    centring: bool
    chain: Annotated[Count, Field(le=1_000_000)]
    ais_chains: Annotated[Several, Field(le=100_000)]
    ais_temperatures: Annotated[Count, Field(le=10_000_000)]

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Chains that are not kept, or that processes cannot share; too many weights."""
        problems, dataset, devices = super().contradictions(chosen), chosen.one("dataset"), chosen.count("devices")
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
                f"accumulate={parts}: chains and running means of model={self.name} go on once in a move: leave it out"
            )
        if isinstance(dataset, ImageOptions):
            problems += self.too_large(dataset)
        return problems

    def too_large(self, dataset: ImageOptions) -> list[str]:
        """More weights than are multiplied in one step of a chain."""
        raise AssertionError("a machine counts its weights")


class RBMOptions(BoltzmannOptions):
    figures = ("mixing",)

    visible: Literal["binary", "gaussian"]
    hidden: Count

    @property
    def reads(self) -> Reading:  # type: ignore[override]
        """Black and white, or a density."""
        return "binary" if self.visible == "binary" else "dequantised"

    @property
    def points(self) -> bool:  # type: ignore[override]
        """Coordinates are Gaussian units."""
        return self.visible == "gaussian"

    def unreadable(self, dataset: str, holds: str) -> str | None:
        """Numbers of binary units too."""
        if super().unreadable(dataset, holds) is None:
            return None
        return (
            f"dataset={dataset}: holds {holds}, and binary units are pixels: use model.visible=gaussian, or "
            "pictures, such as dataset=digits"
        )

    def too_large(self, dataset: ImageOptions) -> list[str]:
        if (weights := dataset.numbers * self.hidden) <= WEIGHTS:
            return []
        return [
            f"model.hidden={self.hidden}: needs {weights:,} weights for dataset.size={dataset.shown_size}: use "
            f"at most {WEIGHTS // dataset.numbers}"
        ]


class DBMOptions(BoltzmannOptions):
    hidden: Annotated[list[Count], Field(min_length=2, max_length=2)]
    mean_field: Annotated[Count, Field(le=1000)]

    def too_large(self, dataset: ImageOptions) -> list[str]:
        first, second = self.hidden
        if (weights := (dataset.numbers + second) * first) <= WEIGHTS:
            return []
        return [
            f"model.hidden=[{first},{second}]: needs {weights:,} weights for dataset.size={dataset.shown_size}: use "
            f"fewer than {WEIGHTS:,}, such as model.hidden=[500,500]"
        ]
