"""Boltzmann machines against enumeration: gradients, likelihoods, log Z, and where chains lead."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import MODELS
from scipy.stats import chisquare

from gan_cli.games.boltzmann import RBMGame
from gan_cli.models.annealing import annealed, exact_log_z, reversed_annealed
from gan_cli.models.counted import Counted
from gan_cli.models.dbm import DeepBM
from gan_cli.models.rbm import RBM, BinaryRBM, GaussianRBM


def machine(visible: int, hidden: int, scale: float, centred: bool = True, kind: type[RBM] = BinaryRBM) -> RBM:
    torch.manual_seed(visible)
    rbm = kind((1, 1, visible), hidden, centred, chain=40).double()
    for weight in (rbm.weight, rbm.b, rbm.c):
        weight.data = scale * torch.randn_like(weight)
    rbm.mean.uniform_(0.2, 0.8)
    rbm.active.uniform_(0.2, 0.8)
    return rbm


def every(units: int) -> torch.Tensor:
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=units)), dtype=torch.float64)


def by_hand(rbm: RBM) -> np.ndarray:
    """p(x) of all pictures, summed over all h, from the energy of the docstring."""
    x, h = every(rbm.dimensions).numpy(), every(rbm.c.numel()).numpy()
    weight, b, c = (p.detach().numpy() for p in (rbm.weight, rbm.b, rbm.c))
    dx, dh = x - rbm.mu.numpy(), h - rbm.lambda_.numpy()
    energy = -(dx @ b)[:, None] - dh @ c - dx @ weight @ dh.T
    weights = np.exp(-energy).sum(axis=1)
    return weights / weights.sum()


@pytest.mark.parametrize("centred", [True, False])
def test_likelihoods_of_all_pictures_sum_to_one_and_are_those_of_the_energy(centred):
    rbm = machine(12, 5, 0.8, centred)
    game = RBMGame(rbm, (1, 1, 12), 1, None, 10, 10)
    found = game.log_likelihood((2 * every(12) - 1).view(-1, 1, 1, 12))
    assert found.kind == "exact"
    p = found.nats.exp().detach().numpy()
    assert p.sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(p, by_hand(rbm), rtol=1e-9)


def test_either_side_can_be_enumerated():
    for rbm in (machine(6, 9, 0.7), machine(6, 25, 0.3)):  # by h, and by x
        with torch.no_grad():
            assert exact_log_z(rbm) == pytest.approx(float((-rbm.free_energy(every(6))).logsumexp(0)), abs=1e-9)
    assert exact_log_z(machine(25, 25, 0.1)) is None


def test_a_gaussian_machine_is_a_mixture_of_gaussians():
    rbm = machine(2, 3, 0.9, kind=GaussianRBM)
    rbm.log_variance.data = torch.tensor([-0.5, 0.3], dtype=torch.float64)
    axis = torch.linspace(-14, 14, 561, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    log_p = -rbm.free_energy(grid).detach() - exact_log_z(rbm)
    assert float(log_p.exp().sum() * (axis[1] - axis[0]) ** 2) == pytest.approx(1, abs=1e-6)


def gradient_of(rbm: RBM, positive: torch.Tensor, negative: torch.Tensor) -> torch.Tensor:
    rbm.zero_grad()
    (rbm.free_energy(positive).mean() - rbm.free_energy(negative).mean()).backward()
    return torch.cat([p.grad.flatten() for p in rbm.parameters()])


def exact_gradient(rbm: RBM, data: torch.Tensor) -> torch.Tensor:
    """Of −E log p(x), by autograd through log Z = log Σ_x e^−F(x)."""
    rbm.zero_grad()
    (rbm.free_energy(data).mean() + (-rbm.free_energy(every(rbm.dimensions))).logsumexp(0)).backward()
    return torch.cat([p.grad.flatten() for p in rbm.parameters()])


def test_the_cost_has_the_gradient_of_the_likelihood_where_chains_are_long():
    """CD-k of a 10 × 8 machine nears the exact gradient as k grows; with draws of the model it is that, up to noise."""
    rbm = machine(10, 8, 0.5)
    torch.manual_seed(0)
    data = (torch.rand(20, 10) < 0.3).double()
    exact = exact_gradient(rbm, data)
    many = data.repeat(2000, 1)

    def error(negative: torch.Tensor) -> float:
        return float((gradient_of(rbm, data, negative) - exact).norm() / exact.norm())

    with torch.no_grad():
        chains = {k: rbm.gibbs(many, torch.rand_like, k) for k in (1, 3, 30)}
    errors = [error(chains[k]) for k in (1, 3, 30)]
    assert errors[0] > 3 * errors[2]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.03
    drawn = torch.multinomial(torch.from_numpy(by_hand(rbm)), 40_000, replacement=True)
    assert error(every(10)[drawn]) < 0.03


def test_offsets_that_move_leave_the_distribution_as_it_is():
    for kind in (BinaryRBM, GaussianRBM):
        rbm = machine(5, 4, 0.8, kind=kind)
        x = torch.rand(50, 5, dtype=torch.float64).round()
        before = -rbm.free_energy(x) - exact_log_z(rbm)
        rbm.follow(x[:20], 0.3)
        torch.testing.assert_close(-rbm.free_energy(x) - exact_log_z(rbm), before)


@pytest.mark.parametrize("kind", [BinaryRBM, GaussianRBM])
def test_annealing_both_ways_brackets_log_z(kind):
    rbm = machine(24, 16, 0.35, kind=kind)
    if kind is GaussianRBM:
        rbm.weight.data *= 0.5
    true = exact_log_z(rbm)
    torch.manual_seed(1)
    with torch.no_grad():
        begun = rbm.gibbs(rbm.base(200, torch.rand_like), torch.rand_like, 100)
    up, down = annealed(rbm, 200, 200), reversed_annealed(rbm, begun, 200)
    assert up.value == pytest.approx(true, abs=0.1)
    assert down.value == pytest.approx(true, abs=0.1)
    assert up.value - 3 * up.error <= true <= down.value + 3 * down.error


def test_an_estimate_says_both_ends():
    rbm = machine(24, 24, 0.3)
    game = RBMGame(rbm, (1, 1, 24), 1, None, 50, 60)
    torch.manual_seed(2)
    x = 2 * rbm.base(30, torch.rand_like).detach().view(-1, 1, 1, 24) - 1
    found = game.log_likelihood(x)
    assert found.kind == "estimate"
    assert "AIS of 50 chains over 60 temperatures" in found.how
    assert found.low > 0
    assert found.high > 0


def test_an_estimate_of_a_lower_bound_is_another_kind():
    torch.manual_seed(3)
    dbm = DeepBM((1, 5, 5), 22, 22, 3, centred=True, chain=4).double()
    found = RBMGame(dbm, (1, 5, 5), 1, None, 4, 5).log_likelihood(torch.ones(6, 1, 5, 5, dtype=torch.float64))
    assert found.told.startswith("estimate of a lower bound (mean field; log Z ")


def test_the_chain_of_a_latent_ends_where_the_model_is():
    """20,000 latents of a 4 × 3 machine against the probabilities of its 16 pictures."""
    rbm = machine(4, 3, 1.0)
    z = 2 * torch.rand(20_000, 2, generator=torch.Generator().manual_seed(3)) - 1
    x = rbm(z).view(-1, 4)
    places = (x > 0).long() @ torch.tensor([8, 4, 2, 1])
    counts = np.bincount(places.numpy(), minlength=16)
    assert chisquare(counts, 20_000 * by_hand(rbm)).pvalue > 0.001
    torch.testing.assert_close(rbm(z[7:9]), rbm(z)[7:9], atol=0, rtol=0)  # a row depends on its own latent alone


def test_counted_numbers_are_uniform_and_independent():
    z = 2 * torch.rand(200, 2, generator=torch.Generator().manual_seed(4)) - 1
    uniform = Counted(z)
    u = torch.stack([uniform(torch.zeros(200, 64, dtype=torch.float64)) for _ in range(20)])  # (call, row, unit)
    assert chisquare(np.bincount((u.flatten() * 256).long().numpy(), minlength=256)).pvalue > 0.001
    for axis in range(3):
        pairs = (u.narrow(axis, 0, u.shape[axis] - 1) - 0.5) * (u.narrow(axis, 1, u.shape[axis] - 1) - 0.5)
        assert abs(float(pairs.mean())) * 12 < 4 / math.sqrt(pairs.numel())
    assert len(u.unique()) > 0.98 * u.numel()


def deep(scale: float, updates: int = 500) -> DeepBM:
    """4 pixels, 3 units and 5 above them."""
    torch.manual_seed(5)
    dbm = DeepBM((1, 2, 2), 3, 5, updates, centred=True, chain=40).double()
    for weight in (dbm.weight, dbm.b, dbm.c):
        weight.data = scale * torch.randn_like(weight)
    dbm.mean.uniform_(0.2, 0.8)
    dbm.active.uniform_(0.2, 0.8)
    return dbm


def deep_by_hand(dbm: DeepBM) -> tuple[np.ndarray, float]:
    """log p(x) + log Z of all pictures, and log Z, summed over both layers from the energy of the docstring."""
    x, h, g = every(4).numpy(), every(3).numpy(), every(5).numpy()
    weight, b, c, mean, active = (p.detach().numpy() for p in (dbm.weight, dbm.b, dbm.c, dbm.mean, dbm.active))
    dx, dh, dg = x - mean[:4], h - active, g - mean[4:]
    terms = (dx @ b[:4])[:, None, None] + (dh @ c)[:, None] + dg @ b[4:]
    terms = terms + (dx @ weight[:4] @ dh.T)[:, :, None] + dh @ weight[4:].T @ dg.T
    log_mass = np.logaddexp.reduce(terms.reshape(16, -1), axis=1)
    return log_mass, float(np.logaddexp.reduce(log_mass))


@pytest.mark.parametrize("scale", [0.1, 0.5, 1.5])
def test_the_bound_of_a_deep_machine_is_below_the_sum_over_both_layers(scale):
    dbm, every_x = deep(scale), (2 * every(4) - 1).view(-1, 1, 2, 2)
    log_mass, log_z = deep_by_hand(dbm)
    assert exact_log_z(dbm) == pytest.approx(log_z, abs=1e-9)
    found = RBMGame(dbm, (1, 2, 2), 1, None, 10, 10).log_likelihood(every_x)
    assert found.told == "lower bound (mean field)"
    gap = log_mass - log_z - found.nats.detach().numpy()
    assert gap.min() > 0
    assert gap.max() < scale**2
    alone = deep(scale)
    alone.weight.data[4:] = 0  # a layer that sees nobody: the mean field is its posterior
    np.testing.assert_allclose(alone.log_mass(alone.state(every_x)).detach().numpy(), deep_by_hand(alone)[0], atol=1e-9)


def test_the_mean_field_is_a_fixed_point_where_the_bound_is_flat():
    """So what is learnt from it, with m² held still, is the gradient of the bound."""
    dbm = deep(0.7)
    state = dbm.state((2 * every(4) - 1).view(-1, 1, 2, 2))
    middle = torch.sigmoid(dbm.inputs(state))
    torch.testing.assert_close(torch.sigmoid(dbm.field(middle))[:, 4:], state[:, 4:])
    state.requires_grad_()
    (by_mean,) = torch.autograd.grad(dbm.log_mass(state).sum(), state)
    torch.testing.assert_close(by_mean[:, 4:], torch.zeros_like(by_mean[:, 4:]), atol=1e-9, rtol=0)


def test_the_chain_of_a_deep_machine_ends_where_its_pictures_are():
    dbm = deep(1.0)
    z = 2 * torch.rand(20_000, 2, generator=torch.Generator().manual_seed(3)) - 1
    places = (dbm(z).view(-1, 4) > 0).long() @ torch.tensor([8, 4, 2, 1])
    log_mass, log_z = deep_by_hand(dbm)
    assert chisquare(np.bincount(places.numpy(), minlength=16), 20_000 * np.exp(log_mass - log_z)).pvalue > 0.001


@pytest.mark.parametrize("u", [0.0, 1.0])
def test_a_gaussian_unit_is_finite_whatever_is_drawn(u):
    """``torch.rand`` is 0 once in 2²⁴ draws of float32, and its quantile infinite."""
    rbm = machine(4, 3, 0.3, kind=GaussianRBM).float()
    assert rbm.draw(torch.zeros(2, 4), lambda like: torch.full_like(like, u)).isfinite().all()


@pytest.mark.parametrize("key", ["truncation=0.5", "interpolation=linear", "arithmetic=1-2"])
def test_what_lies_between_latents_has_no_meaning_for_a_chain(gan_sample, trained, key):
    result = gan_sample(f"checkpoint={trained(*MODELS['rbm'])}", key, "out=some.png")
    assert result.code == 2
    assert result.lines == [f"{key}: a latent of model=rbm only seeds its Markov chain: leave it out"]
    assert not Path("some.png").exists()
