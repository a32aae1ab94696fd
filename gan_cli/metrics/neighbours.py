"""Metrics of nearest neighbours in feature space."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.lattice import Lattice
from gan_cli.metrics.metric import Better, Metric, needs_features, needs_held_out, needs_samples

log = logging.getLogger(__name__)


def radii(x: np.ndarray, neighbours: int, lattice: Lattice) -> np.ndarray:
    """Squared distance from each of x (N, …) to its k-th nearest other: (N,)."""
    nearest = np.full((len(x), neighbours), np.inf)
    for rows, columns, tile in lattice.tiles(x, x):
        if rows == columns:
            np.fill_diagonal(tile, np.inf)  # not itself
        found = np.concatenate([nearest[rows], tile], axis=1)
        found.partition(neighbours - 1, axis=1)
        nearest[rows] = found[:, :neighbours]
    return nearest.max(axis=1)


@dataclass(frozen=True, kw_only=True)
class Neighbourly(Metric):
    neighbours: int

    def refusal(self, evidence: Evidence) -> str | None:
        return needs_features(evidence) or needs_samples(evidence, self.neighbours + 1)

    def pair(self, evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
        """Equal numbers of real and generated samples, because the shares depend on them: a part of the larger set."""
        real, fake = evidence.points
        return evidence.some(real, evidence.count, "neighbours"), evidence.some(fake, evidence.count, "neighbours")


class PrecisionRecall(Neighbourly):
    """Improved precision and recall (Kynkäänniemi et al. 2019).

    Precision is the share of generated samples within reach of a real one, recall the share of real samples within
    reach of a generated one. A sample reaches as far as its k-th nearest neighbour of its own kind.
    """

    def better(self, evidence: Evidence) -> Better:
        return {"precision": "high", "recall": "high"}

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        real, fake = self.pair(evidence)
        lattice = Lattice(real, fake)
        reach_real, reach_fake = (radii(x, self.neighbours, lattice) for x in (real, fake))
        precise, recalled = np.zeros(len(fake), bool), np.zeros(len(real), bool)
        for rows, columns, tile in lattice.tiles(fake, real):
            precise[rows] |= (tile <= reach_real[columns]).any(axis=1)
            recalled[columns] |= (tile <= reach_fake[rows, None]).any(axis=0)
        return {"precision": float(precise.mean()), "recall": float(recalled.mean())}


class DensityCoverage(Neighbourly):
    """Density and coverage (Naeem et al. 2020): 1/(kM) Σ_j Σ_i 1[y_j within reach of x_i], and the share of real
    samples with a generated one within reach. Both are robust to a few outliers among the real samples.

    Within reach means nearer than the k-th nearest neighbour, as in the paper. A picture that the data hold more than k
    times has nothing within reach, not even its own copies.
    """

    def better(self, evidence: Evidence) -> Better:
        return {"density": "high", "coverage": "high"}

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        real, fake = self.pair(evidence)
        lattice = Lattice(real, fake)
        reach = radii(real, self.neighbours, lattice)
        hits, covered = 0, np.zeros(len(real), bool)
        for _, columns, tile in lattice.tiles(fake, real):
            within = tile < reach[columns]
            hits += int(within.sum())
            covered[columns] |= within.any(axis=0)
        return {"density": hits / (self.neighbours * len(fake)), "coverage": float(covered.mean())}


@dataclass(frozen=True, kw_only=True)
class Memorisation(Metric):
    """The distance of generated samples from the training data, compared with that of unseen real samples.

    Distances are root mean squares over pixels in [−1, 1], or over coordinates. ``copied`` is the share of samples
    nearer to a training sample than all but 1 % of the unseen real ones, so about 0.01 if nothing is memorised. The
    nearest ``pairs`` are drawn in a picture, ``memorisation``: generated above, nearest training sample below.
    """

    samples: int
    pairs: int

    def better(self, evidence: Evidence) -> Better:
        return {"copied": "low"}

    def refusal(self, evidence: Evidence) -> str | None:
        return needs_held_out(evidence)

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        training = evidence.training.values
        assert evidence.held_out is not None
        drawn = evidence.some(evidence.drawn.values, self.samples, "memorisation")
        distance, nearest = closest(drawn, training)
        others = evidence.some(evidence.held_out.values, self.samples, "memorisation")
        unseen, _ = closest(others, training)
        evidence.note(
            ("nearest_training", "nearest_training_of_held_out", "copied"),
            f"{len(drawn):,} generated and {len(others):,} held-out samples, against {len(training):,} of training",
        )
        if evidence.is_image and evidence.picture is not None:
            self._draw(evidence, drawn, distance, nearest, evidence.picture("memorisation"))
        return {
            "nearest_training": float(np.median(distance)),
            "nearest_training_of_held_out": float(np.median(unseen)),
            "copied": float((distance < np.quantile(unseen, 0.01)).mean()),
        }

    def _draw(
        self, evidence: Evidence, drawn: np.ndarray, distance: np.ndarray, nearest: np.ndarray, path: Path
    ) -> None:
        from gan_cli.data.samples import as_input
        from gan_cli.output.pictures import pairs, save_png
        from gan_cli.output.replacing import written

        order = np.argsort(distance)[: self.pairs]
        samples, data = drawn[order], evidence.training.values[nearest[order]]
        with written(path, "then try again"):
            save_png(pairs(as_input(samples), as_input(data)), path)
        log.info("samples nearest to the training data, above what they are near to: %s", path)


def closest(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Root mean square distance from each of x to the nearest of y (pixels in [−1, 1]), and the index of that one."""
    squared, nearest = np.full(len(x), np.inf), np.zeros(len(x), np.int64)
    for rows, columns, tile in Lattice(x, y).tiles(x, y):
        best = tile.argmin(axis=1)
        found = tile[np.arange(len(tile)), best]
        nearer = found < squared[rows]
        squared[rows][nearer] = found[nearer]
        nearest[rows][nearer] = columns.start + best[nearer]
    scale = 2 / 255 if x.dtype == np.uint8 else 1.0
    return scale * np.sqrt(squared / math.prod(x.shape[1:])), nearest
