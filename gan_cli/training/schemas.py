"""The options of optimizers and schedules: types and limits. Torch-free."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gan_cli.config.annealing import half_annealed
from gan_cli.config.options import (
    Choice,
    Chosen,
    Count,
    Fraction,
    NonNegative,
    Positive,
    Values,
    Whole,
    sizes_of,
)

Betas = Annotated[list[Fraction], Field(min_length=2, max_length=2)]


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

    betas: Betas
    final_betas: Betas | None
    anneal_images: Whole
    eps: Positive
    weight_decay: NonNegative

    before: ClassVar[Values] = {"final_betas": None, "anneal_images": 0}

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Final betas, and no images over which they are reached."""
        lines = half_annealed(chosen, "optimizer", "final_betas", self.final_betas, self.anneal_images)
        return super().contradictions(chosen) + lines


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
    unit: Literal["steps", "images"]
    warmup: Whole

    before: ClassVar[Values] = {"unit": "steps"}


class DecayOptions(ScheduleOptions):
    start: Whole
    duration: Count
    final: Annotated[float, Field(ge=0, le=1)]

    def contradictions(self, chosen: Chosen) -> list[str]:
        """The number of steps, which is the default, as a number of images."""
        steps, size = chosen.count("steps"), max(sizes_of(chosen.root.get("batch_size")), default=1)
        if self.unit == "steps" or self.duration != steps or size == 1:
            return []
        return [
            f"schedule.duration={self.duration}: is the number of steps, and schedule.unit=images counts images: "
            f"say how many, such as {steps * size}"
        ]


class ExponentialOptions(ScheduleOptions):
    half_life: Positive
    final: Annotated[float, Field(ge=0, le=1)]
