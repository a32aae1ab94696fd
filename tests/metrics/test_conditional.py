"""The divergence of a conditional density: its value by SciPy, and that broken simulators do not pass for true ones."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import norm

from gan_cli.config.library import Library
from gan_cli.data.samples import Samples
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.extractors.pixels import Pixels

LIBRARY = Library()
PENDULUM = LIBRARY.build_by_name("dataset", "pendulum", points=100, velocity_noise=0.1)  # two futures, well apart


def measured(simulate, dataset=PENDULUM, **options) -> dict[str, float]:
    """Of a simulator, labels (N, 4) → rates (N, 2)."""
    model = SimpleNamespace(
        conditions=dataset.conditions,
        prior=SimpleNamespace(sample=lambda n, device, generator: torch.zeros(n, 1)),
        decode=lambda z, labels, batch_size: torch.from_numpy(simulate(labels.numpy())),
    )
    samples = dataset.load()
    evidence = Evidence(training=samples, real=samples, source=Pixels(), dataset=dataset, model=model)
    metric = LIBRARY.build_by_name("metrics", "conditional_divergence", **options)
    assert metric.refusal(evidence) is None
    return metric(evidence)


def true(labels: np.ndarray) -> np.ndarray:
    return PENDULUM.given(labels, np.random.default_rng(7))


def without_torque(labels: np.ndarray) -> np.ndarray:
    return true(labels * np.float32([1, 1, 1, 0]))


def mean_alone(labels: np.ndarray) -> np.ndarray:
    """A point prediction."""
    means = PENDULUM._means(labels)
    return (1 - PENDULUM.slip) * means[:, 0] + PENDULUM.slip * means[:, 1]


def one_gaussian(labels: np.ndarray) -> np.ndarray:
    """The right mean and variances: two futures become one that lies between."""
    gap = PENDULUM._means(labels)[:, 0] - PENDULUM._means(labels)[:, 1]
    deviation = np.sqrt(PENDULUM._noise**2 + PENDULUM.slip * (1 - PENDULUM.slip) * gap**2)
    return mean_alone(labels) + deviation * np.random.default_rng(7).standard_normal(gap.shape)


def elsewhere(labels: np.ndarray) -> np.ndarray:
    """A turn too little at half of the states, and too much at the others: right on average."""
    return true(labels) + 0.8 * np.sign(labels[:, :1])


def test_a_true_simulator_scores_the_floor():
    found = measured(true)
    assert found["conditional_jsd"] == pytest.approx(found["conditional_jsd_floor"], abs=0.001)
    assert found["conditional_kl"] == pytest.approx(found["conditional_kl_floor"], abs=0.003)
    assert found["conditional_kl_floor"] == pytest.approx(63 / 2000, rel=0.1)  # χ² of 63 degrees
    assert found["conditional_log_density_gap"] == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("broken", [without_torque, mean_alone, one_gaussian, elsewhere])
def test_a_broken_simulator_is_told_from_a_true_one(broken):
    found = measured(broken)
    assert found["conditional_jsd"] > found["conditional_jsd_floor"] + 0.02


def test_the_values_are_those_of_shifted_gaussians_by_scipy():
    firm = LIBRARY.build_by_name("dataset", "pendulum", points=100, slip=1e-12)
    shift = 0.7
    edges = norm.ppf(np.linspace(0, 1, 5))
    q = np.repeat(np.diff(norm.cdf(edges - shift)) / 4, 4)  # of 16 cells; the other coordinate is as it should be
    middle = (q + 1 / 16) / 2
    kl = float((q * np.log(16 * q)).sum())
    jsd = float((q * np.log(q / middle)).sum() + (np.log(1 / 16 / middle) / 16).sum()) / 2

    def shifted(labels: np.ndarray) -> np.ndarray:
        return firm.given(labels, np.random.default_rng(7)) + shift * firm._noise * np.array([1, 0])

    found = measured(shifted, firm, conditions=8, draws=20_000, side=4)
    assert found["conditional_kl"] == pytest.approx(kl, rel=0.04)
    assert found["conditional_jsd"] == pytest.approx(jsd, rel=0.04)
    assert found["conditional_log_density_gap"] == pytest.approx(shift**2 / 2, rel=0.04)


def test_samples_that_are_not_finite_have_no_divergence():
    found = measured(lambda labels: np.full((len(labels), 2), np.nan))
    assert math.isnan(found["conditional_jsd"])
    assert math.isnan(found["conditional_kl"])


def test_what_it_cannot_judge_is_refused_with_what_would_help():
    metric = LIBRARY.build_by_name("metrics", "conditional_divergence")
    ring = LIBRARY.build_by_name("dataset", "ring", points=10)
    samples = Samples(np.zeros((4, 2), np.float32))
    of_ring = Evidence(training=samples, real=samples, source=Pixels(), dataset=ring)
    assert metric.refusal(of_ring) == "needs a known density given conditions, such as dataset=pendulum: leave it out"
    blind = Evidence(training=samples, real=samples, source=Pixels(), dataset=PENDULUM)
    assert metric.refusal(blind) == "needs a model that is told the conditions: train with conditional=true"
