"""What is said of a run before its first step."""

from __future__ import annotations

from bisect import bisect_left

import torch

from gan_cli.config.schema import Config
from gan_cli.config.schema import advice as advice_on
from gan_cli.distributed import world
from gan_cli.games.game import Judges, LearnsLabels, parameters_of
from gan_cli.training.freezing import told as frozen
from gan_cli.training.in_parts import told as in_parts
from gan_cli.training.setup import Setup

SHORT, NOTHING = 20, 1e-3  # steps of a run that is no more than tried out; a share of the rate
FEW = 5000  # pictures, of which a discriminator may learn each by heart within hours (Karras et al. 2020, figure 1)
VERY_FEW = 100  # the smallest sets that have been learnt from nothing (Zhao et al. 2020, section 4.3)


def opening(setup: Setup) -> list[str]:
    """The lines at the opening of a run: what it is, what of it stays as it is, and what may be amiss."""
    lines = [describe(setup), *frozen(setup.game, setup.config.freeze), *in_parts(setup)]
    if told := setup.samples.told():
        lines.append(told)
    if isinstance(setup.game, LearnsLabels):
        lines.append(setup.game.told(setup.samples))
    return lines + advice(setup, len(setup.samples))


def advice(setup: Setup, count: int | None) -> list[str]:
    """What may be amiss with a run, and what to set.

    Args:
        count: the samples that it trains on, as far as they are known.
    """
    few = None if count is None else very_few(setup, count) or by_heart(setup, count)
    return [*advice_on(setup.config), *(line for line in (few, at_rest(setup)) if line)]


def at_rest(setup: Setup) -> str | None:
    """What to do where the rate is next to nothing long before the end; None where it is not."""
    config, steps = setup.config, setup.config.steps
    schedule = setup.players[0].schedule
    if steps < SHORT or not schedule(steps // 10 * 9) <= NOTHING:
        return None
    last = max((step for step in range(1, steps, max(1, steps // 64)) if schedule(step) > NOTHING), default=1)
    first = bisect_left(range(steps), True, lo=last, key=lambda step: schedule(step) <= NOTHING)
    options = config.schedule.model_dump()
    lengths = [f"schedule.{key}={options[key]:g}" for key in ("half_life", "start", "duration") if options.get(key)]
    told = f" ({' '.join(lengths)} {options.get('unit', 'steps')})" if lengths else ""
    return (
        f"schedule={config.schedule.name}: from step {first:,} of {steps:,} on, the rate is below a thousandth of "
        f"itself{told}, and nothing is learnt: make it longer, set schedule.final, or train fewer steps"
    )


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
    if not setup.config.model.heeds("augment"):
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
    where = place_of(setup.device)
    if (processes := world()) > 1:
        where = f"{processes} processes, each on {where}"
    return (
        f"{made_of(config)} ({' + '.join(sizes)} weights), "
        f"{config.loss.name + ', ' if config.model.heeds('loss') else ''}"
        f"{len(setup.samples):,} {config.dataset.name} of {shape}{' with labels' if config.conditional else ''}, "
        f"batch {config.batch_size}, "
        f"on {where}, {setup.precision}"
    )


def place_of(device: torch.device) -> str:
    """A device in words: ``cpu (2 threads)``, or the name of a GPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"cpu ({threads} thread{'s' * (threads > 1)})" if device.type == "cpu" else device.type


def made_of(config: Config) -> str:
    """The networks in words: ``dcgan``, ``vae of mlp``, ``made``."""
    model, architecture = config.model.name, config.architecture.name
    if not config.model.heeds("architecture"):
        return model
    return architecture if model == "gan" else f"{model} of {architecture}"
