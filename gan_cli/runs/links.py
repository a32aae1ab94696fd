"""Links in a run folder. The folder may be one, and lie behind others; what a run writes stays inside it."""

from __future__ import annotations

import os
from pathlib import Path

from gan_cli.errors import UserError

LINKING = ("wandb",)  # whose program links its own logs to its cache
REPLACED = ("checkpoints", "samples", "abandoned")  # a file in these is renamed over or deleted, never written into


def require_own(folder: Path) -> None:
    """Refuses to go on in a folder whose parts lead out of it: another's files would be written, or deleted.

    Raises:
        UserError: that names the first of them.
    """
    home = folder.resolve()
    for place, folders, files in os.walk(folder):
        if Path(place).name in LINKING:
            folders.clear()
            continue
        for name in sorted((*folders, *files)):
            path = Path(place, name)
            if path.is_symlink() and leads_out(path, home) and not _is_replaced(path, folder):
                raise UserError(
                    f"resume={folder}: {path.relative_to(folder)} is a link out of the run folder, to "
                    f"{path.readlink()}: move what it leads to there; the run folder itself may be a link"
                )


def leads_out(path: Path, home: Path) -> bool:
    """Whether a link, or what it leads to, is not below ``home``, or leads nowhere that can be told."""
    try:
        return not path.resolve().is_relative_to(home)
    except (OSError, RuntimeError):  # in a circle
        return True


def _is_replaced(path: Path, folder: Path) -> bool:
    shown = path.is_file() and not path.name.startswith(".")  # what is half written has a dot
    return shown and any(part in REPLACED for part in path.relative_to(folder).parts[:-1])
