"""An autoencoder whose samples a discriminator judges (Larsen et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from gan_cli.distributed import in_first_half
from gan_cli.errors import UserError
from gan_cli.games.adversarial import AdversarialGame, SeesFeatures
from gan_cli.games.game import Constraint, Game, LogLikelihood, Moment, Statistics, Strengths
from gan_cli.games.likelihood import require_presented
from gan_cli.games.parts import Parts
from gan_cli.games.penalties import PENALTY
from gan_cli.games.vae import bound_of
from gan_cli.games.view import packed, view_of, without_dropout
from gan_cli.losses.loss import LOSS
from gan_cli.models.observations import kind_of, observation_of, unit_of
from gan_cli.models.units import Unit, from_levels, levels
from gan_cli.models.vae import Decoder, Terms, codes, kl_to_prior, posterior
from gan_cli.models.widening import widened


class VAEGANGame(Game):
    """The game of D and the decoder, who is its generator, with an encoder beside them (algorithm 1 of the paper).

    D judges data against decoded latents, half of them from the prior and half from q(z | x). With f the last features
    of D and R = ½ E ‖f(x) − f(decoded)‖², −log N(f(x) | f(decoded), I) but for a constant,

    - the encoder minimises R + β KL(q(z | x) ‖ p(z)),
    - the decoder J(G) + γ R, J(G) that of the loss.

    ``nats`` is the ELBO with the decoder's own p(x | z), which nobody minimises; a learnt scale of it is fitted beside.

    Args:
        adversary: the game of D against the decoder.
        unit: what nats are of.
    """

    sampler = "generator"
    draws = 1

    def __init__(
        self, encoder: nn.Module, adversary: AdversarialGame, unit: Unit, beta: float = 1.0, gamma: float = 1.0
    ) -> None:
        assert isinstance(adversary.generator, Decoder)
        self.encoder, self.decoder, self.adversary = encoder, adversary.generator, adversary
        self.discriminator, self.loss, self.view = adversary.discriminator, adversary.loss, adversary.view
        self.networks = {"discriminator": self.discriminator, "encoder": encoder, "generator": self.decoder}
        self.unit, self.beta, self.gamma = unit, beta, gamma

    def strengths(self, player: str, moment: Moment) -> dict[str, float]:
        return {} if player == "encoder" else self.adversary.strengths(player, moment)

    def period(self, player: str) -> int:
        return self.adversary.period(player)

    def constraint(self, player: str) -> Constraint | None:
        return self.adversary.constraint(player)

    def consequences(self, means: Mapping[str, float]) -> dict[str, float]:
        """``jsd_lower_bound``, as of the adversary, and ``bits_per_dim`` of pictures."""
        bits = self.unit.bits_per_dim(means["nats"])
        return {**self.adversary.consequences(means), **({} if bits is None else {"bits_per_dim": bits})}

    def cost(
        self, player: str, x: Tensor, z: Tensor, labels: Tensor | None, strengths: Strengths
    ) -> tuple[Tensor, Statistics]:
        with torch.set_grad_enabled(player == "encoder"), self.computing(x):
            mean, log_variance = posterior(self.encoder, x)
            coded, log_ratio = codes(mean, log_variance)
        half = in_first_half(len(z))
        mixed = torch.cat([z[:half], coded[half:, 0]])
        if player == "discriminator":
            return self.adversary.discriminator_cost(self.shown(x), mixed, labels, strengths)
        with self.computing(x):
            given = widened(self.decoder.body(coded[:, 0], labels))
            error = self.feature_error(self.shown(x), self.decoder.observation.mean(given), labels)
            log_p = self.decoder.observation.log_p(x, given.detach()[:, None])
        if player == "encoder":
            terms = Terms(log_p, log_ratio, kl_to_prior(mean, log_variance))
            cost = error + self.beta * terms.kl.mean()
            found = {"nats": terms.bound(), "kl": terms.kl, "reconstruction": log_p, "feature_error": error}
            return cost, {"loss/encoder": cost.detach(), **{name: v.detach().mean() for name, v in found.items()}}
        cost, statistics = self.adversary.generator_cost(self.shown(x), mixed, labels, strengths)
        cost = cost + self.gamma * error
        return cost + fitting(log_p), {**statistics, "loss/generator": cost.detach()}

    def feature_error(self, x: Tensor, decoded: Tensor, labels: Tensor | None) -> Tensor:
        """R, of samples (B, …) and what they are decoded to; without noise, augmentation and dropout, which differ."""
        assert isinstance(self.discriminator, SeesFeatures)
        with without_dropout(self.discriminator):
            real, fake = (widened(self.discriminator.features(packed(y, self.view.pack), labels)) for y in (x, decoded))
        return (real - fake).square().flatten(1).sum(dim=1).mean() / 2

    def shown(self, x: Tensor) -> Tensor:
        """Pictures as they are stored: D would know dequantised ones by their noise."""
        return from_levels(levels(x)).to(x.dtype) if self.unit.levels and self.unit.density else x

    def encode(self, x: Tensor) -> Tensor:
        """The mean of q(z | x)."""
        with self.computing(x):
            return posterior(self.encoder, x)[0]

    def log_likelihood(self, x: Tensor, labels: Tensor | None = None) -> LogLikelihood:
        return self.bound(x, labels, self.draws)

    def bound(self, x: Tensor, labels: Tensor | None, draws: int) -> LogLikelihood:
        """That of encoder and decoder taken as a VAE."""
        with self.computing(x):
            return bound_of(self.encoder, self.decoder, x, labels, draws)

    def computing(self, x: Tensor) -> AbstractContextManager[None]:
        return self.adversary.computing(x)


def fitting(log_p: Tensor) -> Tensor | float:
    """What moves a learnt scale of p(x | z), which log p(x | z) at fixed means alone depends on, and nothing else."""
    return -log_p.mean() if log_p.requires_grad else 0.0


class VAEGAN:
    """``model=vae_gan``."""

    def __init__(self, likelihood: str, sigma: float | None, beta: float, gamma: float) -> None:
        self.likelihood, self.sigma, self.beta, self.gamma = likelihood, sigma, beta, gamma

    def game(self, parts: Parts) -> VAEGANGame:
        require_presented(parts)
        config, shape = parts.config, parts.shape
        kind = kind_of(self.likelihood, shape, "logistic")
        seen = (config.pack * shape[0], *shape[1:])
        encoder = parts.architecture("encoder", "shape, outputs", shape, 2 * parts.latent)
        decoder = parts.architecture("decoder", "latent, shape, classes", parts.latent, shape, parts.classes)
        discriminator = parts.architecture("discriminator", "shape, classes", seen, parts.classes)
        observation = observation_of(kind, shape, self.sigma)
        adversary = AdversarialGame(
            parts.network("generator", lambda: Decoder(decoder(), observation), parts.who),
            parts.network("discriminator", discriminator, parts.who),
            parts.build(LOSS),
            parts.build_several(PENALTY),
            view_of(config, parts.device),
            parts.autocast,
        )
        if not isinstance(adversary.discriminator, SeesFeatures):
            raise UserError(f"{parts.who}: its discriminator has no features(x, labels), which model=vae_gan compares")
        made = parts.network("encoder", encoder, parts.who)
        return VAEGANGame(made, adversary, unit_of(kind, shape), self.beta, self.gamma)
