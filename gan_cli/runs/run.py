"""One run, from an empty or half-filled folder to its last checkpoint."""

from __future__ import annotations

from pathlib import Path

from gan_cli.config.library import Library
from gan_cli.config.schema import Config
from gan_cli.errors import WentBack
from gan_cli.output import screen
from gan_cli.runs.checkpoint import load
from gan_cli.runs.folder import RunFolder
from gan_cli.runs.observers.pruning import Pruner
from gan_cli.runs.resume import Resumption
from gan_cli.runs.room import needed, require
from gan_cli.runs.running import Running


def run(
    config: Config,
    library: Library,
    path: Path,
    resumption: Resumption | None = None,
    *,
    live: bool = True,
    pruner: Pruner | None = None,
) -> float | None:
    """Trains as the config says and leaves everything in the run folder ``path``.

    Args:
        resumption: the checkpoint to continue, else a fresh start.
        live: show a live line if there is a terminal; False inside a sweep.
        pruner: may end the run after an evaluation, if other runs of its search are better.

    Returns:
        The best value of the watched metric, if one is watched: what a sweeper optimises.

    Raises:
        UserError: if the config or the data is wrong, or the folder cannot be written.
        Diverged: if training goes wrong and the guard stops it.
        Interrupted: after SIGINT, SIGTERM or SIGHUP, with everything saved.
    """
    folder, live, loaded = RunFolder(path), live and screen.interactive(), None
    folder.open()
    try:
        while True:
            made = Running(config, library, folder, resumption, live=live, pruner=pruner, like=loaded)
            if loaded is None:
                require(needed(made.setup), path, config.keep_checkpoints)
            with made.loggers:
                try:
                    return made.finish()
                except WentBack as back:
                    again = back.checkpoint
            loaded, resumption = made.setup.loaded, Resumption(folder.path, again, load(again), config)
            del made  # its networks and recordings make room for those that are built anew
    finally:
        folder.close()
