"""From config to objects: networks, game, players, data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from gan_cli.config import Config
from gan_cli.data.minibatches import Minibatches
from gan_cli.data.samples import Samples
from gan_cli.ema import EMA
from gan_cli.errors import UserError
from gan_cli.game import Game, View
from gan_cli.library import Library
from gan_cli.player import Player
from gan_cli.random import seed_all
from gan_cli.sampler import Sampler


def pick_device(name: str) -> torch.device:
    """The device a config asks for.

    Raises:
        UserError: if this machine does not have it.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise UserError(f"device={name}: this machine has {torch.cuda.device_count()} CUDA devices: use device=auto")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("device=mps: this machine has no Metal device: use device=auto")
    return device


def set_precision(config: Config, device: torch.device) -> None:
    """Process-wide switches of torch for precision and determinism.

    Raises:
        UserError: if the device cannot compute in the asked precision.
    """
    if config.precision == "tf32" and device.type != "cuda":
        raise UserError(f"precision=tf32: is for CUDA devices, this run is on {device.type}: use fp32 or bf16")
    if config.precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise UserError("precision=bf16: this GPU does not compute in bf16: use fp32 or tf32")
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = config.precision == "tf32"
        torch.backends.cudnn.benchmark = not config.deterministic
    torch.use_deterministic_algorithms(config.deterministic)


@dataclass(frozen=True)
class Setup:
    """Everything of a run that is built from its config."""

    config: Config
    device: torch.device
    dataset: Any
    samples: Samples
    minibatches: Minibatches
    game: Game
    players: tuple[Player, Player]
    ema: EMA | None
    sampler: Sampler

    @property
    def images_per_step(self) -> int:
        """Real samples the discriminator sees in a step."""
        return self.config.batch_size * self.config.discriminator.steps


def networks(
    config: Config, library: Library, shape: tuple[int, ...], classes: int, device: torch.device
) -> tuple[nn.Module, nn.Module]:
    """G and D, initialised from the run's seed on the CPU, so that every device starts from the same weights.

    Raises:
        UserError: if the architecture refuses the shape.
    """
    architecture = library.build("architecture", config.architecture)
    made = []
    for name in ("generator", "discriminator"):
        seed_all(config.seed, "init", name, device=torch.device("cpu"))
        seen = (config.pack * shape[0], *shape[1:])  # D takes a pack of samples for one of more channels
        arguments = (config.prior.size, shape, classes) if name == "generator" else (seen, classes)  # type: ignore[attr-defined]
        try:
            network = getattr(architecture, name)(*arguments)
        except ValueError as error:
            raise UserError(f"architecture={config.architecture.name}: {error}") from error
        layout = torch.channels_last if len(shape) == 3 else torch.contiguous_format
        made.append(network.to(device, memory_format=layout).train())
    return made[0], made[1]


def label_count(config: Config, classes: int) -> int:
    """Labels the networks see: none unless the run is conditional.

    Raises:
        UserError: if it is and the data has none.
    """
    if config.conditional and classes < 2:
        raise UserError(f"conditional=true: dataset={config.dataset.name} has no labels here: use conditional=false")
    return classes if config.conditional else 0


def build(config: Config, library: Library, like: Setup | None = None) -> Setup:
    """Loads the data and builds the game on the device.

    Args:
        like: of another seed; its data are shared.

    Raises:
        UserError: if the data cannot be had or the parts do not fit together.
    """
    device = pick_device(config.device)
    set_precision(config, device)
    dataset = like.dataset if like else library.build("dataset", config.dataset)
    try:
        samples = like.samples if like else dataset.load()
    except ValueError as error:
        raise error if isinstance(error, UserError) else UserError(f"dataset={config.dataset.name}: {error}") from error
    classes = label_count(config, samples.classes)
    prior = library.build("prior", config.prior)
    loss = library.build("loss", config.loss)
    optimizer, schedule = library.build("optimizer", config.optimizer), library.build("schedule", config.schedule)

    generator, discriminator = networks(config, library, samples.shape, classes, device)
    ema = None
    if config.ema_half_life:
        ema = EMA(generator, config.ema_half_life, config.batch_size * config.discriminator.steps)
    if config.compile:
        generator.compile()  # unlike torch.compile(generator), keeps the names of the weights
        discriminator.compile()
    if getattr(loss, "generator_sees_features", False) and not hasattr(discriminator, "features"):
        raise UserError(f"loss={config.loss.name}: architecture={config.architecture.name} has no features to match")
    game = Game(
        generator,
        discriminator,
        loss,
        {name: library.build("penalty", choice) for name, choice in config.penalty.items()},
        View(
            sigma=config.instance_noise.sigma,
            noise_images=config.instance_noise.images,
            augment=config.augment,
            pack=config.pack,
        ),
        torch.bfloat16 if config.precision == "bf16" else None,
    )

    def player(name: str, network: nn.Module, opponent: nn.Module, cost: Any) -> Player:
        options = getattr(config, name)
        made = optimizer.build(network.parameters(), options.lr)
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
            options=getattr(optimizer, "at", None),
            constrain=constrain,
        )

    players = (
        player("discriminator", discriminator, generator, game.discriminator_cost),
        player("generator", generator, discriminator, game.generator_cost),
    )
    if like:
        minibatches = like.minibatches.seeded(config.seed)
    else:
        minibatches = Minibatches(samples, device, seed=config.seed, flip=getattr(dataset, "flip", False))
    if not config.conditional:
        minibatches.labels = None
    sampler = Sampler(ema.network if ema else generator, prior, config, classes, device)
    return Setup(config, device, dataset, samples, minibatches, game, players, ema, sampler)
