"""Builds the data, the networks, the game and its players from a config."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gan_cli import distributed
from gan_cli.config.library import Library
from gan_cli.config.schema import Config
from gan_cli.data.columns import groups
from gan_cli.data.conditions import Columns
from gan_cli.data.identity import trained_on
from gan_cli.data.knows import DATASET, Dataset, Presents
from gan_cli.data.minibatches import Minibatches
from gan_cli.data.picture_schemas import FolderOptions
from gan_cli.data.presenting import AS_IT_IS
from gan_cli.data.reading import load
from gan_cli.data.samples import Samples
from gan_cli.errors import UserError
from gan_cli.games.game import MODEL, Game, LearnsLabels, OwnLatents
from gan_cli.games.parts import Parts, batch_sizes_of, made_by, settings_of
from gan_cli.games.sampler import Sampler
from gan_cli.memory import shortage
from gan_cli.models.choices import Choices
from gan_cli.models.priors import PRIOR, Latents
from gan_cli.models.sync_norm import synchronise
from gan_cli.random import seed_all
from gan_cli.training import cpu, fitting
from gan_cli.training.answers import optimizer_of
from gan_cli.training.budget import require_training
from gan_cli.training.compiler import require_compiler
from gan_cli.training.ema import EMA
from gan_cli.training.freezing import hold_still, learning
from gan_cli.training.optimizers import OPTIMIZER, MakesOptimizer, changing
from gan_cli.training.player import Player
from gan_cli.training.precision import AUTOCAST, choose, set_precision
from gan_cli.training.scaler import Scaler
from gan_cli.training.schedules import SCHEDULE, by_step
from gan_cli.training.setup import Loaded, Setup
from gan_cli.training.undrawn import Undrawn

if TYPE_CHECKING:
    from gan_cli.training.state import State


def pick_device(name: str, process: int | None = None) -> torch.device:
    """The device a config asks for.

    Args:
        process: the number of this process on its machine, if each process gets a device of its own.

    Raises:
        UserError: if this machine does not have it.
    """
    if process is not None and name != "cpu" and (name == "cuda" or torch.cuda.is_available()):
        apart = "SLURM_GPUS_PER_TASK" in os.environ and int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1
        if apart and torch.cuda.device_count() == 1:
            process = 0  # Slurm shows each of its tasks its own GPU alone
        if process >= torch.cuda.device_count():
            raise UserError(
                f"devices: a process for each CUDA device, and this machine has {torch.cuda.device_count()}: "
                "use fewer, or device=cpu"
            )
        name = f"cuda:{process}"
    elif process is not None:
        name = "cpu"
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise UserError(f"device={name}: this machine has {torch.cuda.device_count()} CUDA devices: use device=auto")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("device=mps: this machine has no Metal device: use device=auto")
    return device


def game_of(
    config: Config,
    library: Library,
    shape: tuple[int, ...],
    classes: int,
    device: torch.device,
    autocast: torch.dtype | None = None,
) -> Game:
    """The game of a config, its networks freshly initialised.

    Args:
        shape: the shape of one sample.
        classes: the number of labels that the networks see, or ``Columns`` of conditions.

    Raises:
        UserError: if its parts do not fit together.
    """
    model = library.build(MODEL, config.model)
    seed_all(config.seed, "init", device=torch.device("cpu"))  # for draws of your own model outside ``parts.network``
    return model.game(Parts(config, library, shape, classes, device, autocast))


def prior_of(game: Game, config: Config, library: Library) -> Latents:
    """What latents are drawn from: the prior of the config, unless the game has its own."""
    return game.latents if isinstance(game, OwnLatents) else library.build(PRIOR, config.prior)


def blank(config: Config, library: Library, shape: tuple[int, ...], classes: int) -> Game | None:
    """The game of a config without memory, on torch's meta device; None if a part of it cannot be made so.

    Raises:
        UserError: if its parts do not fit together, or are larger than a number can say.
    """
    try:
        with torch.device("meta"), Undrawn():
            return game_of(config, library, shape, classes, torch.device("meta"))
    except Exception as error:
        if own_parts(config, library):
            return None
        if "overflow" in str(error).lower():  # in the number of weights
            raise UserError(
                f"architecture={config.architecture.name}: its networks have more weights than can be counted: "
                "make its layers or prior.size smaller"
            ) from error
        if isinstance(error.__cause__, RuntimeError | NotImplementedError) and shortage(error.__cause__) is None:
            return None
        raise


def own_parts(config: Config, library: Library) -> list[str]:
    """The groups in which the config chooses a class of the user's own that takes part in a move."""
    chosen = {group: [config.one(group)] for group in ("model", "architecture", "loss", "prior")}
    chosen["penalty"] = list(config.penalty.values())
    return [group for group, choices in chosen.items() if any(library.has_own_class(group, c.name) for c in choices)]


