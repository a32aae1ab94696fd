"""Checks that the parts of a game fit together: one pass of real shapes through copies of them, before the first step.

The training is not affected: networks are copies, and the state of the random generators is restored.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from gan_cli.config.asking import asked, kind, method
from gan_cli.config.options import sizes_of
from gan_cli.config.schema import Config
from gan_cli.data.samples import as_input
from gan_cli.distributed import by_itself
from gan_cli.errors import UserError
from gan_cli.games.adversarial import AdversarialGame
from gan_cli.games.decoding import ROWS as TOGETHER
from gan_cli.games.game import Classifies, Game, Judges
from gan_cli.games.parts import latent_size, made_by
from gan_cli.games.sampler import Sampler
from gan_cli.games.view import packed
from gan_cli.models.conditioning import TellsLabels
from gan_cli.models.priors import Latents, Prior
from gan_cli.random import seed_all, stream
from gan_cli.training.answers import AskedDiscriminator, AskedGenerator, AskedLoss, AskedPenalty, number, optimizer_of
from gan_cli.training.player import Player
from gan_cli.training.ranges import SCALES, check_labels, check_logits, check_pixels, randomised

if TYPE_CHECKING:
    from gan_cli.training.setup import Setup

ROWS = 4  # samples, or packs of them, in the pass


def check(setup: Setup) -> int:
    """Runs one move of each player on copies, with a few samples.

    A part that fails on a few samples may need the whole minibatch (for groups of eight, say), so it is tried on that
    before it is refused.

    Returns:
        The number of samples in the pass.

    Raises:
        UserError: if a part does not return what the game needs.
    """
    config = setup.config
    smallest = min(sizes_of(config.batch_size))
    share = smallest if config.sync_batchnorm else smallest // config.devices
    share //= config.accumulate  # what batch norm sees
    few = min(share, ROWS * config.pack)
    with by_itself(), _own_randomness(setup.device):
        try:
            _check(setup, few)
            return few
        except UserError:
            if few == share:
                raise
            _check(setup, share)
            return share


def _check(setup: Setup, rows: int) -> None:
    if isinstance(setup.game, AdversarialGame):
        Pass(setup, rows).check()
    else:
        check_own_game(setup, rows)


def check_trained(sampler: Sampler, shape: tuple[int, ...], game: Game | None = None) -> None:
    """Like ``check``, for the outputs of a trained generator and of the game's discriminator, if it has one."""
    judge, probability = (game.discriminator, of_both_signs(game)) if isinstance(game, Judges) else (None, False)
    with _own_randomness(sampler.device):
        try:
            _check_trained(sampler, shape, judge, probability, ROWS)
        except UserError:
            _check_trained(sampler, shape, judge, probability, TOGETHER)


def _check_trained(
    sampler: Sampler, shape: tuple[int, ...], judge: nn.Module | None, probability: bool, rows: int
) -> None:
    config = sampler.config
    networks = Networks(sampler.network, judge, config, shape, sampler.classes, trained=True)
    z = latents(sampler.prior, config, rows).to(sampler.device)
    x = torch.zeros(rows * config.pack, *shape, device=sampler.device)
    labels = sampler.labels_of(range(rows))
    networks.check_outputs(
        z, packed(x, config.pack), None if labels is None else labels.to(sampler.device), probability
    )


@contextmanager
def _own_randomness(device: torch.device) -> Iterator[None]:
    numbers = [torch.cuda.current_device() if device.index is None else device.index] if device.type == "cuda" else []
    with torch.random.fork_rng(numbers):
        seed_all("fitting", device=device)
        yield


