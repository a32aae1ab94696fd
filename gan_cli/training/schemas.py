"""The options of optimizers and schedules: types and limits. Torch-free."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from gan_cli.config.options import Choice, Chosen, Count, Fraction, NonNegative, Positive, Whole


class OptimizerOptions(Choice):
    """The update of a weight depends on no other weight, as an ensemble needs."""

    together = True

    lr: Positive

    skips: ClassVar[bool] = False  # whether it can skip a move whose gradients overflow

    def contradictions(self, chosen: Chosen) -> list[str]:
        """fp16, whose gradients may overflow, with an optimizer that cannot skip such a move."""
        if chosen.root.get("precision") != "fp16" or self.skips:
            return []
        return [
            f"precision=fp16: moves that overflow are skipped, which optimizer={self.name} cannot: "
            "use optimizer=adam or precision=bf16"
        ]


class AdamOptions(OptimizerOptions):
    skips = True

    betas: Annotated[list[Fraction], Field(min_length=2, max_length=2)]
    eps: Positive
    weight_decay: NonNegative


class RMSpropOptions(OptimizerOptions):
    alpha: Fraction
    eps: Positive
    momentum: Fraction
    weight_decay: NonNegative


class SGDOptions(OptimizerOptions):
    momentum: Fraction
    final_momentum: Fraction | None
    momentum_steps: Whole
    nesterov: bool
    weight_decay: NonNegative


class ScheduleOptions(Choice):
    warmup: Whole


class DecayOptions(ScheduleOptions):
    start: Whole
    duration: Count
    final: Annotated[float, Field(ge=0, le=1)]


class ExponentialOptions(ScheduleOptions):
    half_life: Positive
    final: Annotated[float, Field(ge=0, le=1)]
