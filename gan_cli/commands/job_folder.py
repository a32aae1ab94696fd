"""The run folder that Hydra makes for a job."""

from __future__ import annotations

import logging
from pathlib import Path

from gan_cli.runs.status import FILE as STATUS


def output_dir() -> Path:
    """The run folder of Hydra's job, relative to the current folder if it lies below it."""
    from hydra.core.hydra_config import HydraConfig

    path = Path(HydraConfig.get().runtime.output_dir)
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def discard(path: Path) -> None:
    """Removes the folder of a command that failed before anything was trained."""
    from gan_cli.runs.folder import RunFolder

    for handler in list(logging.getLogger().handlers):
        if isinstance(handler, logging.FileHandler):
            handler.close()
            logging.getLogger().removeHandler(handler)
    RunFolder(path).discard()


def stamp(folder: Path) -> tuple[int, int] | None:
    """What changes when a run writes how it stands."""
    try:
        found = (folder / STATUS).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