class Networks:
    """Copies of G and, if there is one, D, whose outputs are checked."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module | None,
        config: Config,
        shape: tuple[int, ...],
        classes: int,
        *,
        trained: bool = False,
    ) -> None:
        self.config, self.classes = config, classes
        self.who = made_by(config)
        with asked(f"{self.who}: a copy of its networks"):
            networks = copy.deepcopy((generator, discriminator))
        for network in networks:
            if network is not None:
                network.train().requires_grad_(True)
        few = _too_few(config)
        self.generator = AskedGenerator(networks[0], self.who, few, shape, trained=trained)
        self.discriminator = AskedDiscriminator(networks[1], self.who, few, trained=trained) if networks[1] else None

    def check_outputs(self, z: Tensor, seen: Tensor, labels: Tensor | None, probability: bool) -> None:
        """Checks shapes, the range of pixels and logits, and that the outputs depend on the labels.

        Args:
            seen: samples as D sees them.
            probability: whether σ(logit) is the probability that a sample is real.
        """
        with torch.no_grad():
            self.generator.eval()(z, labels)
            if seen.dim() == 4:
                check_pixels(self.generator.network, z, labels, self.who)
            if labels is not None:
                check_labels(self.generator.network, z, labels, self.classes, f"the generator of {self.who}")
            if self.discriminator is None:
                return
            self.discriminator.eval()(seen, labels)
            if probability:
                check_logits(self.discriminator.network, seen, labels, self.who)
            if labels is not None and not isinstance(self.discriminator.network, TellsLabels):
                check_labels(self.discriminator.network, seen, labels, self.classes, f"the discriminator of {self.who}")


class Pass(Networks):
    """A move of each player on ``rows`` samples."""

    def __init__(self, setup: Setup, rows: int) -> None:
        assert isinstance(setup.game, AdversarialGame)
        game, shape, classes = setup.game, setup.samples.shape, setup.sampler.classes
        super().__init__(game.generator, game.discriminator, setup.config, shape, classes)
        self.setup, self.played = setup, game
        values = setup.samples.values
        self.z = latents(setup.sampler.prior, setup.config, rows).to(setup.device)
        self.x = as_input(values[np.arange(rows) % len(values)], setup.device).to(torch.get_default_dtype())
        labels = setup.sampler.labels_of(range(rows))
        self.labels = None if labels is None else labels.to(setup.device)

    def check(self) -> None:
        setup, game, loss = self.setup, self.played, f"loss={self.config.loss.name}"
        penalties = {name: AskedPenalty(penalty, f"penalty={name}") for name, penalty in game.penalties.items()}
        assert self.discriminator
        view = copy.deepcopy(game.view)  # adaptive augmentation takes what D sees into account
        self.game = AdversarialGame(
            self.generator, self.discriminator, AskedLoss(game.loss, loss), penalties, view, game.autocast
        )
        self.strengths = {f"penalty/{name}": penalty.strength(0) for name, penalty in penalties.items()}
        self.strengths |= view.strengths(0)
        self._check_gradients("discriminator", "J(D)")
        self._check_gradients("generator", "J(G)")
        for player in setup.players:
            _check_descent(setup, self.of(player.name), player)
        self.check_outputs(self.z, view(self.x, view.strengths(0)), self.labels, of_both_signs(game))

    def of(self, player: str) -> nn.Module:
        """The copy of a player's network."""
        assert self.discriminator
        return self.generator.network if player == "generator" else self.discriminator.network

    def _gradients(self, name: str) -> list[Tensor | None]:
        with asked(f"{self.who}: a move of the {name}"):
            value, _ = self.game.cost(name, self.x, self.z, self.labels, self.strengths)
            weights = list(self.of(name).parameters())
            return list(torch.autograd.grad(value, weights, allow_unused=True))

    def _check_gradients(self, name: str, what: str) -> None:
        """Requires that the gradient of ``what`` reaches the player's weights, is finite and not 0."""
        reached = [gradient for gradient in self._gradients(name) if gradient is not None]
        if not reached:
            through = "" if name == "discriminator" else " through the discriminator"
            raise UserError(
                f"{self.who}: no gradient of {what} reaches the {name}'s weights{through}: compute with tensors alone, "
                "without detach(), .data, no_grad() or NumPy"
            )
        if not all(gradient.isfinite().all() for gradient in reached):
            raise UserError(f"{self.who}: the gradient of {what} is not finite for untrained networks")
        if not any(gradient.any() for gradient in reached) and not self._has_slope(name):
            raise UserError(
                f"{self.who}: the gradient of {what} in the {name}'s weights is 0 whatever they are: steps, rounding "
                "and comparisons have no slope"
            )

    def _has_slope(self, name: str) -> bool:
        """Whether the gradient is not 0 for other weights; weights that begin at 0 pass none on."""
        assert self.discriminator
        for scale in SCALES:
            with randomised(self.generator, scale), randomised(self.discriminator, scale):
                try:
                    found = self._gradients(name)
                except UserError:  # numbers too large
                    continue
                if any(gradient is not None and gradient.any() for gradient in found):
                    return True
        return False


def of_both_signs(game: Judges) -> bool:
    """Whether D's logits are to be on both sides of 0; log Z of K classes begins at log K, and is learnt to be."""
    return game.loss.probability and not isinstance(game, Classifies)


