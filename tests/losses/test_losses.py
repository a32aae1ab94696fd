"""Every further loss at its optimal discriminator: the value is the divergence, the generator's gradient its gradient.

Data N(0, 1), model N(m, 1) or N(m, s), by quadrature in float64, as in test_games.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from test_games import DX, X, each, integral, log_normal, log_p

from gan_cli import losses
from gan_cli.config.library import Library

ALL = Library().options("loss")


def log_q(m, s=1.0):
    return log_normal(X, m, s)


def ratio(m, s=1.0, x=X):
    """log p/q."""
    return log_p(x) - log_normal(x, m, s)


def gradient_in_m(cost_of_samples, m, s=1.0):
    """d/dm of ∫ p(z) cost(m + s·z) dz: the generator's gradient through its samples, D fixed."""
    mean = torch.tensor(float(m), dtype=torch.float64, requires_grad=True)
    keep = X.abs() < 12
    cost = ((log_p(X).exp() * DX)[keep] * cost_of_samples(mean + s * X[keep])).sum()
    return torch.autograd.grad(cost, mean)[0].item()


def terms(loss, real, fake):
    """J(D) = E_p[a] + E_q[b] for a loss that is such a sum: its two integrands, up to a shared constant."""
    zero = torch.zeros(1, dtype=torch.float64)
    base = loss.discriminator(zero, zero)
    a = torch.stack([loss.discriminator(r.reshape(1), zero) for r in real]) - base
    b = torch.stack([loss.discriminator(zero, f.reshape(1)) for f in fake])
    return a, b


def discriminator_value(loss, output, m, s=1.0):
    a, b = terms(loss, output, output)
    return (integral(log_p(X).exp() * a) + integral(log_q(m, s).exp() * b)).item()


# --- f-GAN: value and gradient for every divergence of the paper's table ---------------------------------------------
LOG2 = math.log(2)
F_GAN = {  # name: (f, the D output v at T = f′(p/q), published D_f and dD_f/dm at m = 1)
    "kl": (lambda u: u * u.log(), lambda r: 1 + r, 0.5, 1.0),
    "reverse_kl": (lambda u: -u.log(), lambda r: r, 0.5, 1.0),
    "pearson": (lambda u: (u - 1).square(), lambda r: 2 * (r.exp() - 1), math.e - 1, 2 * math.e),
    "squared_hellinger": (lambda u: (u.sqrt() - 1).square(), lambda r: r / 2, 0.2350061948, 0.4412484513),
    "jensen_shannon": (lambda u: u * u.log() - (u + 1) * ((1 + u) / 2).log(), lambda r: r, 0.2228429644, 0.3979728672),
    "gan": (lambda u: u * u.log() - (u + 1) * (u + 1).log(), lambda r: r, -1.1634513968, 0.3979728672),
}


def tail_safe(name):
    """exp goes on as its tangent above 30, where these densities have no mass left; Pearson needs p²/q to be small."""
    return X.abs() < (9 if name == "pearson" else 25)


@pytest.mark.parametrize("m", [1.0, -0.6])
@pytest.mark.parametrize("name", F_GAN)
def test_f_gan_bound_is_the_divergence(name, m):
    f, output, published, _ = F_GAN[name]
    loss = losses.build("f_gan", divergence=name, generator_step="paper")
    keep = tail_safe(name)
    v = output(ratio(m))
    a, b = terms(loss, v[keep], v[keep])
    zero = torch.zeros(1, dtype=torch.float64)
    at_zero = loss.discriminator(zero, zero)
    # a is −T up to T(0); b is f*(T) − T(0): add the constants back, so that J(D) = ∫ p·a + q·b exactly
    value = -((log_p(X)[keep].exp() * a + log_q(m)[keep].exp() * b) * DX[keep]).sum()
    divergence = ((log_q(m).exp() * f(ratio(m).clamp(-600, 600).exp())) * DX)[keep].sum()
    assert at_zero.isfinite()
    assert value.item() == pytest.approx(divergence.item(), abs=1e-6)
    if m == 1:
        assert value.item() == pytest.approx(published, abs=1e-6)


@pytest.mark.parametrize("name", F_GAN)
def test_f_gan_generator_descends_the_divergence(name):
    _, output, _, published = F_GAN[name]
    loss = losses.build("f_gan", divergence=name, generator_step="paper")
    found = gradient_in_m(lambda x: each(loss.generator, output(ratio(1.0, x=x))), 1.0)
    assert found == pytest.approx(published, abs=1e-6)


