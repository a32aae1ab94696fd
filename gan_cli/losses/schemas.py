"""The options of losses: types and limits. Torch-free."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gan_cli.config.options import Choice, Chosen, Finite, NonNegative


class CrossEntropyOptions(Choice):
    smoothing: Annotated[float, Field(ge=0, lt=0.5)]


class LeastSquaresOptions(Choice):
    a: Finite
    b: Finite
    c: Finite


class WassersteinOptions(Choice):
    clip: NonNegative
    drift: NonNegative

    def contradictions(self, chosen: Chosen) -> list[str]:
        """A critic that neither clipping nor a penalty keeps Lipschitz."""
        if self.clip or chosen.several("penalty"):
            return []
        return ["loss.clip=0: nothing keeps the critic Lipschitz: add penalty=gradient_penalty, or clip=0.01"]


class FGANOptions(Choice):
    divergence: Literal["kl", "reverse_kl", "pearson", "squared_hellinger", "jensen_shannon", "gan", "total_variation"]
    generator_step: Literal["paper", "alternative"]
