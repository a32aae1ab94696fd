"""What all metrics share."""

from __future__ import annotations

from typing import ClassVar, Literal, Protocol, runtime_checkable

from gan_cli.metrics.evidence import Evidence

Better = dict[str, Literal["low", "high"]]


@runtime_checkable
class Refuses(Protocol):
    """A metric that says which samples it cannot judge."""

    def refusal(self, evidence: Evidence) -> str | None:
        """Why these samples cannot be judged; None if they can."""
        ...


class Metric:
    """One way of judging samples.

    A metric of one's own needs ``__call__`` and may set the rest; it need not derive from this class.

    Attributes:
        judges_samples: whether it looks at generated samples at all.
    """

    judges_samples: ClassVar[bool] = True

    def better(self, evidence: Evidence) -> Better:
        """Values that can be watched, and which way is better; an attribute will do."""
        return {}

    def refusal(self, evidence: Evidence) -> str | None:
        """Why these samples cannot be judged this way, with what would help; None if they can."""
        return None

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        """Values by name."""
        raise AssertionError("a metric defines __call__()")


def needs_features(evidence: Evidence) -> str | None:
    """For metrics that compare pictures in the features of an extractor; points are their own features."""
    if not evidence.is_image:
        return None
    return evidence.extractor.refusal(evidence.real)


def needs_samples(evidence: Evidence, least: int) -> str | None:
    """For metrics that mean nothing for fewer than ``least`` samples of each kind."""
    if evidence.count >= least:
        return None
    return f"needs {least} real and as many generated samples, and there are {evidence.count}: give more"


def needs_pictures(evidence: Evidence) -> str | None:
    return None if evidence.is_image else "is for pictures"


def needs_held_out(evidence: Evidence) -> str | None:
    return None if evidence.held_out is not None else "needs held-out samples, and this dataset has no test split"
