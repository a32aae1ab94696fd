"""The bounds of autoencoders against likelihoods that are known: a linear Gaussian one, and bounds written out."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import MODELS, TINY_MLP, TINY_SIGNALS, setup_of
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from gan_cli import losses
from gan_cli.config.library import Library
from gan_cli.games.vae import VAEGame, bound_of
from gan_cli.models.observations import Bernoulli, DiscretisedLogistic, Gaussian, observation_of
from gan_cli.models.units import of_densities, of_levels
from gan_cli.models.vae import VAE, Decoder, codes, importance_weighted, kl_to_prior, posterior, terms_of

LATENT, DIMENSIONS, SIGMA = 2, 3, 0.5


class Linear(nn.Linear):
    """x = Wz + b; it heeds no labels."""

    def forward(self, z, labels=None):
        return super().forward(z)


@pytest.fixture
def linear():
    """p(x | z) = N(Wz + b, σ² I), so that p(x) = N(b, WWᵀ + σ² I); and an encoder beside the posterior, and wider."""
    torch.manual_seed(0)
    encoder, body = nn.Linear(DIMENSIONS, 2 * LATENT).double(), Linear(LATENT, DIMENSIONS).double()
    decoder, W = Decoder(body, Gaussian(SIGMA, bounded=False).double()), body.weight
    with torch.no_grad():
        precision = W.T @ W / SIGMA**2 + torch.eye(LATENT)
        encoder.weight.zero_()[:LATENT] = precision.inverse() @ W.T / SIGMA**2
        encoder.bias[:LATENT] = 0.3 - encoder.weight[:LATENT] @ body.bias
        encoder.bias[LATENT:] = (2 * precision.inverse().diagonal()).log()
        exact = torch.distributions.MultivariateNormal(body.bias, W @ W.T + SIGMA**2 * torch.eye(DIMENSIONS))
        return encoder, decoder, exact, precision, exact.sample((64,))


@torch.no_grad()
def test_the_bounds_are_in_order_and_reach_the_likelihood(linear):
    encoder, decoder, exact, precision, x = linear
    truth = exact.log_prob(x)
    elbo = torch.stack([terms_of(encoder, decoder, x, None, 1).bound() for _ in range(500)]).mean(dim=0)
    few = torch.stack([terms_of(encoder, decoder, x, None, 8).bound() for _ in range(100)]).mean(dim=0)
    many = importance_weighted(encoder, decoder, x, None, 20_000, at_once=64 * 5_000)
    assert (elbo < few).all()
    assert (few < truth + 0.02).all()
    assert elbo.mean() + 0.1 < few.mean() < truth.mean()
    torch.testing.assert_close(many, truth, atol=0.03, rtol=0)
    mean, log_variance = posterior(encoder, x)
    q = torch.distributions.MultivariateNormal(mean, torch.diag_embed(log_variance.exp()))
    p = torch.distributions.MultivariateNormal(mean - 0.3, precision_matrix=precision)  # of z given x
    off = torch.distributions.kl_divergence(q, p)
    assert off.mean() > 0.2
    torch.testing.assert_close(elbo.mean(), (truth - off).mean(), atol=0.05, rtol=0)  # log p(x) − KL(q ‖ p(z | x))


@torch.no_grad()
def test_a_likelihood_says_how_many_draws_it_is_a_bound_of_and_takes_any_number_of_samples(linear):
    encoder, decoder, exact, _, x = linear
    found = bound_of(encoder, decoder, x, None, 1)
    assert (found.kind, found.how, found.nats.shape) == ("lower bound", "ELBO of 1 draw", (64,))
    found = bound_of(encoder, decoder, x, None, 5_000)
    assert found.told == "lower bound (importance-weighted, k = 5,000)"
    torch.testing.assert_close(found.nats, exact.log_prob(x), atol=0.05, rtol=0)


def test_the_divergence_to_the_prior_and_the_ratio_of_densities_are_torchs():
    torch.manual_seed(1)
    mean, log_variance = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    q, p = torch.distributions.Normal(mean, (log_variance / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    torch.testing.assert_close(kl_to_prior(mean, log_variance), torch.distributions.kl_divergence(q, p).sum(dim=1))
    z, ratio = codes(mean, log_variance, 4)
    written = (p.log_prob(z) - torch.distributions.Normal(q.mean[:, None], q.stddev[:, None]).log_prob(z)).sum(dim=2)
    torch.testing.assert_close(ratio, written)


@pytest.mark.parametrize(("draws", "beta"), [(1, 1.0), (1, 4.0), (5, 1.0)])
def test_the_gradient_is_that_of_the_bound_written_out(draws, beta):
    torch.manual_seed(2)
    shape, latent = (1, 3, 4), 2
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(12, 2 * latent)).double()
    body = nn.Sequential(Linear(latent, 12), nn.Unflatten(1, shape)).double()
    body.forward = lambda z, labels=None: body[1](body[0](z))
    game = VAEGame(VAE(encoder, Decoder(body, Bernoulli())), of_levels(shape, 2), beta, draws)
    x = torch.where(torch.rand(6, *shape) < 0.5, -1.0, 1.0).double()
    torch.manual_seed(3)
    cost, statistics = game.cost("model", x, torch.zeros(()), None, {})
    weights = list(game.vae.parameters())
    found = torch.autograd.grad(cost, weights)

    torch.manual_seed(3)
    mean, log_variance = encoder(x).chunk(2, dim=1)
    noise = torch.randn(6, draws, latent, dtype=torch.float64)
    z = mean[:, None] + (log_variance / 2).exp()[:, None] * noise
    logits = (z @ body[0].weight.T + body[0].bias).unflatten(2, shape)
    seen = ((x + 1) / 2)[:, None].expand_as(logits)
    log_p = -binary_cross_entropy_with_logits(logits, seen, reduction="none").flatten(2).sum(dim=2)
    q, p = torch.distributions.Normal(mean, (log_variance / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    if draws == 1:
        bound = log_p[:, 0] - beta * torch.distributions.kl_divergence(q, p).sum(dim=1)
    else:
        log_q = -(noise.square() / 2 + log_variance[:, None] / 2 + math.log(2 * math.pi) / 2).sum(dim=2)
        bound = (log_p + p.log_prob(z).sum(dim=2) - log_q).exp().mean(dim=1).log()
    torch.testing.assert_close(cost, -bound.mean())
    for ours, theirs in zip(found, torch.autograd.grad(-bound.mean(), weights), strict=True):
        torch.testing.assert_close(ours, theirs)
    assert statistics["loss/model"] == cost
    assert (statistics["nats"] == -cost) == (beta == 1)
    assert statistics["reconstruction"].item() == pytest.approx(log_p.mean().item())


def test_what_pixels_may_be_adds_up_to_one():
    given = torch.tensor([[[-3.0, -0.2, 0.0, 1.7]]], dtype=torch.float64)  # of one sample and latent, four pixels
    for observation, count in ((Bernoulli(), 2), (DiscretisedLogistic(0.1), 256), (DiscretisedLogistic(None), 256)):
        values = torch.linspace(-1, 1, count, dtype=torch.float64)
        total = sum(observation.double().log_p(v.expand(1, 1), given[:, :, 1:2]).exp() for v in values)
        assert total.item() == pytest.approx(1, abs=1e-6)
    y = torch.linspace(0, 1, 20_001, dtype=torch.float64)  # a density of pixels in [0, 1]
    narrow = Gaussian(0.05, bounded=True).double()
    density = narrow.log_p((2 * y - 1)[:, None], given[:, :, 1:2].expand(len(y), 1, 1)).exp()
    assert torch.trapezoid(density[:, 0], y).item() == pytest.approx(1, abs=1e-6)


def test_gaussian_noise_is_scipys():
    from scipy.stats import norm

    generator = np.random.default_rng(0)
    x, mean = generator.normal(size=(4, 3)), generator.normal(size=(4, 2, 3))
    found = Gaussian(0.3, bounded=False).double().log_p(torch.from_numpy(x), torch.from_numpy(mean))
    np.testing.assert_allclose(found, norm.logpdf(x[:, None], mean, 0.3).sum(axis=2))
    learnt = observation_of("gaussian", (3,), None)
    assert [tuple(p.shape) for p in learnt.parameters()] == [()]
    assert of_densities((3,)).bits_per_dim(1.0) is None


PENALTIES = "penalty=[r1,r2,gradient_penalty,dragan,consistency]"


@pytest.mark.parametrize(("model", "part"), [("vae_gan", "adversary"), ("adversarial_autoencoder", "codes")])
def test_every_loss_and_penalty_goes_with_a_game_that_has_an_encoder(model, part):
    setup = setup_of(f"model={model}", PENALTIES, "pack=2", "instance_noise.sigma=0.1", *TINY_MLP)
    x, z, _ = moves(setup)
    moments = {player.name: player.moment(1, 0, setup.batch_sizes) for player in setup.players}
    assert len(setup.game.strengths("discriminator", moments["discriminator"])) == 6
    for name in Library().options("loss"):
        vars(setup.game)[part].loss = losses.build(name)
        for player, network in setup.game.networks.items():
            strengths = setup.game.strengths(player, moments[player])
            cost, _ = setup.game.cost(player, x, z, None, strengths)
            found = torch.autograd.grad(cost, list(network.parameters()), allow_unused=True)
            assert all(gradient.isfinite().all() for gradient in found if gradient is not None)
            assert any(gradient.any() for gradient in found if gradient is not None), (name, player)


def moves(setup):
    """A minibatch, latents, and what a player's cost is on them: with its gradient, the draws always the same."""
    torch.manual_seed(0)
    rows = torch.arange(8)
    x, z = setup.minibatches.scaled(setup.minibatches.values[rows]), setup.sampler.prior.sample(8)

    def cost(player: str):
        torch.manual_seed(1)
        value, statistics = setup.game.cost(player, x, z, None, {})
        weights = dict(setup.game.networks[player].named_parameters())
        gradients = torch.autograd.grad(value, list(weights.values()), allow_unused=True)
        return value, statistics, dict(zip(weights, gradients, strict=True))

    return x, z, cost


