"""What guards may be told. Nothing here imports torch."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from gan_cli.config.options import Choice, Chosen, Count, Fraction, NonNegative, Whole


def _far(value: float) -> float:
    if 0 < value <= 1:
        raise ValueError("must be more than 1, so many times the best value, or 0 for never")
    return value


class GuardOptions(Choice):
    """When a sign is trouble; 0 is never."""

    spread: Fraction
    duplicates: Annotated[float, Field(ge=0, le=1)]
    modes: Fraction
    certain: Whole
    far: Annotated[NonNegative, AfterValidator(_far)]

    before: ClassVar[dict[str, Any]] = {"spread": 0.0, "duplicates": 0.0, "modes": 0.0, "certain": 0, "far": 0.0}


class RollbackOptions(GuardOptions):
    attempts: Count
    rate: Annotated[float, Field(gt=0, le=1)]

    def contradictions(self, chosen: Chosen) -> list[str]:
        """Many seeds as one computation."""
        if (size := chosen.count("ensemble")) < 2:
            return []
        return [
            f"guard=rollback: ensemble={size} plays all seeds in step, so none can go back alone: use guard=stop, "
            "which loses a seed alone, and continue that one by itself: resume=RUN/seed-N guard=rollback"
        ]
