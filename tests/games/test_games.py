"""The three games against their closed forms: data N(0, 1), model N(m, s), the discriminator at its optimum."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gan_cli import losses

GAMES = ("minimax", "non_saturating", "maximum_likelihood")
NODES, WEIGHTS = np.polynomial.legendre.leggauss(2000)
X = torch.tensor(NODES * 40, dtype=torch.float64)  # [−40, 40] holds all the mass there is in float64
DX = torch.tensor(WEIGHTS * 40, dtype=torch.float64)


def log_normal(x, m, s):
    return -(((x - m) / s) ** 2) / 2 - torch.log(torch.as_tensor(s, dtype=torch.float64)) - math.log(2 * math.pi) / 2


def log_p(x):
    return log_normal(x, 0.0, 1.0)


def integral(f):
    return (f * DX).sum()


def best_logit(x, m, s):
    """log p/q: the optimal discriminator (2014, proposition 1)."""
    return log_p(x) - log_normal(x, m, s)


def each(method, logits):
    """A loss's value on every single logit, so that it can be integrated over a density."""
    return torch.stack([method(logit.reshape(1)) for logit in logits])


def kl(log_a, log_b):
    return integral(torch.where(log_a > -700, log_a.exp() * (log_a - log_b), 0.0))


def jsd(m, s):
    p, q = log_p(X), log_normal(X, m, s)
    mix = torch.logaddexp(p, q) - math.log(2)
    return 0.5 * kl(p, mix) + 0.5 * kl(q, mix)


def discriminator_value(game, m, s):
    """J(D) = ½ E_p[real term] + ½ E_q[fake term], each term taken from the loss itself."""
    logits = best_logit(X, m, s)
    at_zero = game.discriminator(torch.zeros(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64))
    zero = torch.zeros(1, dtype=torch.float64)
    real = torch.stack([game.discriminator(logit.reshape(1), zero) for logit in logits]) - at_zero / 2
    fake = torch.stack([game.discriminator(zero, logit.reshape(1)) for logit in logits]) - at_zero / 2
    return integral(log_p(X).exp() * real) + integral(log_normal(X, m, s).exp() * fake)


@pytest.mark.parametrize(
    ("m", "s", "value"),
    [(0, 1, 0.6931471806), (1, 1, 0.5817256984), (2, 1, 0.3563163602), (0.5, 1.7, None), (3, 0.6, None)],
)
@pytest.mark.parametrize("name", GAMES)
def test_discriminator_cost_at_its_optimum_is_log_2_minus_jsd(name, m, s, value):
    cost = discriminator_value(losses.build(name), m, s).item()
    assert cost == pytest.approx(math.log(2) - jsd(m, s).item(), abs=1e-8)
    if value is not None:
        assert cost == pytest.approx(value, abs=1e-9)


def generator_gradient(name, m, s):
    """d/dm and d/ds of J(G) with the optimal D held fixed, through samples x = m + s·z."""
    mean = torch.tensor(float(m), dtype=torch.float64, requires_grad=True)
    deviation = torch.tensor(float(s), dtype=torch.float64, requires_grad=True)
    x = mean + deviation * X[(X.abs() < 12)]
    weight = (log_p(X).exp() * DX)[X.abs() < 12]
    logits = log_p(x) - log_normal(x, float(m), float(s))
    cost = (weight * each(losses.build(name).generator, logits)).sum()
    return torch.autograd.grad(cost, (mean, deviation))


def divergence_gradient(name, m, s):
    """Half the gradient of the divergence that the theory says G descends."""
    mean = torch.tensor(float(m), dtype=torch.float64, requires_grad=True)
    deviation = torch.tensor(float(s), dtype=torch.float64, requires_grad=True)
    p, q = log_p(X), log_normal(X, mean, deviation)
    if name == "minimax":
        mix = torch.logaddexp(p, q) - math.log(2)
        target = 2 * (0.5 * kl(p, mix) + 0.5 * kl(q, mix))
    elif name == "non_saturating":
        mix = torch.logaddexp(p, q) - math.log(2)
        target = kl(q, p) - (kl(p, mix) + kl(q, mix))
    else:
        target = kl(p, q)
    return torch.autograd.grad(target / 2, (mean, deviation))


@pytest.mark.parametrize(("m", "s"), [(1, 1), (2, 1), (-0.7, 1.0), (0.5, 1.3), (1.5, 0.8)])
@pytest.mark.parametrize("name", GAMES)
def test_generator_descends_its_divergence(name, m, s):
    found, wanted = generator_gradient(name, m, s), divergence_gradient(name, m, s)
    for ours, theory in zip(found, wanted, strict=True):
        assert ours.item() == pytest.approx(theory.item(), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "m", "published"),
    [
        ("minimax", 1, 0.3979728672),
        ("minimax", 2, 0.4495995092),
        ("non_saturating", 1, 0.6020271328),
        ("non_saturating", 2, 1.5504004908),
        ("maximum_likelihood", 1, 1.0),
        ("maximum_likelihood", 2, 2.0),
    ],
)
def test_generator_gradient_is_the_published_number(name, m, published):
    assert 2 * generator_gradient(name, m, 1)[0].item() == pytest.approx(published, abs=1e-6)  # 2: our factor of ½


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("name", GAMES)
def test_costs_and_gradients_are_finite_for_any_logit(name, dtype):
    game = losses.build(name)
    for value in (1e4, -1e4, 0.0, 30.0, 89.0):
        real = torch.full((4,), value, dtype=dtype, requires_grad=True)
        fake = torch.full((4,), -value, dtype=dtype, requires_grad=True)
        for cost in (game.discriminator(real, fake), game.generator(fake), game.generator(real, fake)):
            assert torch.isfinite(cost)
            for gradient in torch.autograd.grad(cost, (real, fake), allow_unused=True):
                assert gradient is None or torch.isfinite(gradient.float().square().sum())


def test_minimax_is_zero_sum():
    game = losses.build("minimax")
    real, fake = torch.randn(50, dtype=torch.float64), torch.randn(50, dtype=torch.float64, requires_grad=True)
    assert game.generator(fake, real) == -game.discriminator(real, fake)
    with_real, without = (torch.autograd.grad(game.generator(fake, r), fake)[0] for r in (real, None))
    assert torch.equal(with_real, without)


def test_maximum_likelihood_is_the_exponential_and_its_tangent_above_the_cap():
    game = losses.build("maximum_likelihood")
    logits = torch.tensor([-3.0, 0.0, 5.0, 29.9], dtype=torch.float64, requires_grad=True)
    cost = game.generator(logits)
    assert cost.item() == pytest.approx(-0.5 * logits.detach().exp().mean().item(), rel=1e-12)
    (gradient,) = torch.autograd.grad(cost, logits)
    assert torch.allclose(gradient, -0.5 * logits.detach().exp() / 4, rtol=1e-12)
    above = torch.tensor([31.0, 1e4], dtype=torch.float64, requires_grad=True)
    cost = game.generator(above)
    tangent = math.exp(30) * (1 + (above.detach() - 30))
    assert cost.item() == pytest.approx(-0.5 * tangent.mean().item(), rel=1e-12)
    (gradient,) = torch.autograd.grad(cost, above)
    assert torch.allclose(gradient, torch.full((2,), -0.25 * math.exp(30), dtype=torch.float64))


def test_unknown_losses_and_options_are_named():
    with pytest.raises(ValueError, match="loss=minimacs: no such option \\(did you mean 'minimax'"):
        losses.build("minimacs")
    with pytest.raises(ValueError, match=r"loss\.margin=1: no such key"):
        losses.build("minimax", margin=1)
