"""From config to objects: networks, game, players, data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from gan_cli import cpu, distributed, fitting
from gan_cli.answers import optimizer_of
from gan_cli.asking import asked, kind, method
from gan_cli.compiler import require_compiler
from gan_cli.config import Config
from gan_cli.data.identity import trained_on
from gan_cli.data.minibatches import Minibatches
from gan_cli.data.reading import load
from gan_cli.data.samples import Samples
from gan_cli.ema import EMA
from gan_cli.errors import UserError
from gan_cli.game import Game, view_of
from gan_cli.library import Library
from gan_cli.losses.loss import said
from gan_cli.networks.sync_norm import synchronise
from gan_cli.player import Player
from gan_cli.precision import AUTOCAST, choose, set_precision
from gan_cli.random import seed_all
from gan_cli.sampler import Sampler
from gan_cli.scaler import Scaler


def pick_device(name: str, process: int | None = None) -> torch.device:
    """The device a config asks for.

    Args:
        process: which of this machine's processes asks, if each is to have a device of its own.

    Raises:
        UserError: if this machine does not have it.
    """
    if process is not None and name != "cpu" and (name == "cuda" or torch.cuda.is_available()):
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


@dataclass(frozen=True)
class Setup:
    """Everything of a run that is built from its config."""

    config: Config
    device: torch.device
    precision: str  # that of the config, or the one chosen for precision=auto
    dataset: Any
    samples: Samples
    minibatches: Minibatches
    game: Game
    players: tuple[Player, Player]
    ema: EMA | None
    sampler: Sampler
    optimizer: Any  # the options that make one

    @property
    def images_per_step(self) -> int:
        """Real samples the discriminator sees in a step."""
        return self.config.batch_size * self.config.discriminator.steps


def networks(
    config: Config, library: Library, shape: tuple[int, ...], classes: int, device: torch.device
) -> tuple[nn.Module, nn.Module]:
    """G and D, initialised from the run's seed on the CPU, so that every device starts from the same weights.

    Raises:
        UserError: if the architecture refuses the shape, or makes no networks.
    """
    architecture, who = library.build("architecture", config.architecture), f"architecture={config.architecture.name}"
    latent = getattr(config.prior, "size", None)
    if not isinstance(latent, int):
        raise UserError(f"prior={config.prior.name}: needs the option `size`, how many numbers a latent has")
    made = []
    for name in ("generator", "discriminator"):
        seed_all(config.seed, "init", name, device=torch.device("cpu"))
        seen = (config.pack * shape[0], *shape[1:])  # D takes a pack of samples for one of more channels
        arguments = (latent, shape, classes) if name == "generator" else (seen, classes)
        wanted = "latent, shape, classes" if name == "generator" else "shape, classes"
        build = method(architecture, who, name, wanted, *arguments)
        with asked(f"{who}: {name}({wanted})"):
            try:
                network: Any = build(*arguments)
            except ValueError as error:
                raise UserError(f"{who}: {error}") from error
        if not isinstance(network, nn.Module):
            raise UserError(f"{who}: {name}() returned {kind(network)}: return a torch.nn.Module")
        weights = list(network.parameters())
        if not weights:
            raise UserError(f"{who}: the {name} has no weights to learn")
        if any(isinstance(weight, nn.parameter.UninitializedParameter) for weight in weights):
            raise UserError(
                f"{who}: the {name} has lazy layers, whose size is not known: say how many inputs they have"
            )
        layout = torch.channels_last if len(shape) == 3 else torch.contiguous_format
        made.append(network.to(device).to(memory_format=layout).train())
    return made[0], made[1]


def averaging(network: nn.Module, device: torch.device) -> distributed.Averaging:
    """Of a player's gradients; on a GPU, which can send while it computes, they set out early."""
    return distributed.Averaging(network.parameters() if device.type == "cuda" else ())


