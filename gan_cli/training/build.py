"""Builds the data, the networks, the game and its players from a config."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch

from gan_cli import distributed
from gan_cli.config.library import Library
from gan_cli.config.schema import Config
from gan_cli.data.columns import groups
from gan_cli.data.identity import trained_on
from gan_cli.data.knows import DATASET, Dataset, Presents
from gan_cli.data.minibatches import Minibatches
from gan_cli.data.presenting import AS_IT_IS
from gan_cli.data.reading import load
from gan_cli.data.samples import Samples
from gan_cli.games.game import Game, LearnsLabels
from gan_cli.games.parts import batch_sizes_of, made_by
from gan_cli.games.sampler import Sampler
from gan_cli.models.choices import Choices
from gan_cli.models.sync_norm import synchronise
from gan_cli.training import fitting
from gan_cli.training.budget import require_training
from gan_cli.training.devices import ready
from gan_cli.training.ema import EMA
from gan_cli.training.optimizers import OPTIMIZER
from gan_cli.training.outline import blank, game_of, label_count, own_parts, prior_of, require_kind
from gan_cli.training.players import players_of
from gan_cli.training.precision import AUTOCAST
from gan_cli.training.setup import Loaded, Setup

if TYPE_CHECKING:
    from gan_cli.training.state import State


def build(config: Config, library: Library, state: State | None = None, like: Loaded | None = None) -> Setup:
    """Loads the data and builds the game on the device.

    Args:
        state: the checkpoint that is continued, for its precision, the identity of its data, and how often the run has
            gone back.
        like: the data of another run, which are shared.

    Raises:
        UserError: if the data cannot be loaded or the parts do not fit together.
    """
    device, precision = ready(config, state.get("precision") if state else None)
    dataset = like.dataset if like else library.build(DATASET, config.dataset)
    with distributed.first_of_machine():
        if like:
            samples = like.samples
        else:
            name = config.dataset.name
            samples = trained_on(dataset, name, state["data"]) if state else load(dataset, name)
    attempt = state.get("attempt", 0) if state else 0
    setup = assemble(config, library, device, precision, dataset, samples, like, attempt)
    if not like:
        fitting.check(setup)
    if config.compile:
        for network in setup.game.networks.values():
            network.compile()  # unlike torch.compile(network), keeps the names of the weights
    return setup


def assemble(
    config: Config,
    library: Library,
    device: torch.device,
    precision: str,
    dataset: Dataset,
    samples: Samples,
    like: Loaded | None = None,
    attempt: int = 0,
) -> Setup:
    """Builds the game for samples that are loaded already; else like ``build``."""
    config = config.of_data(samples.classes)
    require_kind(config, samples)
    classes = label_count(config, samples.columns)
    optimizer = library.build(OPTIMIZER, config.optimizer)
    if not like and (outline := blank(config, library, samples.shape, classes)):
        require_training(config, outline, samples.shape, classes, device)
    game = game_of(config, library, samples.shape, classes, device, AUTOCAST.get(precision))
    for network in game.networks.values():
        if isinstance(network, Choices):
            network.choose(groups(samples.fields))
    prior = prior_of(game, config, library)
    if config.sync_batchnorm and distributed.world() > 1:
        for network in game.networks.values():
            synchronise(network)
    players = players_of(game, config, library, optimizer, device, scaled=precision == "fp16", attempt=attempt)
    batch_sizes = batch_sizes_of(game, config)
    drawing = game.networks[game.sampler]
    half_lives = config.ema_half_life, config.final_ema_half_life
    ema = EMA(drawing, half_lives[0], batch_sizes, half_lives[1], config.anneal_images) if any(half_lives) else None
    if config.activation_checkpointing:
        from gan_cli.training.recomputing import recompute

        recompute(game, made_by(config))
    drawn, known, fields = ema.network if ema else drawing, samples.known, samples.fields
    return Setup(
        config,
        device,
        precision,
        dataset,
        samples,
        _minibatches(config, device, dataset, samples, game, like, attempt),
        batch_sizes,
        game,
        players,
        ema,
        Sampler(drawn, prior, config, classes, device, samples.names, conditions=known, fields=fields),
        own_parts(config, library),
        optimizer,
        attempt,
    )


def _minibatches(
    config: Config,
    device: torch.device,
    dataset: Dataset,
    samples: Samples,
    game: Game,
    like: Loaded | None,
    attempt: int,
) -> Minibatches:
    """What the players draw from; a game that learns labels is given those of which it is told besides."""
    shown = partial(
        Minibatches,
        device=device,
        seed=config.seed,
        attempt=attempt,
        flip=config.dataset.model_dump().get("flip", False),
        presentation=dataset.presentation if isinstance(dataset, Presents) else AS_IT_IS,
    )
    minibatches = like.minibatches.seeded(config.seed, attempt) if like else shown(samples)
    if isinstance(game, LearnsLabels):
        game.learn(shown(samples.take(game.labelled(samples))))
    if not config.conditional:
        minibatches.labels = None
    return minibatches
