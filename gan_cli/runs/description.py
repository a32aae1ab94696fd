"""What is said of a run before its first step."""

from __future__ import annotations

import torch

from gan_cli.distributed import world
from gan_cli.games.game import Judges, parameters_of
from gan_cli.training.freezing import told as frozen
from gan_cli.training.in_parts import told as in_parts
from gan_cli.training.setup import Setup

FEW = 5000  # pictures, of which a discriminator may learn each by heart within hours (Karras et al. 2020, figure 1)


def opening(setup: Setup) -> list[str]:
    """The lines at the opening of a run: what it is, what of it stays as it is, and what may be amiss."""
    lines = [describe(setup), *frozen(setup.game, setup.config.freeze), *in_parts(setup)]
    if told := setup.samples.told():
        lines.append(f"classes: {told}")
    return lines + ([advice] if (advice := by_heart(setup)) else [])


def by_heart(setup: Setup) -> str | None:
    """What to do where pictures are so few that D may learn them by heart; None where they are not, or it is done."""
    game, count = setup.game, len(setup.samples)
    if not isinstance(game, Judges) or len(setup.samples.shape) != 3 or count >= FEW or game.view.augment:
        return None
    if "augment" not in setup.config.model.uses:
        return None
    return (
        f"{count:,} pictures are few enough for D to learn by heart: augment=[blit,geometric,ada_color] "
        "augmentation.target=0.6 keeps it from that, or augment=[color,translation,cutout]"
    )


def describe(setup: Setup) -> str:
    """One line about the networks, the data and the device."""
    config = setup.config
    sizes = [f"{count:,}" for count in reversed(parameters_of(setup.game).values())]  # G first
    shape = "×".join(str(n) for n in setup.samples.shape)
    where = torch.cuda.get_device_name(setup.device) if setup.device.type == "cuda" else f"{setup.device.type}"
    if setup.device.type == "cpu":
        where += f" ({torch.get_num_threads()} threads)"
    if (processes := world()) > 1:
        where = f"{processes} processes, each on {where}"
    model, uses = config.model.name, config.model.uses
    made = f"{model} of {config.architecture.name}" if "architecture" in uses else model
    return (
        f"{config.architecture.name if model == 'gan' else made} ({' + '.join(sizes)} weights), "
        f"{config.loss.name + ', ' if 'loss' in uses else ''}"
        f"{len(setup.samples):,} {config.dataset.name} of {shape}, batch {config.batch_size}, "
        f"on {where}, {setup.precision}"
    )
