"""Boltzmann machines: p(x) = e^−F(x) / Z, learnt with Markov chains in place of Z."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gan_cli import distributed
from gan_cli.config.options import sizes_of
from gan_cli.games.game import Game, LogLikelihood, Moment, Statistics, Strengths
from gan_cli.games.likelihood import in_parts, require_presented
from gan_cli.games.parts import Parts
from gan_cli.models.annealing import annealed, exact_log_z, reversed_annealed
from gan_cli.models.dbm import DeepBM
from gan_cli.models.priors import Seeds
from gan_cli.models.rbm import RBM, BinaryRBM, GaussianRBM
from gan_cli.models.units import of_densities, of_levels
from gan_cli.random import stream, uniform_like

FORGETTING = 0.01  # of the running means in a move; the first hundred moves count equally
DEVIATIONS = 3  # of an estimate's standard error, that its range adds


class RBMGame(Game):
    """One player who minimises J = E F(x) − E F(x'), x of the data and x' of chains, which are held still.

    The gradient of −E log p(x) is that of J with x' drawn from the model. Contrastive chains begin at the minibatch and
    take k steps (Hinton 2002: CD-k); persistent ones, kept from move to move, take k more (Tieleman 2008).
    With several processes each moves its part of the persistent chains, and then holds all of them.

    Args:
        network: its sampler is a Markov chain, of which two uniform numbers determine every step.
        steps: k.
        particles: the persistent chains, (n, D); None for contrastive ones.
        chains: of annealed importance sampling, each way.
        temperatures: of annealed importance sampling.
    """

    sampler, draws_in_steps = "model", True

    def __init__(
        self, network: RBM, shape: tuple[int, ...], steps: int, particles: Tensor | None, chains: int, temperatures: int
    ) -> None:
        self.networks, self.rbm = {"model": network}, network  # one object, in copies of the game too
        self.steps, self.particles, self.chains, self.temperatures = steps, particles, chains, temperatures
        self.unit = of_levels(shape, 2) if isinstance(network, BinaryRBM) else of_densities(shape)
        self.latents = Seeds(size=network.latent, scale=1.0)

    def strengths(self, player: str, moment: Moment) -> dict[str, float]:
        """How far the running means go in a move."""
        return {"follow": max(FORGETTING, 1 / (1 + moment.moves))}

    def cost(
        self, player: str, x: Tensor, z: Tensor, labels: Tensor | None, strengths: Strengths
    ) -> tuple[Tensor, Statistics]:
        rbm = self.rbm
        state = rbm.state(x)
        rbm.follow(state, strengths.get("follow", FORGETTING))
        with torch.no_grad():
            drawn = self.negative(rbm, state)
        positive, negative = rbm.free_energy(state).mean(), rbm.free_energy(drawn).mean()
        cost = positive - negative
        told = {"loss/model": cost, "free_energy/data": positive, "free_energy/chains": negative}
        return cost, {name: value.detach() for name, value in told.items()}

    def negative(self, rbm: RBM, state: Tensor) -> Tensor:
        """The ends of the chains."""
        if self.particles is None:
            return rbm.gibbs(state, uniform_like, self.steps)
        drawn = rbm.gibbs(self.particles[distributed.rows(len(self.particles))], uniform_like, self.steps)
        self.particles.copy_(distributed.gathered(drawn).flatten(0, 1))
        return drawn

    def kept(self) -> dict[str, Tensor]:
        """The persistent chains."""
        return {} if self.particles is None else {"particles": self.particles}

    def restore(self, kept: Mapping[str, Tensor]) -> None:
        if self.particles is not None:
            self.particles.copy_(kept["particles"])

    def log_likelihood(self, x: Tensor, labels: Tensor | None = None) -> LogLikelihood:
        """−F(x) − log Z, or a bound of it: log Z is exact where one side has few units, else by annealing.

        The value is of the chains that anneal from independent units, whose log Z is low (the usual figure, and
        optimistic). The reverse chains begin at the samples asked about, go as many Gibbs steps as a sample takes, and
        anneal back: their log Z is high, which makes the lower end. Either end adds three standard errors.
        """
        rbm = self.rbm
        weight = in_parts(lambda x, labels: rbm.log_mass(rbm.state(x)), x, labels) + rbm.log_scale()
        exact = exact_log_z(rbm)
        if exact is not None:
            return (
                LogLikelihood(weight - exact, "lower bound", rbm.bound) if rbm.bound else LogLikelihood(weight - exact)
            )
        up = annealed(rbm, self.chains, self.temperatures)
        some = torch.arange(self.chains, device=x.device) * max(1, len(x) // self.chains) % len(x)
        begun = rbm.gibbs(rbm.state(x[some]), torch.rand_like, rbm.chain)
        down = reversed_annealed(rbm, begun, self.temperatures)
        how = f"{rbm.bound}; " if rbm.bound else ""
        how += (
            f"log Z {up.value:.2f} ± {up.error:.2f} by AIS of {self.chains} chains over {self.temperatures:,} "
            f"temperatures, {down.value:.2f} ± {down.error:.2f} by its reverse from these samples"
        )
        low = max(down.value - up.value, 0.0) + DEVIATIONS * down.error
        kind: Literal["estimate", "estimate of a lower bound"] = (
            "estimate of a lower bound" if rbm.bound else "estimate"
        )
        return LogLikelihood(weight - up.value, kind, how, low, DEVIATIONS * up.error)


@dataclass
class BoltzmannMachine(ABC):
    """The keys that ``model=rbm`` and ``model=dbm`` share."""

    chains: str
    gibbs_steps: int
    particles: int | None
    centring: bool
    chain: int
    ais_chains: int
    ais_temperatures: int

    @abstractmethod
    def machine(self, shape: tuple[int, ...]) -> RBM:
        """The network for samples of a shape."""

    def game(self, parts: Parts) -> RBMGame:
        require_presented(parts)
        network = parts.network("model", lambda: self.machine(parts.shape))
        assert isinstance(network, RBM)
        particles = self.begun(network, parts) if self.chains == "persistent" else None
        return RBMGame(network, parts.shape, self.gibbs_steps, particles, self.ais_chains, self.ais_temperatures)

    def begun(self, network: RBM, parts: Parts) -> Tensor:
        """Persistent chains at independent units, drawn on the CPU by the run's seed."""
        count = self.particles or sizes_of(parts.config.batch_size)[0]
        generator = stream(parts.config.seed, "particles")
        u = torch.rand(count, network.dimensions, generator=generator).to(parts.device)
        with torch.no_grad():
            return network.base(count, lambda like: u.to(like.dtype).clamp(1e-7, 1 - 1e-7))


@dataclass
class RestrictedBoltzmannMachine(BoltzmannMachine):
    """``model=rbm``."""

    visible: str
    hidden: int

    def machine(self, shape: tuple[int, ...]) -> RBM:
        kind = BinaryRBM if self.visible == "binary" else GaussianRBM
        return kind(shape, self.hidden, self.centring, self.chain)


@dataclass
class DeepBoltzmannMachine(BoltzmannMachine):
    """``model=dbm``."""

    hidden: list[int]
    mean_field: int

    def machine(self, shape: tuple[int, ...]) -> RBM:
        first, second = self.hidden
        return DeepBM(shape, first, second, self.mean_field, self.centring, self.chain)
