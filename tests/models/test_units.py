"""How pictures are read, what nats are of, and what they are in bits: against published numbers and autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gan_cli.models import units


@pytest.mark.parametrize("count", [2, 4, 16, 256])
def test_bytes_are_read_as_levels_whether_dequantised_or_not(count):
    k = torch.arange(256)
    wanted = k * count // 256
    whole = k.float() * (2 / 255) - 1
    assert torch.equal(units.levels(whole, count), wanted)
    for u in (0.0, 0.3, 0.999):
        assert torch.equal(units.levels((k + u) * (2 / 256) - 1, count), wanted)
    assert torch.equal(units.levels(units.from_levels(wanted, count), count), wanted)
    assert torch.equal(units.from_unit_interval(units.unit_interval((k + 0.7) * (2 / 256) - 1)), units.from_levels(k))


@pytest.mark.parametrize("margin", [1e-6, 0.05])
def test_the_jacobian_of_logit_space_is_autograds(margin):
    y = torch.rand(3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    s, volume = units.logit(y, margin)
    jacobians = [torch.autograd.functional.jacobian(lambda v: units.logit(v[None], margin)[0].flatten(), v) for v in y]
    wanted = [torch.linalg.slogdet(jacobian.reshape(4, 4))[1] for jacobian in jacobians]
    np.testing.assert_allclose(volume, torch.stack(wanted), atol=1e-10)
    np.testing.assert_allclose(units.from_logit(s, margin), y, atol=1e-9)


def test_bits_per_dimension_are_as_published():
    nice = units.of_densities((1, 28, 28)).bits_per_dim(1980.50)  # Dinh et al. 2015, MNIST: 4.36
    assert nice == pytest.approx(4.36, abs=0.005)
    assert units.of_levels((1, 28, 28), 2).bits_per_dim(-784 * np.log(2)) == pytest.approx(1)
    assert units.of_levels((3, 4, 4), 256).bits_per_dim(-48 * np.log(256)) == pytest.approx(8)  # every level as likely
    assert units.of_densities((3, 4, 4)).bits_per_dim(0.0) == pytest.approx(8)  # the same, as a density
    assert units.of_densities((2,)).bits_per_dim(-1.0) is None


def test_signals_have_no_levels():
    unit = units.of_densities((2, 16))
    assert (unit.levels, unit.dimensions, unit.bits_per_dim(-1.0)) == (0, 32, None)
    assert unit.name.startswith("density of signals")