def test_the_costs_of_a_vae_gan_are_those_of_the_paper():
    keys = ("model=vae_gan", "model.gamma=0.25", "model.beta=2", "architecture.discriminator.dropout=0.0")
    setup = setup_of(*keys, "architecture.discriminator.input_dropout=0.0", *TINY_MLP)
    game, (x, z, cost) = setup.game, moves(setup)
    torch.manual_seed(1)
    mean, log_variance = game.encoder(x).chunk(2, dim=1)
    coded = mean + (log_variance / 2).exp() * torch.randn(8, 1, 4)[:, 0]
    decoded = game.decoder(coded)
    error = (game.discriminator.features(x) - game.discriminator.features(decoded)).square().sum(dim=1).mean() / 2
    kl = (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean() / 2
    value, statistics, _ = cost("encoder")
    torch.testing.assert_close(value, error + 2 * kl)
    torch.testing.assert_close(statistics["nats"], statistics["reconstruction"] - kl)
    fake = game.decoder(torch.cat([z[:4], coded[4:]]))  # half of them from the prior
    real_logits, fake_logits = game.discriminator(x), game.discriminator(fake)
    torch.testing.assert_close(cost("discriminator")[0], game.loss.discriminator(real_logits, fake_logits))
    _, statistics, gradients = cost("generator")
    expected = game.loss.generator(fake_logits) + 0.25 * error
    torch.testing.assert_close(statistics["loss/generator"], expected)
    weights = dict(game.decoder.body.named_parameters())
    for name, gradient in zip(weights, torch.autograd.grad(expected, list(weights.values())), strict=True):
        torch.testing.assert_close(gradients[f"body.{name}"], gradient)
    scale = game.decoder.observation.learnt  # is fitted, by the data alone
    log_p = game.decoder.observation.log_p(x, game.decoder.body(coded).detach()[:, None]).mean()
    torch.testing.assert_close(gradients["observation.learnt"], torch.autograd.grad(-log_p, scale)[0])


def test_signals_are_judged_as_they_are():
    setup = setup_of("model=vae_gan", *TINY_SIGNALS)
    x = 1.5 * torch.randn(4, 2, 16)
    assert torch.equal(setup.game.shown(x), x)
    assert setup.game.unit.name.startswith("density of signals")
    assert "bits_per_dim" not in setup.game.consequences({"nats": -1.0, "loss/discriminator": 1.0})


def test_an_adversarial_autoencoder_plays_the_game_of_gan_with_latents_for_data():
    setup = setup_of("model=adversarial_autoencoder", "model.adversarial=0.5", *TINY_MLP)
    game, (x, z, cost) = setup.game, moves(setup)
    code = game.encoder(x)
    error = (game.decoder(code) - x).square().mean()
    judge, loss = game.codes.discriminator, game.codes.loss
    torch.testing.assert_close(cost("discriminator")[0], loss.discriminator(judge(z), judge(code)))
    torch.testing.assert_close(cost("encoder")[0], error + 0.5 * loss.generator(judge(code)))
    torch.testing.assert_close(cost("decoder")[0], error)


def test_more_draws_tighten_the_bound_of_a_trained_model(trained, gan_eval):
    asked = ("metrics=[likelihood]", "extractor=pixels", "metrics.likelihood.samples=20")
    found = {}
    for draws in ("null", "50"):
        keys = (f"metrics.likelihood.draws={draws}", f"out={draws}.json")
        assert gan_eval(f"checkpoint={trained(*MODELS['vae'])}", *asked, *keys).code == 0
        found[draws] = json.loads(Path(f"{draws}.json").read_text())
    assert found["null"]["notes"]["nats"].startswith("lower bound (ELBO of 1 draw), probability of binary pictures")
    assert found["50"]["notes"]["nats"].startswith("lower bound (importance-weighted, k = 50)")
    assert found["50"]["metrics"]["nats"] > found["null"]["metrics"]["nats"]


def test_an_architecture_of_ones_own_says_how_it_encodes(gan_train):
    Path("conf/architecture").mkdir(parents=True)
    Path("conf/architecture/own.yaml").write_text("name: own\nclass: own.Own\n")
    code = (
        "class Own:\n def generator(self, latent, shape, classes): ...\n def discriminator(self, shape, classes): ...\n"
    )
    Path("own.py").write_text(code)
    result = gan_train("--config-dir", "conf", "architecture=own", "model=vae")
    assert (result.code, len(result.errors)) == (2, 1)
    assert "architecture=own: has no encoder(shape, outputs): write it" in result.errors[0]
    Path("own.py").write_text(code + " def encoder(self, shape, outputs): return 3\n def decoder(self, a, b, c): ...\n")
    del sys.modules["own"]
    result = gan_train("--config-dir", "conf", "architecture=own", "model=vae")
    assert "architecture=own: encoder() returned an int: return a torch.nn.Module" in result.errors[0]
