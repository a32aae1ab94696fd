"""What a process does that trains a run together with the first one, which alone observes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gan_cli.algorithm import play
from gan_cli.config.library import Library
from gan_cli.config.schema import Config
from gan_cli.data.reading import TRAINED_ON, still
from gan_cli.distributed import from_first
from gan_cli.errors import WentBack
from gan_cli.games.game import Statistics
from gan_cli.metrics.evaluation import decoded_batches, labels_asked
from gan_cli.runs.checkpoint import file_of, load
from gan_cli.runs.guard.looks import is_looked_at
from gan_cli.runs.guard.policies import GUARD
from gan_cli.runs.observers.evaluations import due
from gan_cli.runs.resume import Resumption
from gan_cli.runs.start import begin
from gan_cli.training.budget import enough
from gan_cli.training.build import build
from gan_cli.training.setup import Setup
from gan_cli.training.state import restore


def follow(config: Config, library: Library, folder: Path, resumption: Resumption | None = None) -> None:
    """Trains in every process but the first, without observers; takes part in the work of evaluations.

    If the first process goes back to an earlier checkpoint, all do.

    Raises:
        UserError: if the config or the data is wrong.
    """
    if resumption and resumption.over:
        return None
    state, loaded, again = resumption.state if resumption else None, None, None
    returns = library.build(GUARD, config.guard).attempts
    while True:
        with enough(config):
            setup = build(config, library, state, loaded)
        start = restore(setup, state) if state else 0
        if not state:
            begin(setup, library)

        def share(step: int, statistics: Sequence[Statistics], setup: Setup = setup) -> None:
            if config.metrics and due(config, step) and from_first(None, setup.device):  # whether samples are judged
                of = config.evaluate_count, config.seed
                deep = still(setup.dataset, setup.samples.take(np.arange(1)), TRAINED_ON).full_depth  # as of all
                labels = labels_asked(setup.sampler, *of, setup.samples)
                decoded_batches(setup.sampler, *of, labels, full_depth=deep)
            if returns and is_looked_at(config, step):
                back = from_first(None, setup.device)
                if back is not None:
                    raise WentBack(folder / "checkpoints" / file_of(back))

        try:
            with enough(config):
                return play(setup, range(start + 1, config.steps + 1), [share])
        except WentBack as back:
            again = back.checkpoint
        state, loaded = load(again), setup.loaded
        del setup, share  # its networks make room for those that are built anew
