"""The pendulum's transitions, against mechanics written down again and SciPy's Gaussians."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import cumulative_trapezoid
from scipy.stats import kstest, norm

from gan_cli.config.library import Library

OPTIONS = {"interval": 0.1, "gravity": 9.81, "damping": 1.0, "torque": 8.0, "speed": 8.0, "slip": 0.3}
PENDULUM = Library().build_by_name("dataset", "pendulum", points=5000, angle_noise=0.1, velocity_noise=0.2, **OPTIONS)


def parts(angle: float, velocity: float, torque: float) -> list[tuple[float, tuple[float, float]]]:
    """The share of each Gaussian, and its mean (mean velocity, mean acceleration) over .1 s, by hand."""
    found = []
    for share, pushed in ((0.7, torque), (0.3, 0.0)):
        acceleration = -9.81 * math.sin(angle) - velocity + pushed
        found.append((share, (velocity + 0.1 * acceleration, acceleration)))
    return found


def label(angle: float, velocity: float, torque: float) -> np.ndarray:
    return PENDULUM.labels_of(np.array([[angle, velocity]]), np.array([torque]))


SITUATIONS = [(0.3, -2.0, 7.0), (math.pi, 0.0, -8.0), (-2.5, 6.5, 1.0)]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_density_and_ranks_are_those_of_scipys_gaussians(situation):
    mixture, generator = parts(*situation), np.random.default_rng(0)
    x = PENDULUM.given(np.repeat(label(*situation), 2000, axis=0), generator)
    labels = np.repeat(label(*situation), len(x), axis=0)

    def density(rate, acceleration):
        return sum(s * norm(m[0], 1.0).pdf(rate) * norm(m[1], 2.0).pdf(acceleration) for s, m in mixture)

    np.testing.assert_allclose(PENDULUM.log_density_given(x, labels), np.log(density(*x.T)), rtol=1e-4, atol=1e-4)
    ranks = PENDULUM.ranks_given(x[:3], labels[:3])
    for (rate, acceleration), (first, second) in zip(x[:3], ranks, strict=True):
        assert first == pytest.approx(sum(s * norm.cdf(acceleration, m[1], 2.0) for s, m in mixture), abs=1e-5)
        grid = np.linspace(rate - 12, rate + 12, 4801)
        below = cumulative_trapezoid(density(grid, acceleration), grid)
        assert second == pytest.approx(below[2399] / below[-1], abs=1e-4)


def test_ranks_of_true_draws_are_uniform_and_independent_and_the_labels_are_standardised():
    samples = PENDULUM.load()
    assert (samples.values.dtype, samples.labels.dtype, samples.shape) == (np.float32, np.float32, (2,))
    np.testing.assert_allclose(samples.labels.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(samples.labels.std(axis=0), 1, atol=0.02)
    ranks = PENDULUM.ranks_given(samples.values, samples.labels)
    for of_coordinate in ranks.T:
        assert kstest(of_coordinate, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(np.column_stack([ranks, samples.labels]).T)[0, 1:]).max() < 0.05
    assert abs(np.corrcoef(np.column_stack([ranks, samples.labels]).T)[1, 2:]).max() < 0.05
    others = PENDULUM.held_out()
    assert not np.isin(others.values[:, 0], samples.values[:, 0]).any()


def test_nothing_jumps_where_the_angle_comes_round():
    near, over = label(math.pi - 1e-6, 3.0, 5.0), label(-math.pi + 1e-6, 3.0, 5.0)
    np.testing.assert_allclose(near, over, atol=1e-5)
    later = PENDULUM.after(np.array([[math.pi - 0.01, 3.0]]), np.array([[3.0, 0.0]]))
    np.testing.assert_allclose(later, [[math.pi + 0.29, 3.0]])
    turned = np.array([[math.pi + 0.29, 3.0]]) - [[2 * math.pi, 0]]
    torque = np.array([1.0])
    np.testing.assert_allclose(PENDULUM.labels_of(later, torque), PENDULUM.labels_of(turned, torque), atol=1e-6)
