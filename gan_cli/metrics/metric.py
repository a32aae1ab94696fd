"""The interface of a metric, the base of the shipped ones, and what several of them need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Literal, Protocol, SupportsFloat, runtime_checkable

from gan_cli.config.options import Group
from gan_cli.metrics.evidence import Evidence

Better = dict[str, Literal["low", "high"]]
Measure = Callable[[Evidence], Mapping[str, SupportsFloat]]  # what a metric must be: evidence → values by name
METRICS = Group[Measure]("metrics")
LEAST_OF_KERNEL, LEAST_OF_PATCHES = 8, 2  # samples of each kind
LEAST_SIDE = 16  # of pictures that patches are taken of


@runtime_checkable
class Refuses(Protocol):
    """A metric that says which samples it cannot judge."""

    def refusal(self, evidence: Evidence) -> str | None:
        """Why these samples cannot be judged; None if they can."""
        ...


class Metric:
    """The base of the shipped metrics. A metric of your own needs only ``__call__``.

    Attributes:
        judges_samples: whether it looks at generated samples at all.
        of_data: whether its values depend on how the data are shown to the model.
    """

    judges_samples: ClassVar[bool] = True
    of_data: ClassVar[bool] = True

    def better(self, evidence: Evidence) -> Better:
        """The values that can be watched, and whether low or high ones are better."""
        return {}

    def refusal(self, evidence: Evidence) -> str | None:
        """Why these samples cannot be judged this way, and what would help; None if they can."""
        return None

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        """Values by name."""
        raise AssertionError("a metric defines __call__()")


def needs_features(evidence: Evidence) -> str | None:
    """For metrics that compare pictures in the features of an extractor; points are their own features."""
    reason = evidence.extractor.refusal(evidence.real) if evidence.is_image else None
    if reason is None or not of_patches(evidence):
        return reason
    return f"{reason}, or use metrics=swd, which needs no features"


def needs_samples(evidence: Evidence, least: int) -> str | None:
    """For metrics that need at least ``least`` samples of each kind; says which metric fits as few as there are."""
    if (count := evidence.count) >= least:
        return None
    reason = f"needs {least} real and as many generated samples, and there are {count}: give more"
    return f"{reason}, or use metrics={other}" if (other := for_few(evidence)) else reason


def for_few(evidence: Evidence) -> str | None:
    """The distance that can be measured of as few samples as there are, or None if there is none."""
    if evidence.count >= LEAST_OF_KERNEL and not needs_features(evidence):
        return "kernel"
    if evidence.count >= LEAST_OF_PATCHES:
        return "swd" if of_patches(evidence) else "sliced_wasserstein"
    return None


def of_patches(evidence: Evidence) -> bool:
    """Whether the samples are pictures that patches can be taken of."""
    return evidence.is_image and min(evidence.real.shape[1:]) >= LEAST_SIDE


def needs_pictures(evidence: Evidence) -> str | None:
    return None if evidence.is_image else "is for pictures"


def needs_held_out(evidence: Evidence) -> str | None:
    return None if evidence.held_out is not None else "needs held-out samples, and this dataset has no test split"
