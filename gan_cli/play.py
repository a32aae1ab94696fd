"""The one way into the training loop with a built config: for runs, followers, gan-bench and the check of a GPU."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gan_cli.build import Setup
from gan_cli.capture import Eager
from gan_cli.distributed import alone
from gan_cli.train import Observer, train


def play(
    setup: Setup,
    steps: range,
    observers: Iterable[Observer] = (),
    recorder: Eager | None = None,
    minibatches: Any = None,
    prior: Any = None,
) -> None:
    """Trains for these steps; each observer is called by this process alone."""
    config = setup.config
    train(
        setup.players,
        minibatches or setup.minibatches,
        prior or setup.sampler.prior,
        setup.ema,
        [alone(observer) for observer in observers],
        batch_size=config.batch_size,
        steps=steps,
        updates=config.updates,
        seed=config.seed,
        device=setup.device,
        recorder=recorder,
    )
