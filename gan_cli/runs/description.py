"""What is said of a run before its first step."""

from __future__ import annotations

import torch

from gan_cli.distributed import world
from gan_cli.games.game import Judges, parameters_of
from gan_cli.training.freezing import told as frozen
from gan_cli.training.in_parts import told as in_parts
from gan_cli.training.setup import Setup

FEW = 5000  # pictures, of which a discriminator may learn each by heart within hours (Karras et al. 2020, figure 1)
VERY_FEW = 100  # the smallest sets that have been learnt from nothing (Zhao et al. 2020, section 4.3)


def opening(setup: Setup) -> list[str]:
    """The lines at the opening of a run: what it is, what of it stays as it is, and what may be amiss."""
    lines = [describe(setup), *frozen(setup.game, setup.config.freeze), *in_parts(setup)]
    if told := setup.samples.told():
        lines.append(f"classes: {told}")
    return lines + advice(setup, len(setup.samples))


def advice(setup: Setup, count: int | None) -> list[str]:
    """What may be amiss with a run, and what to set.

    Args:
        count: the samples that it trains on, as far as they are known.
    """
    few = None if count is None else very_few(setup, count) or by_heart(setup, count)
    return [few] if few else []


def very_few(setup: Setup, count: int) -> str | None:
    """Of so few pictures that samples become copies of them, whatever is done to keep D from it; None of more."""
    config = setup.config
    if len(setup.samples.shape) != 3 or count >= VERY_FEW:
        return None
    said, them = (f"{count} pictures are", "them") if count > 1 else ("1 picture is", "it")
    line = f"{said} very few: expect copies of {them} at best: "
    freeze = [] if config.freeze or not isinstance(setup.game, Judges) else ["freeze=discriminator:3"]
    if not config.start:
        line += f"begin from a run on more pictures of the kind ({' '.join(['start=RUN', *freeze])}), "
    elif freeze:
        line += f"hold D back ({freeze[0]}), "
    return f"{line}give a hundred and more, or look at each grid and stop early"


def by_heart(setup: Setup, count: int) -> str | None:
    """What to do where pictures are so few that D may learn them by heart; None where they are not, or it is done."""
    game = setup.game
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
        f"{len(setup.samples):,} {config.dataset.name} of {shape}{' with labels' if config.conditional else ''}, "
        f"batch {config.batch_size}, "
        f"on {where}, {setup.precision}"
    )