def check_own_game(setup: Setup, rows: int) -> None:
    """Lets each player of a game of your own make a move on copies of the networks, and its sampler draw."""
    config, who = setup.config, f"model={setup.config.model.name}"
    values, classes = setup.samples.values, setup.sampler.classes
    x = as_input(values[np.arange(rows) % len(values)], setup.device).to(torch.get_default_dtype())
    z = latents(setup.sampler.prior, config, rows).to(setup.device)
    labels = setup.sampler.labels_of(range(rows))
    labels = None if labels is None else labels.to(setup.device)
    with asked(f"{who}: a copy of the game"):
        game = copy.deepcopy(setup.game)
    for player in setup.players:
        name = player.name
        network = game.networks[name].train().requires_grad_(True)
        moment = player.moment(1, 0, setup.batch_sizes)
        with asked(f"{who}: the cost of its {name}"):
            found: object = game.cost(name, x, z, labels, game.strengths(name, moment))
        if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], dict)):
            raise UserError(f"{who}: cost({name!r}, …) returned {kind(found)}: return the cost, and statistics by name")
        cost, statistics = found
        if not isinstance(cost, Tensor) or cost.numel() != 1 or not cost.requires_grad:
            raise UserError(f"{who}: the cost of its {name} is {kind(cost)}: return a tensor of one number, by tensors")
        for key, value in {"the cost": cost, **statistics}.items():
            if not isinstance(value, Tensor) or value.numel() != 1 or not value.isfinite().all():
                raise UserError(f"{who}: {key} of its {name} is {kind(value)}: must be a tensor of one finite number")
        gradients = torch.autograd.grad(cost, list(network.parameters()), allow_unused=True)
        if all(gradient is None for gradient in gradients):
            raise UserError(f"{who}: no gradient of the {name}'s cost reaches its weights: compute with tensors alone")
        _check_descent(setup, network, player)
    Networks(game.networks[game.sampler], None, config, setup.samples.shape, classes).check_outputs(z, x, labels, False)


def latents(prior: Latents, config: Config, rows: int) -> Tensor:
    """Latents (rows, size) of the prior, after a check that it draws them correctly.

    Raises:
        UserError: if it does not.
    """
    who = f"prior={config.prior.name}"
    size = prior.size if isinstance(prior, Prior) else latent_size(config)
    sample = method(prior, who, "sample", "n, device, generator", rows, "cpu", None)
    with asked(f"{who}: sample(n, device, generator)"):
        found = [sample(rows, "cpu", stream(place, "fitting")) for place in (0, 0, 1)]
    draws: list[Tensor] = []
    for z in found:
        if not isinstance(z, Tensor) or z.shape != (rows, size) or z.dtype != torch.get_default_dtype():
            wanted = f"latents (n, prior.size), here float32 {(rows, size)}"
            raise UserError(f"{who}: sample({rows}, …) returned {kind(z)}: return {wanted}")
        if not z.isfinite().all():
            raise UserError(f"{who}: sample() returned numbers that are not finite")
        draws.append(z)
    if not torch.equal(draws[0], draws[1]) or torch.equal(draws[0], draws[2]):
        raise UserError(f"{who}: sample() must draw from the generator it is given, and from nothing else")
    return draws[0]


def _too_few(config: Config) -> str:
    """The error message for batch norm over a single sample."""
    parts = {"batch_size": min(sizes_of(config.batch_size)), "devices": config.devices, "pack": config.pack}
    parts["accumulate"] = config.accumulate
    keys = " ".join(f"{key}={value}" for key, value in parts.items() if value > 1 or key == "batch_size")
    return f"{keys}: leaves batch norm a single sample: use a larger batch_size, or another norm than batch"


def _check_descent(setup: Setup, network: nn.Module, player: Player) -> None:
    """Checks a step of the optimizer, and the schedule's factor at the first and the last step."""
    config = setup.config
    who = f"schedule={config.schedule.name}"
    method(player.schedule, who, "__call__", "step", 1)
    for step in (1, config.steps):
        with asked(f"{who}: the factor of step {step}"):
            factor = player.schedule(step)
        number(factor, f"{who}: at step {step} it", "a factor of the rate, 0 or more", 0.0)
    who = f"optimizer={config.optimizer.name}"
    made = optimizer_of(setup.optimizer, who, network.parameters(), player.lr)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    with asked(f"{who}: a step"):
        made.step()
