"""Log-likelihood under a Parzen window, the metric of the 2014 paper."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.lattice import as_float64, tiles
from gan_cli.metrics.metric import Better, Metric, needs_held_out

OF = ("parzen", "parzen_error", "parzen_bandwidth")


@dataclass(frozen=True, kw_only=True)
class Parzen(Metric):
    """Mean log-likelihood of test samples under Gaussians around the generated ones, in nats (Goodfellow et al. 2014,
    section 5): pixels in [0, 1], σ the best of ``bandwidths`` on validation samples, standard error over the test.

    It has a high variance in high dimensions and prefers samples near the data to samples like the data (Theis et al.
    2016). It is here for comparison with tables of its time.
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
        fewer = ": no more are held out" if len(validation) < self.validation or len(test) < self.test else ""
        evidence.note(OF, f"of {len(test):,} held-out samples, σ chosen on {len(validation):,} others{fewer}")
        centres = evidence.drawn.values
        chosen = log_likelihoods(validation, centres, self.bandwidths)
        best = self.bandwidths[int(chosen.mean(axis=1).argmax())]
        (scores,) = log_likelihoods(test, centres, [best])
        return dict(
            zip(OF, (float(scores.mean()), float(scores.std(ddof=1) / math.sqrt(len(scores))), best), strict=True)
        )

    def _unseen(self, evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
        """Samples to choose σ on, and samples to test; both come from the test split if the run has used all others."""
        assert evidence.held_out is not None
        unseen, unused = evidence.held_out.values, evidence.unused
        if unused is not None and len(unused) >= self.validation:
            return (
                evidence.some(unused.values, self.validation, "parzen validation"),
                evidence.some(unseen, self.test, "parzen"),
            )
        order = evidence.generator("parzen").permutation(len(unseen))
        cut = max((len(unseen) + 1) // 2, len(unseen) - self.validation)
        return unseen[np.sort(order[cut:])], unseen[np.sort(order[: min(cut, self.test)])]


def log_likelihoods(x: np.ndarray, centres: np.ndarray, bandwidths: list[float]) -> np.ndarray:
    """log of the mean of N(x; centre, σ² I), in nats, for every σ and every x: float64 (bandwidths, N).

    Pictures (N, C, H, W), of bytes or in [−1, 1], are scaled to [0, 1]; points, float32 (N, d), are not scaled.
    """
    scale, mean = 255.0, np.zeros(1)
    if x.dtype != np.uint8:
        scale, mean = 2.0 if x.ndim == 4 else 1.0, centres.mean(axis=0, dtype=np.float64).reshape(-1)
    nearest, found = np.full(len(x), np.inf), np.zeros((len(bandwidths), len(x)))
    for rows, _, tile in tiles(x, centres, lambda values: (as_float64(values) - mean) / scale):  # fewer digits are lost
        closer = np.minimum(nearest[rows], tile.min(axis=1).clip(0))
        for i, sigma in enumerate(bandwidths):  # Σ exp(−d²/2σ²), relative to its largest term so far
            found[i, rows] *= np.exp((closer - nearest[rows]) / (2 * sigma**2))
            found[i, rows] += np.exp((closer[:, None] - tile) / (2 * sigma**2)).sum(axis=1)
        nearest[rows] = closer
    variances = np.array(bandwidths)[:, None] ** 2
    dimensions = math.prod(x.shape[1:])
    return np.log(found / len(centres)) - nearest / (2 * variances) - dimensions * np.log(2 * math.pi * variances) / 2
