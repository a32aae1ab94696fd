"""What a game needs at least, looked at before anything of it is allocated."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

import torch
from torch import Tensor, nn

from gan_cli import distributed, memory
from gan_cli.config.batch_sizes import BatchSizes
from gan_cli.config.options import sizes_of
from gan_cli.config.schema import Config
from gan_cli.games.adversarial import AdversarialGame
from gan_cli.games.game import Game, parameters_of
from gan_cli.games.parts import made_by
from gan_cli.models.labels import blank_labels
from gan_cli.training.freezing import learning

FLOAT = 4  # bytes
ASKED_FROM = 2**22  # numbers in a minibatch: asking imports torch's compiler, which takes a second


def enough(config: Config) -> AbstractContextManager[None]:
    """A context in which what a run trains with is the reason if memory runs out."""
    return memory.enough(f"batch_size={BatchSizes(config.batch_size).largest}", less_memory(config))


def less_memory(config: Config) -> str:
    """What to set for a run that takes less memory: first what does not change the game."""
    sizes, share, ways = sizes_of(config.batch_size), config.devices * config.pack, []
    if not config.ensemble:
        more = next(
            (n for n in range(2 * config.accumulate, max(sizes) + 1) if not any(s % (n * share) for s in sizes)), 0
        )
        unlike = config.reuse_fakes or config.model.name in ("rbm", "dbm")
        ways += [f"accumulate={more}"] if more and not unlike else []
        ways += ["activation_checkpointing=true"] if not (config.activation_checkpointing or config.compile) else []
    ways += ["a smaller batch_size", "smaller networks"]
    ways += ["fewer seeds (ensemble)"] if config.ensemble else []
    ways += ["precision=bf16"] if config.precision in ("fp32", "tf32") and not config.ensemble else []
    return f"use {', '.join(ways[:-1])} or {ways[-1]}"


def require_networks(config: Config, game: Game, device: torch.device, copies: float = 1.0) -> None:
    """Refuses networks that cannot fit.

    Args:
        game: as it is on the meta device.
        copies: of each weight that is learnt, as it takes to train it.

    Raises:
        UserError: naming the largest one.
    """
    sizes = parameters_of(game)
    learnt = sum(w.numel() for name, network in game.networks.items() for w in learning(name, network, config.freeze))
    largest = max(sizes, key=sizes.__getitem__)
    fix = "make its layers or prior.size smaller"
    memory.require(
        FLOAT * (sum(sizes.values()) + (copies - 1) * learnt),
        f"{made_by(config)}: its {largest} of {sizes[largest]:,} weights",
        fix,
        device,
    )


def require_training(config: Config, game: Game, shape: tuple[int, ...], classes: int, device: torch.device) -> None:
    """Refuses a run whose weights, minibatch, sample grid or evaluations cannot fit.

    Args:
        game: as it is on the meta device.
        shape: of one sample.
        classes: the number of labels that the networks see, or ``Columns`` of conditions.

    Raises:
        UserError: naming the key that asks for too much.
    """
    moments = 2 if "betas" in config.optimizer.model_dump() else 0
    require_networks(config, game, device, max(1, config.ensemble) * (2 + moments))  # with their gradients
    size, numbers = BatchSizes(config.batch_size).largest, math.prod(shape)
    here = size // (config.devices if device.type == "cuda" or distributed.world() > 1 else 1)
    here //= config.accumulate
    memory.require(
        FLOAT * max(1, config.ensemble) * _held(config, game, here, shape, classes),
        f"batch_size={size}",
        less_memory(config),
        device,
    )
    memory.require(
        2 * FLOAT * config.sample_count * numbers, f"sample_count={config.sample_count}", "use a smaller one"
    )
    if config.metrics:
        count = config.evaluate_count
        memory.require(FLOAT * count * numbers, f"evaluate_count={count}", "use a smaller one")


def _held(config: Config, game: Game, size: int, shape: tuple[int, ...], classes: int) -> int:
    """Numbers that a move holds at once, of those that can be counted: samples, latents, what backward looks at."""
    latent = config.prior.model_dump().get("size", 0)
    total = size * (math.prod(shape) + latent)
    if config.activation_checkpointing or not isinstance(game, AdversarialGame) or size * math.prod(shape) < ASKED_FROM:
        return total
    judged: list[int] = []
    made: list[int] = []
    for network, outputs in ((game.discriminator, judged), (game.generator, made)):
        for module in network.modules():
            if not list(module.children()) and not vars(module).get("inplace"):
                module.register_forward_hook(_noting(outputs))
    with suppress(Exception), torch.device("meta"):  # what cannot be asked in this way is not counted
        labels = blank_labels(classes, size)
        fake = game.generator(torch.zeros(size, latent), labels)
        packs = fake.reshape(size // config.pack, config.pack * shape[0], *shape[1:])
        game.discriminator(packs, labels)
    d = size * math.prod(shape) + 2 * sum(judged)  # D sees samples beside data
    g = sum(made) + sum(judged)
    return total + max(d, g) + max((*judged, *made), default=0)  # and the gradient of the largest


def _noting(outputs: list[int]) -> Callable[[nn.Module, object, object], None]:
    def note(module: nn.Module, arguments: object, output: object) -> None:
        if isinstance(output, Tensor):
            outputs.append(output.numel())

    return note
