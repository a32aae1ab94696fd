"""An autoencoder whose codes a discriminator judges: a game in the latent space (Makhzani et al. 2015)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from gan_cli.games.adversarial import AdversarialGame
from gan_cli.games.game import Constraint, Game, Moment, Statistics, Strengths
from gan_cli.games.parts import Parts
from gan_cli.games.penalties import PENALTY
from gan_cli.games.view import view_of
from gan_cli.losses.loss import LOSS
from gan_cli.models.mlp import Discriminator
from gan_cli.models.widening import widened

PLAIN = {  # of a perceptron on codes
    "pieces": 2,
    "norm": "none",
    "dropout": 0.0,
    "input_dropout": 0.0,
    "noise": 0.0,
    "input_noise": 0.0,
    "minibatch_std": False,
    "init": None,
    "pixels": "signed",
}


class AdversarialAutoencoderGame(Game):
    """The game of ``gan`` with latents for data: latents are real, the encoder is the generator, its codes are fakes.

    - D minimises J(D) on z ~ p(z) and on codes of data,
    - the encoder R + w J(G), J(G) that of the loss and R = E (decoded − x)², the mean over all numbers of x,
    - the decoder R.

    At the equilibrium the codes of all data together are distributed as the prior, any prior that can be drawn from,
    and decoding latents draws from the data. ``D/real`` is D of latents, ``D/fake`` of codes.

    Args:
        codes: the game in the latent space.
        weight: w.
    """

    sampler = "decoder"

    def __init__(self, codes: AdversarialGame, decoder: nn.Module, weight: float) -> None:
        self.codes, self.encoder, self.decoder, self.weight = codes, codes.generator, decoder, weight
        self.networks = {"discriminator": codes.discriminator, "encoder": self.encoder, "decoder": decoder}

    def strengths(self, player: str, moment: Moment) -> dict[str, float]:
        return {} if player == "decoder" else self.codes.strengths(player, moment)

    def period(self, player: str) -> int:
        return self.codes.period(player)

    def constraint(self, player: str) -> Constraint | None:
        return self.codes.constraint(player)

    def consequences(self, means: Mapping[str, float]) -> dict[str, float]:
        return self.codes.consequences(means)

    def cost(
        self, player: str, x: Tensor, z: Tensor, labels: Tensor | None, strengths: Strengths
    ) -> tuple[Tensor, Statistics]:
        if player == "discriminator":
            return self.codes.discriminator_cost(z, x, None, strengths)
        with self.codes.computing(x):
            decoded = self.decoder(self.encoder(x), labels)
        error = (widened(decoded) - x).square().mean()
        if player == "decoder":
            return error, {"loss/decoder": error.detach(), "reconstruction_error": error.detach()}
        adversarial, _ = self.codes.generator_cost(z, x, None, strengths)
        cost = error + self.weight * adversarial
        return cost, {"loss/encoder": cost.detach(), "adversarial": adversarial.detach()}

    def encode(self, x: Tensor) -> Tensor:
        """The code of each sample."""
        with self.codes.computing(x):
            return widened(self.encoder(x))


class AdversarialAutoencoder:
    """``model=adversarial_autoencoder``."""

    def __init__(self, adversarial: float, hidden: Sequence[int], activation: str) -> None:
        self.weight = adversarial
        self.discriminator: dict[str, Any] = {"hidden": hidden, "activation": activation, **PLAIN}

    def game(self, parts: Parts) -> AdversarialAutoencoderGame:
        config, seen = parts.config, (parts.config.pack * parts.latent,)  # D of codes may see packs of them
        encoder = parts.architecture("encoder", "shape, outputs", parts.shape, parts.latent)
        decoder = parts.architecture("generator", "latent, shape, classes", parts.latent, parts.shape, parts.classes)
        codes = AdversarialGame(
            parts.network("encoder", encoder, parts.who),
            parts.network("discriminator", lambda: Discriminator(seen, 0, **self.discriminator)),
            parts.build(LOSS),
            parts.build_several(PENALTY),
            replace(view_of(config, parts.device), augment=()),
            parts.autocast,
        )
        return AdversarialAutoencoderGame(codes, parts.network("decoder", decoder, parts.who), self.weight)
