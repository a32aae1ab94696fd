"""Distances between two sets of features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.metric import LEAST_OF_KERNEL, Better, Metric, needs_features, needs_samples


class Frechet(Metric):
    """Fréchet distance of two Gaussians fitted to the features (Heusel et al. 2017):

    |μ − μ′|² + tr(Σ + Σ′ − 2 (Σ Σ′)^½). With Inception features this is the FID. Biased upwards by few samples.
    """

    def better(self, evidence: Evidence) -> Better:
        return {"frechet": "low"}

    def refusal(self, evidence: Evidence) -> str | None:
        if reason := needs_features(evidence):
            return reason
        features = evidence.width
        reason = needs_samples(evidence, features + 1)
        return reason and f"the covariance of {features} features {reason}"

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        real, fake = evidence.pair
        return {"frechet": frechet_distance(*mean_and_covariance(real), *mean_and_covariance(fake))}


def mean_and_covariance(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (F,) and unbiased covariance (F, F) of features (N, F), in float64, a block of rows at a time."""
    mean = features.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((features.shape[1], features.shape[1]))
    for start in range(0, len(features), 4096):
        centred = features[start : start + 4096] - mean
        covariance += centred.T @ centred
    return mean, covariance / (len(features) - 1)


def frechet_distance(mean: np.ndarray, covariance: np.ndarray, mean2: np.ndarray, covariance2: np.ndarray) -> float:
    """|μ − μ′|² + tr(Σ + Σ′ − 2 (Σ Σ′)^½), by eigenvalues of symmetric matrices alone."""
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T  # Σ^½
    cross = np.sqrt(np.linalg.eigvalsh(root @ covariance2 @ root).clip(0)).sum()  # tr (Σ^½ Σ′ Σ^½)^½
    return float(((mean - mean2) ** 2).sum() + np.trace(covariance) + np.trace(covariance2) - 2 * cross)


@dataclass(frozen=True, kw_only=True)
class Kernel(Metric):
    """Kernel distance, squared: unbiased MMD² with k(x, y) = (x·y/F + 1)³ (Bińkowski et al. 2018; the KID).

    The mean over random subsets, and the standard error of that mean. Subsets of n of N samples overlap, so that they
    tell no more than N / n that do not: the error is their standard deviation / √min(subsets, N / n). A subset has at
    most a quarter of the samples.
    """

    subsets: int
    subset_size: int

    def better(self, evidence: Evidence) -> Better:
        return {"kernel": "low"}

    def refusal(self, evidence: Evidence) -> str | None:
        return needs_features(evidence) or needs_samples(evidence, LEAST_OF_KERNEL)

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        real, fake = evidence.pair
        generator, size = evidence.generator("kernel"), min(self.subset_size, evidence.count // 4)
        if size < self.subset_size:
            evidence.say(f"kernel: subsets of {size:,}, a quarter of the samples, not of {self.subset_size:,}")
        values = [
            mmd2(
                real[generator.choice(len(real), size, replace=False)],
                fake[generator.choice(len(fake), size, replace=False)],
            )
            for _ in range(self.subsets)
        ]
        error = np.std(values, ddof=1) / np.sqrt(min(len(values), evidence.count / size))
        return {"kernel": float(np.mean(values)), "kernel_error": float(error)}


def mmd2(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased squared maximum mean discrepancy of two sets of n features (n, F) under the cubic kernel."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    n, features = x.shape

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        inner = a @ b.T / features + 1
        return inner * inner * inner  # ** 3 takes ten times as long

    within = [(k.sum() - k.trace()) / (n * (n - 1)) for k in (kernel(x, x), kernel(y, y))]
    return float(within[0] + within[1] - 2 * kernel(x, y).mean())


@dataclass(frozen=True, kw_only=True)
class SlicedWasserstein(Metric):
    """Earth mover's distance along random directions, averaged (Rabin et al. 2011), in units of the features."""

    projections: int

    def better(self, evidence: Evidence) -> Better:
        return {"sliced_wasserstein": "low"}

    def refusal(self, evidence: Evidence) -> str | None:
        return needs_features(evidence)

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        real, fake = evidence.pair
        generator, n = evidence.generator("sliced_wasserstein"), min(len(real), len(fake))
        directions = generator.standard_normal((real.shape[1], self.projections))
        directions /= np.linalg.norm(directions, axis=0)
        shadows = [
            np.sort(shadow(features, generator.permutation(len(features))[:n], directions), axis=0)
            for features in (real, fake)
        ]
        return {"sliced_wasserstein": float(np.abs(shadows[0] - shadows[1]).mean())}


def shadow(features: np.ndarray, rows: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Rows of features (N, F), projected onto directions (F, D): float64 (n, D), without a copy of all features."""
    parts = [features[rows[start : start + 4096]] @ directions for start in range(0, len(rows), 4096)]
    return np.concatenate(parts)
