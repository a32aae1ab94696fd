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

from gan_cli.config.asking import asked
from gan_cli.config.options import sizes_of
from gan_cli.data.samples import as_input
from gan_cli.distributed import by_itself
from gan_cli.errors import UserError
from gan_cli.games.adversarial import AdversarialGame
from gan_cli.games.decoding import ROWS as TOGETHER
from gan_cli.games.game import Classifies, Game, Judges
from gan_cli.games.sampler import Sampler
from gan_cli.games.view import packed
from gan_cli.random import seed_all
from gan_cli.training.answers import AskedLoss, AskedPenalty
from gan_cli.training.copies import Networks, check_descent, latents
from gan_cli.training.own_games import check_own_game
from gan_cli.training.ranges import SCALES, randomised

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
            check_descent(setup, self.of(player.name), player)
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
