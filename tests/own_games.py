"""Games of one and of three players, as a user would write them; named by YAML files that a test writes."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import softplus

from gan_cli.config.schema import PlayerOptions
from gan_cli.games.game import Game, LogLikelihood
from gan_cli.models.units import of_densities

OPTIONS = {
    "normal": "class: own_games.Normal\nrate: 0.02\n",
    "autoencoder": "class: own_games.Autoencoder\nwidth: 8\nmoves: 2\n",
}


def write_options(folder: Path) -> str:
    """Puts the YAML files into a folder for ``--config-dir``."""
    for name, text in OPTIONS.items():
        path = folder / "model" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"name: {name}\n{text}")
    return str(folder)


class Diagonal(nn.Module):
    """x = μ + exp(s) ⊙ z; the network of a normal distribution with independent coordinates."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.mean, self.log_scale = nn.Parameter(torch.zeros(shape)), nn.Parameter(torch.zeros(shape))

    def forward(self, z, labels=None):
        return self.mean + self.log_scale.exp() * z.unflatten(1, self.mean.shape)


class Normal:
    """``model=normal``: one player, maximum likelihood, and a count that is no weight."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def game(self, parts):
        return NormalGame(parts.network("model", lambda: Diagonal(parts.shape)), self.rate)


class NormalGame(Game):
    sampler = "model"

    def __init__(self, network: Diagonal, rate: float) -> None:
        self.networks, self.rate, self.seen = {"model": network}, rate, torch.zeros(())
        self.unit = of_densities(tuple(network.mean.shape))

    def settings(self, player):
        return PlayerOptions(steps=1, lr=self.rate)

    def log_likelihood(self, x, labels=None):
        network = self.networks["model"]
        z = (x - network.mean) * (-network.log_scale).exp()
        return LogLikelihood((-z.square() / 2 - network.log_scale - math.log(2 * math.pi) / 2).flatten(1).sum(dim=1))

    def cost(self, player, x, z, labels, strengths):
        self.seen = self.seen + len(x)
        nats = -self.log_likelihood(x).nats.mean()
        return nats, {"loss/model": nats.detach(), "seen": self.seen}

    def kept(self):
        return {"seen": self.seen}

    def restore(self, kept):
        self.seen = kept["seen"]


class Autoencoder:
    """``model=autoencoder``: an encoder, a decoder, and a judge of codes who moves several times."""

    def __init__(self, width: int, moves: int) -> None:
        self.width, self.moves = width, moves

    def game(self, parts):
        size, latent = math.prod(parts.shape), parts.config.prior.size

        def layers(inputs: int, outputs: int, *last: nn.Module):
            first, second = nn.Linear(inputs, self.width), nn.Linear(self.width, outputs)
            return lambda: nn.Sequential(nn.Flatten(), first, nn.ReLU(), second, *last)

        class Decoder(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = layers(latent, size, nn.Unflatten(1, parts.shape), nn.Tanh())()

            def forward(self, z, labels=None):
                return self.body(z)

        judge = parts.network("judge", layers(latent, 1))
        encoder, decoder = parts.network("encoder", layers(size, latent)), parts.network("decoder", Decoder)
        return AutoencoderGame({"judge": judge, "encoder": encoder, "decoder": decoder}, self.moves)


class AutoencoderGame(Game):
    sampler = "decoder"

    def __init__(self, networks, moves: int) -> None:
        self.networks, self.moves = networks, moves

    def settings(self, player):
        return PlayerOptions(steps=self.moves, lr=1e-3) if player == "judge" else None

    def encode(self, x):
        return self.networks["encoder"](x)

    def cost(self, player, x, z, labels, strengths):
        code = self.networks["encoder"](x)
        judged = self.networks["judge"](code)[:, 0]
        if player == "judge":
            cost = softplus(judged).mean() + softplus(-self.networks["judge"](z)[:, 0]).mean()
        else:
            cost = (self.networks["decoder"](code) - x).square().mean()
            if player == "encoder":
                cost = cost + softplus(-judged).mean()
        return cost, {f"loss/{player}": cost.detach()}