def averaging(weights: Iterable[Tensor], device: torch.device) -> distributed.Averaging:
    """Averages a player's gradients over processes; on a GPU, which can send while it computes, during backward."""
    return distributed.Averaging(weights if device.type == "cuda" else ())


def label_count(config: Config, classes: int) -> int:
    """The number of labels that the networks see, or ``Columns`` of conditions: 0 unless the run is conditional.

    Args:
        classes: ``columns`` of the samples.

    Raises:
        UserError: if the run is conditional and the data has no labels.
    """
    if config.conditional and classes < 2 and not isinstance(classes, Columns):
        folders = isinstance(config.dataset, FolderOptions)
        give = "put each class into a folder of its own, two at least, or " if folders else ""
        raise UserError(
            f"conditional=true: dataset={config.dataset.name} has no labels here: {give}use conditional=false"
        )
    return classes if config.conditional else 0


def require_readable(config: Config, samples: Samples) -> None:
    """Refuses samples that a model is not for: points without levels, pictures at full depth, signals, categories.

    Raises:
        UserError: if its likelihood counts the levels of bytes, or is of pixels or points alone.
    """
    own = not config.model.heeds("architecture")  # networks, which are of pixels or points
    holds = {3: "pictures", 2: "signals"}.get(len(samples.shape), "points")
    if own and holds == "signals":
        raise UserError(
            f"model={config.model.name}: has no networks of signals, and dataset={config.dataset.name} holds signals: "
            "use model=gan or vae with architecture=dcgan1d"
        )
    if line := config.model.unreadable(config.dataset.name, holds):
        raise UserError(line)
    if own and (soft := [field.name for field in samples.fields if field.soft]):
        raise UserError(
            f"model={config.model.name}: is a density of numbers, and {soft[0]} is a category, or has cells without a "
            f"value: use model=gan, or leave it out: dataset.leave_out=[{','.join(soft)}]"
        )
    if samples.full_depth and config.model.reads in ("levels", "dequantised"):
        fix = "use dataset.depth=8" if "depth" in type(config.dataset).model_fields else "give it bytes"
        raise UserError(
            f"model={config.model.name}: its likelihood is of pictures of 256 levels, and "
            f"dataset={config.dataset.name} gives them at full depth: {fix}"
        )


def build(config: Config, library: Library, state: State | None = None, like: Loaded | None = None) -> Setup:
    """Loads the data and builds the game on the device.

    Args:
        state: the checkpoint that is continued, for its precision, the identity of its data, and how often the run has
            gone back.
        like: the data of another run, which are shared.

    Raises:
        UserError: if the data cannot be loaded or the parts do not fit together.
    """
    device = pick_device(config.device, distributed.local())
    precision = choose(config, device, state.get("precision") if state else None)
    set_precision(precision, device, config.deterministic)
    if device.type == "cpu":
        cpu.tune()
    if config.compile:
        require_compiler(device)
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
    require_readable(config, samples)
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
    drawn, known, fields = ema.network if ema else drawing, samples.known, samples.fields
    sampler = Sampler(drawn, prior, config, classes, device, samples.names, conditions=known, fields=fields)
    return Setup(
        config,
        device,
        precision,
        dataset,
        samples,
        minibatches,
        batch_sizes,
        game,
        players,
        ema,
        sampler,
        own_parts(config, library),
        optimizer,
        attempt,
    )


def players_of(
    game: Game,
    config: Config,
    library: Library,
    optimizer: MakesOptimizer,
    device: torch.device,
    *,
    scaled: bool,
    attempt: int = 0,
) -> list[Player]:
    """The players of a game, in the order in which they move.

    Args:
        optimizer: the options from which each player's optimizer is made.
        scaled: whether to scale the cost, so that float16 gradients do not underflow.
        attempt: how often the run has gone back to an earlier checkpoint; the guard may lower the rates each time.
    """
    batch_sizes = batch_sizes_of(game, config)
    schedule = by_step(library.build(SCHEDULE, config.schedule), batch_sizes)
    players = []
    hold_still(game, config.freeze)
    for name, network in game.networks.items():
        options = settings_of(game, name, config)
        lr = options.lr * config.slowed(attempt)
        weights = learning(name, network, config.freeze)
        made = optimizer_of(optimizer, f"optimizer={config.optimizer.name}", weights, lr)
        players.append(
            Player(
                name,
                network,
                game.opponents(name),
                made,
                lr=lr,
                schedule=schedule,
                steps=options.steps,
                options=changing(optimizer, batch_sizes),
                constrain=game.constraint(name),
                scaler=Scaler(made, device) if scaled else None,
                average=averaging(weights, device) if distributed.world() > 1 else None,
                learns=weights,
            )
        )
    return players
