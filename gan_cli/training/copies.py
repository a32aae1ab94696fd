"""What is tried of a run without it: networks by copies of them, its prior, its schedule and its optimizer."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gan_cli.config.asking import asked, kind, method
from gan_cli.config.options import sizes_of
from gan_cli.config.schema import Config
from gan_cli.errors import UserError
from gan_cli.games.parts import latent_size, made_by
from gan_cli.models.conditioning import TellsLabels
from gan_cli.models.priors import Latents, Prior
from gan_cli.random import stream
from gan_cli.training.answers import AskedDiscriminator, AskedGenerator, number, optimizer_of
from gan_cli.training.player import Player
from gan_cli.training.ranges import check_labels, check_logits, check_pixels

if TYPE_CHECKING:
    from gan_cli.training.setup import Setup


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


def check_descent(setup: Setup, network: nn.Module, player: Player) -> None:
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


def _too_few(config: Config) -> str:
    """The error message for batch norm over a single sample."""
    parts = {"batch_size": min(sizes_of(config.batch_size)), "devices": config.devices, "pack": config.pack}
    parts["accumulate"] = config.accumulate
    keys = " ".join(f"{key}={value}" for key, value in parts.items() if value > 1 or key == "batch_size")
    return f"{keys}: leaves batch norm a single sample: use a larger batch_size, or another norm than batch"
