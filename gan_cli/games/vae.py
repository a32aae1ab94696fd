"""The variational autoencoder: maximum likelihood by a bound, with an encoder that says which latents matter."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gan_cli.games.game import LogLikelihood, Statistics, Strengths
from gan_cli.games.likelihood import LikelihoodGame, in_parts, require_presented
from gan_cli.games.parts import Parts
from gan_cli.models.observations import kind_of, observation_of, unit_of
from gan_cli.models.units import Unit
from gan_cli.models.vae import VAE, Decoder, importance_weighted, posterior, terms_of

ROWS, DECODED = 32, 8192  # samples whose bound is computed at a time, and latents that are


class VAEGame(LikelihoodGame):
    """One player who minimises −ELBO, or the bound of several draws (an IWAE, Burda et al. 2016).

    ``nats`` is the bound on the minibatch, ``kl`` E KL(q(z | x) ‖ p(z)) and ``reconstruction`` E log p(x | z), in nats.

    Args:
        beta: of the KL divergence in what is minimised; the bound that is reported has it once.
        draws: k, latents for each sample.
    """

    def __init__(
        self, network: VAE, unit: Unit, beta: float = 1.0, draws: int = 1, autocast: torch.dtype | None = None
    ) -> None:
        super().__init__(network, unit, autocast)
        self.vae, self.beta, self.draws = network, beta, draws

    def cost(
        self, player: str, x: Tensor, z: Tensor, labels: Tensor | None, strengths: Strengths
    ) -> tuple[Tensor, Statistics]:
        with self.computing(x):
            terms = terms_of(self.vae.encoder, self.vae.decoder, x, labels, self.draws)
        cost = -terms.bound(self.beta).mean()
        found = {"nats": terms.bound(), "kl": terms.kl, "reconstruction": terms.log_p}
        return cost, {"loss/model": cost.detach(), **{name: value.detach().mean() for name, value in found.items()}}

    def encode(self, x: Tensor) -> Tensor:
        """The mean of q(z | x)."""
        with self.computing(x):
            return posterior(self.vae.encoder, x)[0]

    def log_likelihood(self, x: Tensor, labels: Tensor | None = None) -> LogLikelihood:
        """The bound that is trained."""
        return self.bound(x, labels, self.draws)

    def bound(self, x: Tensor, labels: Tensor | None, draws: int) -> LogLikelihood:
        """That of so many draws for each sample; with one, the KL divergence is exact."""
        with self.computing(x):
            return bound_of(self.vae.encoder, self.vae.decoder, x, labels, draws)


def bound_of(encoder: nn.Module, decoder: Decoder, x: Tensor, labels: Tensor | None, draws: int) -> LogLikelihood:
    """The ELBO of one draw, or the importance-weighted bound of more, of any number of samples."""

    def ask(x: Tensor, labels: Tensor | None) -> Tensor:
        if draws == 1:
            return terms_of(encoder, decoder, x, labels, 1).bound()
        return importance_weighted(encoder, decoder, x, labels, draws, DECODED)

    how = "ELBO of 1 draw" if draws == 1 else f"importance-weighted, k = {draws:,}"
    return LogLikelihood(in_parts(ask, x, labels, ROWS), "lower bound", how)


class VariationalAutoencoder:
    """``model=vae``."""

    def __init__(self, likelihood: str, sigma: float | None, beta: float, importance_samples: int) -> None:
        self.likelihood, self.sigma, self.beta, self.draws = likelihood, sigma, beta, importance_samples

    def game(self, parts: Parts) -> VAEGame:
        require_presented(parts)
        kind = kind_of(self.likelihood, parts.shape, "bernoulli")
        encoder = parts.architecture("encoder", "shape, outputs", parts.shape, 2 * parts.latent)
        decoder = parts.architecture("decoder", "latent, shape, classes", parts.latent, parts.shape, parts.classes)
        observation = observation_of(kind, parts.shape, self.sigma)
        network = parts.network("model", lambda: VAE(encoder(), Decoder(decoder(), observation)), parts.who)
        assert isinstance(network, VAE)
        return VAEGame(network, unit_of(kind, parts.shape), self.beta, self.draws, parts.autocast)
