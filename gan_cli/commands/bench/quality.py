"""Times variants until what they draw is good enough: seconds of training to a measured value, over several seeds."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import torch

from gan_cli.commands.bench.entrants import Entrant
from gan_cli.commands.bench.peer import Peer, PeerCommand
from gan_cli.commands.bench.quality_table import show
from gan_cli.commands.bench.table import Row
from gan_cli.commands.bench.trial import Trial
from gan_cli.commands.bench.turns import machine, write
from gan_cli.commands.bench.until import Goal
from gan_cli.commands.bench.variants import Variant
from gan_cli.config.library import Library
from gan_cli.errors import UserError
from gan_cli.output import screen
from gan_cli.training.devices import pick_device
from gan_cli.training.setup import Loaded


def run(
    variants: Sequence[Variant],
    goals: Sequence[Goal],
    library: Library,
    peers: Sequence[PeerCommand],
    *,
    seeds: int,
    seconds: float,
    out: Path | None,
) -> None:
    """Trains every variant with every seed until its goals hold, in turns: from evaluation to evaluation.

    Args:
        peers: other programs' scripts; the game of the first is the first variant, and so on. Each is timed for
            ``seconds`` after each turn of its game, and takes the game's steps at its own seconds per batch.

    Raises:
        UserError: if a variant cannot be measured, a peer does not run, or the file cannot be written.
    """
    require_same_batches(variants, peers)
    logging.basicConfig(level=logging.INFO, handlers=[screen.handler()])  # it takes long, and each evaluation is a line
    gpu = any(pick_device(variant.config.device).type == "cuda" for variant in variants)
    ours = [Entrant(variant.name, goals, facts_of(variant)) for variant in variants]
    loaded: list[Loaded | None] = [None] * len(variants)
    with ExitStack() as stack:
        theirs = []
        for command, variant in zip(peers, variants, strict=False):
            peer = stack.enter_context(Peer(command, threads=torch.get_num_threads(), gpu=gpu))
            facts = {"peer": str(command.script), "arguments": command.arguments, "game": variant.name}
            theirs.append(Entrant(peer.name, goals, {**facts_of(variant), **facts}, peer))
        for turn in range(seeds):
            trials = [
                Trial(variant, variant.config.seed + turn, goals, library, like)
                for variant, like in zip(variants, loaded, strict=True)
            ]
            race(trials, theirs, seconds)
            for entrants in (theirs, ours):
                for entrant, trial in zip(entrants, trials, strict=False):
                    entrant.add(trial)
            loaded, device = [trial.setup.loaded for trial in trials], trials[0].setup.device
            del trials, trial  # before there are those of the next seed
            rows = [entrant.row() for entrant in (*theirs, *ours)]
            result = {**machine(device), "seeds": turn + 1, "seconds": seconds, "rows": rows}
            if out:  # after each seed, so that none of them is lost
                write(result, out)
    show(result)


def require_same_batches(variants: Sequence[Variant], peers: Sequence[PeerCommand]) -> None:
    """Raises a UserError if a peer has no game here, or takes batches of another size than its game."""
    if len(peers) > len(variants):
        raise UserError(f"--peer {peers[-1].name}: of which game? The first --peer is of the first variant, and so on")
    problems = [
        f"--peer {peer.name}: trains with batches of {peer.batch}, and its game, {variant.name}, with "
        f"{variant.config.batch_size}: give both the same"
        for peer, variant in zip(peers, variants, strict=False)
        if peer.batch != variant.config.batch_size
    ]
    if problems:
        raise UserError(*problems)


def race(trials: Sequence[Trial], theirs: Sequence[Entrant], seconds: float) -> None:
    """Trains all of them, in turns, until each is over; a peer is timed after each turn of its game."""
    for entrant in theirs:
        entrant.time(seconds)
    turns = sum(math.ceil(trial.config.steps / trial.every) for trial in trials)
    with screen.progress(f"seed {trials[0].config.seed}", turns) as advance:
        while any(not trial.over for trial in trials):
            for place, trial in enumerate(trials):
                if trial.over:
                    continue
                trial.turn()
                for entrant in theirs[place : place + 1]:
                    entrant.time(seconds)
                advance()


def facts_of(variant: Variant) -> Row:
    """When it is measured, and by how many samples."""
    config = variant.config
    return {
        "steps": config.steps,
        "evaluate_every": config.evaluate_every,
        "evaluate_count": config.evaluate_count,
        "config": config.saved(),
    }
