"""What models and penalties may be told. Nothing here imports torch."""

from __future__ import annotations

from typing import ClassVar, Literal

from gan_cli.config.options import OF_GAMES, OF_PLAYERS, Choice, Chosen, Count, Fraction, NonNegative, Positive, Whole


class GANOptions(Choice):
    together = True
    uses = (*OF_GAMES, *OF_PLAYERS)


class PenaltyOptions(Choice):
    weight: NonNegative
    final_weight: NonNegative | None
    anneal_images: Whole
    interval: Count

    second_derivative: ClassVar[bool] = True  # of D

    def contradictions(self, chosen: Chosen) -> list[str]:
        """What has no second derivative."""
        if not self.second_derivative or not chosen.on("compile") or chosen.count("ensemble"):
            return []
        return [
            f"compile=true: a compiled discriminator has no second derivative, which penalty={self.name} needs: "
            "use compile=false (on a GPU, capture does more)"
        ]


class GradientPenaltyOptions(PenaltyOptions):
    sides: Literal["one", "two"]
    target: NonNegative


class DRAGANOptions(GradientPenaltyOptions):
    deviation: Positive


class ConsistencyOptions(PenaltyOptions):
    second_derivative = False

    shift: Fraction
    noise: NonNegative
