"""The options of losses: types and limits. Torch-free."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gan_cli.config.options import Choice, Chosen, Finite, NonNegative

LIPSCHITZ = ("gradient_penalty", "dragan")  # penalties that ask for a slope


class CrossEntropyOptions(Choice):
    smoothing: Annotated[float, Field(ge=0, lt=0.5)]


class FeatureMatchingOptions(CrossEntropyOptions):
    over_features: Literal["sum", "mean"]


class LeastSquaresOptions(Choice):
    a: Finite
    b: Finite
    c: Finite


class WassersteinOptions(Choice):
    clip: NonNegative
    drift: NonNegative

    def contradictions(self, chosen: Chosen) -> list[str]:
        """A critic that neither clipping nor a penalty nor its norm keeps Lipschitz."""
        if self.clip or chosen.several("penalty") or chosen.norm("discriminator") == "spectral":
            return []
        return ["loss.clip=0: nothing keeps the critic Lipschitz: add penalty=gradient_penalty, or clip=0.01"]

    def advice(self, chosen: Chosen) -> list[str]:
        """A critic far from its optimum, one that is kept Lipschitz twice, and one that sees pictures in company."""
        lines, slopes = [], [name for name in chosen.several("penalty") if name in LIPSCHITZ]
        rates = [chosen.of_player(player, "lr") for player in ("discriminator", "generator")]
        if chosen.of_player("discriminator", "steps") == 1 and not self.drift and rates[0] <= rates[1]:
            lines.append(
                "loss=wasserstein: its critic is to be near its optimum, and makes 1 step for each of G; the papers "
                "make 5 (Arjovsky et al. 2017, Gulrajani et al. 2017): discriminator.steps=5"
            )
        if self.clip and slopes:
            lines.append(
                f"loss.clip={self.clip:g}: keeps the critic Lipschitz, as penalty={slopes[0]} does, which took its "
                "place (Gulrajani et al. 2017): loss.clip=0"
            )
        elif self.clip and chosen.norm("discriminator") == "batch":
            lines.append(
                "loss=wasserstein: with batch norm in D a score depends on the rest of its minibatch; the paper had it "
                "beside clipping (Arjovsky et al. 2017), the next one took it out (Gulrajani et al. 2017): "
                "architecture.discriminator.norm=layer"
            )
        return lines


class FGANOptions(Choice):
    divergence: Literal["kl", "reverse_kl", "pearson", "squared_hellinger", "jensen_shannon", "gan", "total_variation"]
    generator_step: Literal["paper", "alternative"]
