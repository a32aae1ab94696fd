"""The divergence of samples from a known density."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gan_cli.data.knows import KnowsConditional, KnowsDensity, Redraws, with_options
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.metric import Better, Metric

DRAWS = 200_000  # from the density, to estimate the mass of each cell


@dataclass(frozen=True, kw_only=True)
class Divergence(Metric):
    """Jensen–Shannon divergence to a density, over ``cells`` that have equal mass under it, in nats.

    The cells come from repeatedly halving a large draw of the density along its widest coordinate. By the
    data processing inequality, no partition shows more than the true divergence, so apart from sampling noise this is a
    lower bound. ``jsd_floor`` is the value of as many samples of the density itself. ``log_density_gap`` is
    E_data log p(x) − E_model log p(x), exact where the density has a formula.
    """

    cells: int

    def better(self, evidence: Evidence) -> Better:
        return (
            {"jsd": "low", "log_density_gap": "low"} if isinstance(evidence.dataset, KnowsDensity) else {"jsd": "low"}
        )

    def refusal(self, evidence: Evidence) -> str | None:
        if evidence.is_image or not isinstance(evidence.dataset, Redraws):
            return "needs points of a known density, such as dataset=ring: leave it out"
        if isinstance(evidence.dataset, KnowsConditional) and evidence.model and evidence.model.conditions:
            return "would mix the samples of all conditions: use metrics=conditional_divergence"
        return None

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        fake, dataset = evidence.drawn.values, evidence.dataset
        assert isinstance(dataset, Redraws)
        draw = with_options(dataset, points=DRAWS, seed=dataset.seed + 1).load().values
        fresh = with_options(dataset, points=len(fake), seed=dataset.seed + 2).load().values
        counts = cell_counts([draw, fake, fresh], self.cells)
        values = {"jsd": jsd_of_counts(counts[0], counts[1]), "jsd_floor": jsd_of_counts(counts[0], counts[2])}
        if isinstance(dataset, KnowsDensity):
            some = evidence.some(draw, 20_000, "log_density_gap")
            gap = dataset.log_density(some).mean() - dataset.log_density(fake).mean()
            values["log_density_gap"] = float(gap)
        return values


def cell_counts(sets: list[np.ndarray], cells: int) -> np.ndarray:
    """The counts of each set in the cells of a k-d tree that divides the first set evenly: int (sets, cells)."""
    if cells < 2 or len(sets[0]) < 2:
        return np.array([[len(points)] for points in sets])
    axis = int(np.ptp(sets[0], axis=0).argmax())
    half = (cells + 1) // 2
    widest = sets[0][:, axis]
    cut = np.median(widest) if cells % 2 == 0 else np.quantile(widest, half / cells)
    low = [points[points[:, axis] <= cut] for points in sets]
    high = [points[points[:, axis] > cut] for points in sets]
    if not len(high[0]):  # many equal values
        return np.array([[len(points)] for points in sets])
    return np.concatenate([cell_counts(low, half), cell_counts(high, cells - half)], axis=1)


def jsd_of_counts(counts: np.ndarray, counts2: np.ndarray) -> float:
    """Jensen–Shannon divergence in nats, of two histograms (K,)."""
    p, q = counts / counts.sum(), counts2 / counts2.sum()
    middle = (p + q) / 2
    return sum(float((r[r > 0] * np.log(r[r > 0] / middle[r > 0])).sum()) / 2 for r in (p, q))
