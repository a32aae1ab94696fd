"""How much faster many seeds are together than one after another.

    python -m gan_cli.bench.ensemble experiment=ring ensemble=32

Both kinds of training take turns, a few steps each, so that what else the machine does falls on both; with one thread
the processor's time is taken, which others do not add to. Printed are milliseconds for each seed and step, together
and alone (medians over the turns), and their ratio.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch

from gan_cli.commands.bench.contender import advance
from gan_cli.config.command import Command
from gan_cli.config.draft import check
from gan_cli.config.library import Library
from gan_cli.config.schema import Config, validate
from gan_cli.ensemble.train import Ensemble
from gan_cli.output.text import printable
from gan_cli.runs.ensemble_folder import config_of_member
from gan_cli.training.build import build
from gan_cli.training.devices import synchronize

TURNS, STEPS = 9, 12  # turns of each way, one after the other, and the steps of each turn


def together_and_alone(config: Config, library: Library) -> tuple[float, float]:
    """Milliseconds for each seed and step: of the ensemble, and of a run of its first seed alone."""
    alone = build(config_of_member(config, config.seed), library)
    members = [build(config_of_member(config, seed), library, like=alone.loaded) for seed in config.seeds]
    ensemble = Ensemble(members, library, compile=config.compile)

    def train_alone(steps: range) -> None:
        advance(alone, steps)

    def train_together(steps: range) -> None:
        ensemble.train(steps, ())

    on_one_thread = alone.device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if on_one_thread else time.perf_counter
    taken: dict[Callable[[range], None], list[float]] = {train_together: [], train_alone: []}
    for turn in range(-1, TURNS):  # the first warms up
        for way, seconds in taken.items():
            began = clock()
            way(range(1 + (turn + 1) * STEPS, 1 + (turn + 2) * STEPS))
            synchronize(alone.device)
            if turn >= 0:
                seconds.append(clock() - began)
    together, one = (1000 * median(seconds) / STEPS for seconds in taken.values())
    return together / config.ensemble, one


def main(argv: list[str]) -> None:
    library = Library()
    config = check(Command.parse(argv), library, validate)
    together, alone = together_and_alone(config, library)
    print(
        f"{printable(' '.join(argv))}  ({torch.get_num_threads()} threads): "
        f"{together:.3f} ms together, {alone:.3f} ms alone: ×{alone / together:.1f}"
    )
