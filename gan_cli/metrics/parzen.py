"""Log-likelihood under a Parzen window, as the 2014 paper judged its models."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.metric import Better, Metric, needs_held_out
from gan_cli.metrics.neighbours import squared_distances


@dataclass(frozen=True, kw_only=True)
class Parzen(Metric):
    """Mean log-likelihood of test samples under Gaussians around the generated ones, in nats (Goodfellow et al. 2014,
    section 5): pixels in [0, 1], σ the best of ``bandwidths`` on validation samples, standard error over the test.

    High variance in high dimensions, and it prefers what is near the data to what is like it (Theis et al. 2016): for
    comparison with the tables of its time.
    """

    bandwidths: list[float]
    validation: int
    test: int

    def better(self, evidence: Evidence) -> Better:
        return {"parzen": "high"}

    def refusal(self, evidence: Evidence) -> str | None:
        if reason := needs_held_out(evidence):
            return reason
        assert evidence.held_out is not None
        return None if len(evidence.held_out) >= 4 else "needs held-out samples to test on and others to choose σ on"

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        validation, test = self._unseen(evidence)
        centres = unit(evidence.drawn.values)
        chosen = log_likelihoods(unit(validation), centres, self.bandwidths)
        best = self.bandwidths[int(chosen.mean(axis=1).argmax())]
        (scores,) = log_likelihoods(unit(test), centres, [best])
        return {
            "parzen": float(scores.mean()),
            "parzen_error": float(scores.std(ddof=1) / math.sqrt(len(scores))),
            "parzen_bandwidth": best,
        }

    def _unseen(self, evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
        """Samples to choose σ on and samples to test; the former from the test split's end if no others are left."""
        assert evidence.held_out is not None
        unseen, unused = evidence.held_out.values, evidence.unused
        if unused is not None and len(unused) >= self.validation:
            return unused.values[: self.validation], unseen[: self.test]
        cut = max((len(unseen) + 1) // 2, len(unseen) - self.validation)
        return unseen[cut:], unseen[: min(cut, self.test)]


def unit(values: np.ndarray) -> np.ndarray:
    """Pixels in [0, 1], flat, (N, d); points as they are."""
    return values if values.ndim == 2 else values.reshape(len(values), -1).astype(np.float32) / 255


def log_likelihoods(x: np.ndarray, centres: np.ndarray, bandwidths: list[float]) -> np.ndarray:
    """log of the mean of N(x; centre, σ² I), in nats, for every σ and every x: float64 (bandwidths, N)."""
    found = np.empty((len(bandwidths), len(x)))
    for rows, block in squared_distances(x, centres):
        nearest = block.min(axis=1)
        for i, sigma in enumerate(bandwidths):
            inner = np.exp((nearest[:, None] - block) / (2 * sigma**2)).mean(axis=1)
            found[i, rows] = np.log(inner) - nearest / (2 * sigma**2)
        found[:, rows] -= x.shape[1] * np.log(np.array(bandwidths) * math.sqrt(2 * math.pi))[:, None]
    return found
