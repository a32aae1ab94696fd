"""Encoder and decoder of a variational autoencoder (Kingma & Welling 2014), and the bounds that they make.

q(z | x) = N(μ(x), diag σ²(x)), p(z) = N(0, I), z = μ + σ ⊙ ε with ε ~ N(0, I), so that gradients go through z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan_cli.distributed import shares
from gan_cli.models.observations import Observation
from gan_cli.models.widening import widened
from gan_cli.random import drawn


class Decoder(nn.Module):
    """p(x | z): an architecture's decoder, whose numbers an observation reads. Called with (z, labels): E[x | z]."""

    def __init__(self, body: nn.Module, observation: Observation) -> None:
        super().__init__()
        self.body, self.observation = body, observation

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.observation.mean(widened(self.body(z, labels)))

    def log_p(self, x: Tensor, z: Tensor, labels: Tensor | None) -> Tensor:
        """log p(x | z) in nats, (B, k), of k latents for each sample: z (B, k, L)."""
        k = z.shape[1]
        each = labels if labels is None or k == 1 else labels.repeat_interleave(k, dim=0)
        return self.observation.log_p(x, widened(self.body(z.flatten(0, 1), each)).unflatten(0, (-1, k)))


class VAE(nn.Module):
    """Both as one player. Called with (z, labels), it decodes: E[x | z]."""

    def __init__(self, encoder: nn.Module, decoder: Decoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.decoder(z, labels)


def posterior(encoder: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """μ and log σ² of q(z | x), (B, L) each."""
    mean, log_variance = widened(encoder(x)).chunk(2, dim=1)
    return mean, log_variance


def kl_to_prior(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(q(z | x) ‖ N(0, I)) in nats, (B,): ½ Σ (μ² + σ² − 1 − log σ²) (2014, appendix B)."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2


def codes(mean: Tensor, log_variance: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
    """k draws from q(z | x), (B, k, L), and log p(z) − log q(z | x) of each in nats, (B, k)."""
    latent = mean.shape[1]
    noise = drawn(
        shares() * len(mean),
        lambda n, generator: torch.randn(n, k, latent, device=mean.device, dtype=mean.dtype, generator=generator),
    )
    z = mean[:, None] + (log_variance / 2).exp()[:, None] * noise
    return z, (noise.square() - z.square() + log_variance[:, None]).sum(dim=2) / 2


@dataclass(frozen=True)
class Terms:
    """What the bounds are made of, in nats.

    Attributes:
        log_p: log p(x | z), (B, k), of k draws from q(z | x).
        log_ratio: log p(z) − log q(z | x), (B, k), of the same.
        kl: KL(q(z | x) ‖ p(z)), (B,), whose negative is the mean of the latter.
    """

    log_p: Tensor
    log_ratio: Tensor
    kl: Tensor

    def bound(self, beta: float = 1.0) -> Tensor:
        """A lower bound of log p(x), (B,).

        Of one draw it is log p(x | z) − β KL (2014, equation 10; β of Higgins et al. 2017, a bound for β ≥ 1); of more,
        log 1/k Σ p(x, z) / q(z | x) (Burda et al. 2016, equation 8), which is tighter the larger k.
        """
        k = self.log_p.shape[1]
        if k == 1:
            return self.log_p[:, 0] - beta * self.kl
        return (self.log_p + self.log_ratio).logsumexp(dim=1) - math.log(k)


def terms_of(encoder: nn.Module, decoder: Decoder, x: Tensor, labels: Tensor | None, k: int) -> Terms:
    """Those of a minibatch, with k draws for each sample."""
    mean, log_variance = posterior(encoder, x)
    z, log_ratio = codes(mean, log_variance, k)
    return Terms(decoder.log_p(x, z, labels), log_ratio, kl_to_prior(mean, log_variance))


def importance_weighted(
    encoder: nn.Module, decoder: Decoder, x: Tensor, labels: Tensor | None, k: int, at_once: int
) -> Tensor:
    """The bound of any number of draws, (B,), ``at_once`` decoded at a time."""
    mean, log_variance = posterior(encoder, x)
    step, found = max(1, at_once // len(x)), []
    for start in range(0, k, step):
        z, log_ratio = codes(mean, log_variance, min(step, k - start))
        found.append((decoder.log_p(x, z, labels) + log_ratio).logsumexp(dim=1))
    return torch.stack(found).logsumexp(dim=0) - math.log(k)