def label_count(config: Config, classes: int) -> int:
    """Labels the networks see: none unless the run is conditional.

    Raises:
        UserError: if it is and the data has none.
    """
    if config.conditional and classes < 2:
        raise UserError(f"conditional=true: dataset={config.dataset.name} has no labels here: use conditional=false")
    return classes if config.conditional else 0


def build(config: Config, library: Library, state: Mapping[str, Any] | None = None, like: Setup | None = None) -> Setup:
    """Loads the data and builds the game on the device.

    Args:
        state: of the checkpoint that is continued: the precision it has computed in, and what its data were.
        like: of another seed; its data are shared.

    Raises:
        UserError: if the data cannot be had or the parts do not fit together.
    """
    device = pick_device(config.device, distributed.local())
    precision = choose(config, device, state.get("precision") if state else None)
    set_precision(precision, device, config.deterministic)
    if device.type == "cpu":
        cpu.tune()
    if config.compile:
        require_compiler(device)
    dataset = like.dataset if like else library.build("dataset", config.dataset)
    with distributed.first_of_machine():
        if like:
            samples = like.samples
        else:
            name = config.dataset.name
            samples = trained_on(dataset, name, state["data"]) if state else load(dataset, name)
    setup = assemble(config, library, device, precision, dataset, samples, like)
    if not like:
        fitting.check(setup)
    if config.compile:
        for network in (setup.game.generator, setup.game.discriminator):
            network.compile()  # unlike torch.compile(network), keeps the names of the weights
    return setup


def assemble(
    config: Config,
    library: Library,
    device: torch.device,
    precision: str,
    dataset: Any,
    samples: Samples,
    like: Setup | None = None,
) -> Setup:
    """The game around samples that are there; else as ``build``."""
    classes = label_count(config, samples.classes)
    prior = library.build("prior", config.prior)
    loss = library.build("loss", config.loss)
    optimizer, schedule = library.build("optimizer", config.optimizer), library.build("schedule", config.schedule)

    generator, discriminator = networks(config, library, samples.shape, classes, device)
    if config.sync_batchnorm and distributed.world() > 1:
        synchronise(generator)
        synchronise(discriminator)
    ema = None
    if config.ema_half_life:
        ema = EMA(generator, config.ema_half_life, config.batch_size * config.discriminator.steps)
    if said(loss, "generator_sees_features") and not hasattr(discriminator, "features"):
        raise UserError(f"loss={config.loss.name}: architecture={config.architecture.name} has no features to match")
    game = Game(
        generator,
        discriminator,
        loss,
        {name: library.build("penalty", choice) for name, choice in config.penalty.items()},
        view_of(config),
        AUTOCAST.get(precision),
        reuse=config.reuse_fakes,
    )

    def player(name: str, network: nn.Module, opponent: nn.Module, cost: Any, strengths: Any) -> Player:
        options = getattr(config, name)
        made = optimizer_of(optimizer, f"optimizer={config.optimizer.name}", network.parameters(), options.lr)
        constrain = getattr(loss, "constrain", None) if name == "discriminator" else None
        return Player(
            name,
            network,
            opponent,
            cost,
            made,
            lr=options.lr,
            schedule=schedule,
            steps=options.steps,
            strengths=strengths,
            options=getattr(optimizer, "at", None),
            constrain=constrain,
            scaler=Scaler(made, device) if precision == "fp16" else None,
            average=averaging(network, device) if distributed.world() > 1 else None,
            freezes=name == "generator" or not config.reuse_fakes,
        )

    players = (
        player("discriminator", discriminator, generator, game.discriminator_cost, game.discriminator_strengths),
        player("generator", generator, discriminator, game.generator_cost, game.generator_strengths),
    )
    if like:
        minibatches = like.minibatches.seeded(config.seed)
    else:
        minibatches = Minibatches(samples, device, seed=config.seed, flip=getattr(dataset, "flip", False))
    if not config.conditional:
        minibatches.labels = None
    sampler = Sampler(ema.network if ema else generator, prior, config, classes, device, samples.names)
    return Setup(config, device, precision, dataset, samples, minibatches, game, players, ema, sampler, optimizer)
