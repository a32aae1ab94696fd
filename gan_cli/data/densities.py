"""Points from known densities, on which a game can be compared with its theory."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from gan_cli.data.samples import Samples


@dataclass(frozen=True, kw_only=True)
class Density:
    """``points`` draws from a density, which depend on ``seed`` alone."""

    counted: ClassVar[str] = "dataset.points"

    points: int
    seed: int

    @property
    def generator(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    @property
    def shape(self) -> tuple[int]:
        return (2,)

    @property
    def classes(self) -> int:
        return 0

    @property
    def needs(self) -> int:
        """Bytes that it takes to draw them: float64 first, then float32."""
        return 12 * self.points * self.shape[0]

    def count(self) -> int:
        return self.points

    def held_out_count(self) -> int:
        return self.points

    def load(self) -> Samples:
        """float32 (points, d)."""
        raise AssertionError("a density defines load()")

    def held_out(self) -> Samples:
        """The same number of other draws."""
        return replace(self, seed=self.seed + 1_000_000).load()


@dataclass(frozen=True, kw_only=True)
class Mixture(Density):
    """Isotropic Gaussians with the same standard deviation; the label is the Gaussian."""

    counted: ClassVar[str] = "dataset.points or of its Gaussians"

    sigma: float

    @property
    def centres(self) -> np.ndarray:
        """float64 (modes, d)."""
        raise AssertionError("a mixture defines its centres")

    @property
    def shares(self) -> np.ndarray:
        """The share of each Gaussian in the density: (modes,), equal by default."""
        return np.full(len(self.centres), 1 / len(self.centres))

    @property
    def classes(self) -> int:
        return len(self.centres)

    @property
    def needs(self) -> int:
        return super().needs + 16 * self.classes * self.shape[0]

    def load(self) -> Samples:
        generator, means = self.generator, self.centres
        labels = generator.choice(len(means), size=self.points, p=self.shares)
        noise = generator.standard_normal((self.points, means.shape[1]))
        return Samples((means[labels] + self.sigma * noise).astype(np.float32), labels, classes=self.classes)

    def mode_counts(self, points: np.ndarray) -> np.ndarray:
        """The number of points (n, d) of high quality at each mode: (modes,)."""
        distance = np.linalg.norm(points[:, None] - self.centres, axis=2)  # (n, modes)
        good = distance.min(axis=1) < 3 * self.sigma
        return np.bincount(distance.argmin(axis=1)[good], minlength=len(self.centres))

    def quality(self, points: np.ndarray) -> dict[str, float]:
        """Modes found and share of high quality in points (n, d), as PacGAN counts them (Lin et al. 2018, section 4.1).

        A point within 3σ of the nearest mean is of high quality; a mode with at least one such point is found.
        """
        counts = self.mode_counts(points)
        return {
            "modes": int((counts > 0).sum()),
            "of_modes": len(counts),
            "high_quality": float(counts.sum() / len(points)),
        }

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log p(x) in nats, for x (N, d): (N,)."""
        from_mean = ((x[:, None] - self.centres) ** 2).sum(axis=2) / (2 * self.sigma**2)  # (N, modes)
        nearest = from_mean.min(axis=1)
        rest = np.log(np.exp(nearest[:, None] - from_mean) @ self.shares)
        return rest - nearest - self.centres.shape[1] * math.log(self.sigma * math.sqrt(2 * math.pi))


@dataclass(frozen=True, kw_only=True)
class Ring(Mixture):
    modes: int
    radius: float

    @property
    def classes(self) -> int:
        return self.modes

    @property
    def centres(self) -> np.ndarray:
        angles = 2 * np.pi * np.arange(self.modes) / self.modes
        return self.radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


@dataclass(frozen=True, kw_only=True)
class Grid(Mixture):
    side: int
    spacing: float

    @property
    def classes(self) -> int:
        return self.side**2

    @property
    def centres(self) -> np.ndarray:
        ticks = self.spacing * (np.arange(self.side) - (self.side - 1) / 2)
        return np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=2).reshape(-1, 2)


@dataclass(frozen=True, kw_only=True)
class At(Mixture):
    """Gaussians with given means and shares."""

    means: list[list[float]]
    weights: list[float] | None

    def __post_init__(self) -> None:
        if len({len(mean) for mean in self.means}) != 1:
            raise ValueError(f"dataset.means={self.means}: must be points of one dimension, such as [[-2],[2]]")
        if self.weights is not None and len(self.weights) != len(self.means):
            raise ValueError(f"dataset.weights={self.weights}: must be one number for each of {len(self.means)} means")

    @property
    def shares(self) -> np.ndarray:
        return super().shares if self.weights is None else np.array(self.weights) / sum(self.weights)

    @property
    def centres(self) -> np.ndarray:
        return np.array(self.means, np.float64)

    @property
    def shape(self) -> tuple[int]:
        return (len(self.means[0]),)


@dataclass(frozen=True, kw_only=True)
class Gaussian(Mixture):
    """N(mean, σ² I) in ``dimension`` dimensions: a mixture of one."""

    dimension: int
    mean: float

    @property
    def centres(self) -> np.ndarray:
        return np.full((1, self.dimension), self.mean)

    @property
    def shape(self) -> tuple[int]:
        return (self.dimension,)

    @property
    def classes(self) -> int:
        return 0

    def load(self) -> Samples:
        return Samples(super().load().values)


@dataclass(frozen=True, kw_only=True)
class SwissRoll(Density):
    """An Archimedean spiral, uniform along its angle, with Gaussian noise."""

    turns: float
    radius: float
    noise: float

    def load(self) -> Samples:
        generator = self.generator
        turn = generator.uniform(0.25, 1.0, self.points)  # the spiral begins at a quarter of the radius
        angle, distance = 2 * np.pi * self.turns * turn, self.radius * turn
        curve = np.stack([distance * np.cos(angle), distance * np.sin(angle)], axis=1)
        return Samples((curve + self.noise * generator.standard_normal(curve.shape)).astype(np.float32))