def test_f_gan_alternative_step_maximises_the_real_term():
    loss = losses.build("f_gan", divergence="gan", generator_step="alternative")
    logits = torch.randn(9, dtype=torch.float64)
    assert loss.generator(logits).item() == pytest.approx(-logits.sigmoid().log().mean().item())


def test_total_variation_bound():
    loss = losses.build("f_gan", divergence="total_variation", generator_step="paper")
    v = 40 * torch.sign(ratio(1.0))  # T = ½ sign(p/q − 1)
    assert -discriminator_value(loss, v, 1.0) == pytest.approx(0.3829249225, abs=1e-3)  # a jump, by quadrature
    smooth = 40 * torch.tanh(1e4 * ratio(1.0))
    assert -discriminator_value(loss, smooth, 1.0) <= 0.3829249225 + 1e-3  # a bound from below


# --- least squares ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("m", "published"), [(1.0, 0.1989864336), (2.0, None)])
def test_least_squares_at_its_optimum(m, published):
    """D* = (b p + a q)/(p + q); with targets 0 and 1, J(D*) = ½ ∫ pq/(p + q)."""
    loss = losses.build("least_squares", a=0.0, b=1.0, c=1.0)
    best = ratio(m).sigmoid()
    value = discriminator_value(loss, best, m)
    closed = 0.5 * integral((log_p(X) + log_q(m) - torch.logaddexp(log_p(X), log_q(m))).exp()).item()
    assert value == pytest.approx(closed, abs=1e-8)
    if published is not None:
        assert value == pytest.approx(published, abs=1e-9)


def test_least_squares_with_the_pearson_targets_is_pearson():
    """Theorem 1 of Mao et al. (2017): with a = −1, b = 1, c = 0, ½ E_p D*² + ½ E_q D*² = ½ χ²(p + q ‖ 2q)."""
    loss, m = losses.build("least_squares", a=-1.0, b=1.0, c=0.0), 1.0
    best = torch.tanh(ratio(m) / 2)  # (p − q)/(p + q)
    cost = each(loss.generator, best)
    p, q = log_p(X).exp(), log_q(m).exp()
    chi_squared = integral((2 * q - (p + q)).square() / (p + q).clamp(min=1e-300))
    assert integral((p + q) * cost).item() == pytest.approx(chi_squared.item() / 2, abs=1e-9)


# --- critics ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("m", [1.0, -2.0])
def test_wasserstein_is_the_distance_of_the_means(m):
    loss = losses.build("wasserstein")
    critic = -math.copysign(1, m) * X
    assert -discriminator_value(loss, critic, m) == pytest.approx(abs(m), abs=1e-9)
    found = gradient_in_m(lambda x: each(loss.generator, -math.copysign(1, m) * x), m)
    assert found == pytest.approx(math.copysign(1, m), abs=1e-9)


def test_wasserstein_clips_every_weight():
    loss = losses.build("wasserstein", clip=0.1)
    weights = [torch.randn(20), torch.randn(3, 3)]
    loss.constrain(weights)
    assert max(w.abs().max().item() for w in weights) == pytest.approx(0.1)
    untouched = torch.randn(9)
    losses.build("wasserstein", clip=0.0).constrain([untouched])
    assert untouched.abs().max() > 0.1


@pytest.mark.parametrize(("m", "published"), [(0.0, 2.0), (1.0, 1.2341501549), (2.0, 0.6346210157)])
def test_hinge_at_its_optimum_is_two_minus_two_tv(m, published):
    loss = losses.build("hinge")
    grid = torch.linspace(-12, 12, 40001, dtype=torch.float64)
    p, q = log_p(grid).exp(), log_normal(grid, m, 1.0).exp()
    sign = torch.sign(log_p(grid) - log_normal(grid, m, 1.0))
    one = torch.ones(1, dtype=torch.float64)
    real = {s: loss.discriminator(s * one, -one).item() for s in (1.0, 0.0, -1.0)}  # the fake term is 0 at −1
    fake = {s: loss.discriminator(one, s * one).item() for s in (1.0, 0.0, -1.0)}  # the real term is 0 at 1
    cost = sum(
        torch.trapezoid(torch.where(sign == s, p * real[s] + q * fake[s], 0.0), grid).item() for s in (1.0, 0.0, -1.0)
    )
    assert cost == pytest.approx(published, abs=2e-4)  # a jump on a grid
    assert gradient_in_m(lambda x: each(loss.generator, 3 * x), m) == pytest.approx(-3, abs=1e-9)


