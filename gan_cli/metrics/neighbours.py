"""Metrics of nearest neighbours in feature space."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.metric import Better, Metric, needs_features, needs_held_out, needs_samples

log = logging.getLogger(__name__)
BLOCK = 1024  # rows of a distance matrix held at a time


def squared_distances(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of the matrix |x_i − y_j|², float64 (block, M), with the rows they stand for."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    x, y = x - y.mean(axis=0), y - y.mean(axis=0)  # near the origin, fewer digits are lost
    lengths = (y**2).sum(axis=1)
    for start in range(0, len(x), BLOCK):
        rows = slice(start, min(start + BLOCK, len(x)))
        block = x[rows]
        yield rows, ((block**2).sum(axis=1)[:, None] + lengths - 2 * block @ y.T).clip(0)


def radii(x: np.ndarray, neighbours: int) -> np.ndarray:
    """Squared distance from each of x (N, F) to its k-th nearest other: (N,)."""
    found = np.empty(len(x))
    for rows, block in squared_distances(x, x):
        np.put_along_axis(block, np.arange(rows.start, rows.stop)[:, None], np.inf, axis=1)  # not itself
        found[rows] = np.partition(block, neighbours - 1, axis=1)[:, neighbours - 1]
    return found


@dataclass(frozen=True, kw_only=True)
class Neighbourly(Metric):
    neighbours: int

    def refusal(self, evidence: Evidence) -> str | None:
        return needs_features(evidence) or needs_samples(evidence, self.neighbours + 1)

    def features(self, evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
        """Of as many real as generated samples: these shares depend on the numbers."""
        real, fake = evidence.pair
        return real[: evidence.count], fake[: evidence.count]


class PrecisionRecall(Neighbourly):
    """Improved precision and recall (Kynkäänniemi et al. 2019):

    the share of generated samples within reach of a real one, and of real ones within reach of a generated one, where
    a sample reaches as far as its k-th nearest neighbour of its own kind.
    """

    def better(self, evidence: Evidence) -> Better:
        return {"precision": "high", "recall": "high"}

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        real, fake = self.features(evidence)
        reach_real, reach_fake = radii(real, self.neighbours), radii(fake, self.neighbours)
        precise, recalled = 0, np.zeros(len(real), bool)
        for rows, block in squared_distances(fake, real):
            precise += int((block <= reach_real).any(axis=1).sum())
            recalled |= (block <= reach_fake[rows, None]).any(axis=0)
        return {"precision": precise / len(fake), "recall": float(recalled.mean())}


class DensityCoverage(Neighbourly):
    """Density and coverage (Naeem et al. 2020): 1/(kM) Σ_j Σ_i 1[y_j within reach of x_i], and the share of real
    samples with a generated one within reach. Not moved by a few outliers among the real ones.
    """

    def better(self, evidence: Evidence) -> Better:
        return {"density": "high", "coverage": "high"}

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        real, fake = self.features(evidence)
        reach = radii(real, self.neighbours)
        hits, covered = 0, np.zeros(len(real), bool)
        for _, block in squared_distances(fake, real):
            within = block < reach
            hits += int(within.sum())
            covered |= within.any(axis=0)
        return {"density": hits / (self.neighbours * len(fake)), "coverage": float(covered.mean())}


@dataclass(frozen=True, kw_only=True)
class Memorisation(Metric):
    """How near generated samples are to the training data, beside how near unseen real ones are.

    Distances are root mean squares over pixels in [−1, 1], or over coordinates. ``copied`` is the share of samples
    nearer to a training sample than all but 1 % of the unseen real ones; about .01 where nothing is memorised. The
    nearest ``pairs`` are drawn to a picture, ``memorisation``: generated above, nearest training sample below.
    """

    samples: int
    pairs: int

    def better(self, evidence: Evidence) -> Better:
        return {"copied": "low"}

    def refusal(self, evidence: Evidence) -> str | None:
        return needs_held_out(evidence)

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        training = flat(evidence.training.values)
        assert evidence.held_out is not None
        distance, nearest = closest(flat(evidence.drawn.values[: self.samples]), training)
        unseen, _ = closest(flat(evidence.held_out.values[: self.samples]), training)
        if evidence.is_image and evidence.picture is not None:
            self._draw(evidence, distance, nearest, evidence.picture("memorisation"))
        return {
            "nearest_training": float(np.median(distance)),
            "nearest_training_of_held_out": float(np.median(unseen)),
            "copied": float((distance < np.quantile(unseen, 0.01)).mean()),
        }

    def _draw(self, evidence: Evidence, distance: np.ndarray, nearest: np.ndarray, path: Path) -> None:
        import torch

        from gan_cli.data.samples import as_input
        from gan_cli.pictures import grid, save_png

        order = np.argsort(distance)[: self.pairs]
        rows = [as_input(evidence.drawn.values[order]), as_input(evidence.training.values[nearest[order]])]
        save_png(grid(torch.cat(rows), columns=len(order)), path)
        log.info("samples nearest to the training data, above what they are near to: %s", path)


def flat(values: np.ndarray) -> np.ndarray:
    """(N, d): pixels in [−1, 1], as float32, or the points themselves."""
    return values if values.ndim == 2 else values.reshape(len(values), -1).astype(np.float32) * np.float32(2 / 255) - 1


def closest(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Root mean square distance from each of x to the nearest of y, and which that is."""
    distance, nearest = np.empty(len(x)), np.empty(len(x), np.int64)
    for rows, block in squared_distances(x, y):
        nearest[rows] = block.argmin(axis=1)
        distance[rows] = np.sqrt(block.min(axis=1) / x.shape[1])
    return distance, nearest