# --- relativistic ----------------------------------------------------------------------------------------------------
def test_relativistic_pairing_at_its_optimum():
    """D* = log p/q; min E softplus(−(D(x) − D(y))) = log 2 − JSD(p⊗q ‖ q⊗p)."""
    loss, m = losses.build("relativistic"), 1.0
    nodes, weights = (torch.from_numpy(part) for part in np.polynomial.hermite_e.hermegauss(80))
    weights = weights / weights.sum()
    D = ratio(m, x=nodes), ratio(m, x=nodes + m)  # real at N(0,1) nodes, generated at N(m,1) nodes
    pairs = torch.stack([each(lambda y, r=r: loss.discriminator(r.reshape(1), y), D[1]) for r in D[0]])
    assert (weights[:, None] * weights * pairs).sum().item() == pytest.approx(0.4918017090, abs=1e-6)


def test_relativistic_generators_are_the_discriminators_with_the_kinds_exchanged():
    real, fake = torch.randn(2, 33, dtype=torch.float64)
    for name in ("relativistic", "relativistic_average"):
        loss = losses.build(name)
        assert loss.generator(fake, real) == loss.discriminator(fake, real)
        with pytest.raises(ValueError, match="real_logits"):
            loss.generator(fake)


def test_relativistic_average_is_the_published_formula():
    real, fake = torch.randn(2, 33, dtype=torch.float64)
    D_real, D_fake = (real - fake.mean()).sigmoid(), (fake - real.mean()).sigmoid()
    wanted = -D_real.log().mean() - (1 - D_fake).log().mean()
    assert losses.build("relativistic_average").discriminator(real, fake).item() == pytest.approx(wanted.item())


# --- the rest --------------------------------------------------------------------------------------------------------
def test_feature_matching_is_the_squared_distance_of_the_means():
    loss = losses.build("feature_matching")
    real, fake = torch.randn(2, 40, 7, dtype=torch.float64)
    fake.requires_grad_(True)
    gap = real.mean(0) - fake.mean(0)
    cost = loss.generator(fake, real)
    assert cost.item() == pytest.approx(gap.square().sum().item())
    (gradient,) = torch.autograd.grad(cost, fake)
    assert torch.allclose(gradient, -2 * gap.detach().expand_as(fake) / 40)


def test_one_sided_smoothing_moves_the_optimum_to_its_target():
    """With real target 1 − s, D* = (1 − s)p/(p + q) (Salimans et al. 2016)."""
    loss = losses.build("non_saturating", smoothing=0.1)
    p, q = 0.7, 0.4
    logit = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    far = torch.full((1,), -500.0, dtype=torch.float64)
    for _ in range(4000):
        real_only = loss.discriminator(logit, far)
        fake_only = loss.discriminator(far, logit)
        (gradient,) = torch.autograd.grad(p * real_only + q * fake_only, logit)
        logit = (logit - 2 * gradient).detach().requires_grad_(True)
    assert logit.sigmoid().item() == pytest.approx((1 - 0.1) * p / (p + q), abs=1e-6)
    assert not loss.bounds_jsd


def variants():
    for name in ALL:
        if name == "f_gan":
            for divergence in (*F_GAN, "total_variation"):
                for step in ("paper", "alternative"):
                    yield pytest.param(
                        name, {"divergence": divergence, "generator_step": step}, id=f"{divergence}-{step}"
                    )
        else:
            yield pytest.param(name, {}, id=name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("name", "options"), list(variants()))
def test_every_loss_is_finite_with_its_gradient_for_logits_of_ten_thousand(name, options, dtype):
    loss = losses.build(name, **options)
    for real_value in (1e4, -1e4, 0.0):
        for fake_value in (1e4, -1e4, 0.0):
            with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
                real = torch.full((4,), real_value, dtype=dtype, requires_grad=True)
                fake = torch.full((4,), fake_value, dtype=dtype, requires_grad=True)
                costs = [loss.discriminator(real, fake)]
                if name == "feature_matching":
                    costs.append(loss.generator(fake[:, None], real[:, None]))
                else:
                    costs.append(loss.generator(fake, real))
            for cost in costs:
                assert torch.isfinite(cost)
                for gradient in torch.autograd.grad(cost, (real, fake), allow_unused=True):
                    assert gradient is None or torch.isfinite(gradient.float().square().sum())


def test_feature_matching_keeps_the_cross_entropy_discriminator():
    real, fake = torch.randn(2, 11)
    ours, theirs = losses.build("feature_matching"), losses.build("minimax")
    assert ours.discriminator(real, fake) == theirs.discriminator(real, fake)
