"""``dataset.rules=1``: how the first versions read a folder, so that their runs find the same pictures.

Links to folders were not followed, names that begin with ``_`` were left out, classes were numbered in the order of
their names as text, and only classes with a picture in the run were numbered.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from PIL import Image

from gan_cli.data import archive
from gan_cli.data.finding import is_run
from gan_cli.data.listing import RUNS, File, Listing


def listed(source: Path) -> Listing:
    """The pictures of a folder or a zip, without the output of later runs in it."""
    listing = Listing()
    if source.is_dir():
        runs = [mark.parent for mark in source.rglob("status.json") if is_run([p.name for p in mark.parent.iterdir()])]
        runs = [run for run in runs if run != source]
        listing.passed.update({RUNS: [run.relative_to(source).as_posix() for run in runs]} if runs else {})
        found = [
            File(path.relative_to(source).as_posix(), path.stat().st_size, path.stat().st_mtime_ns)
            for path in source.rglob("*")
            if path.is_file() and not any(run in path.parents for run in runs)
        ]
    else:
        with archive.opened(source) as packed:
            listing.entries = {member.filename: member for member in packed.infolist()}
        found = [File(name, member.file_size, member.CRC) for name, member in listing.entries.items()]
    endings = tuple(Image.registered_extensions())
    listing.pictures = sorted(
        file
        for file in found
        if file.name.lower().endswith(endings) and not any(part[0] in "._" for part in PurePosixPath(file.name).parts)
    )
    return listing


def class_names(files: Sequence[File]) -> list[str]:
    """First-level folders, if every picture lies in one and there are at least two."""
    parents = {PurePosixPath(file.name).parts[0] if "/" in file.name else "" for file in files}
    return sorted(parents) if len(parents) > 1 and "" not in parents else []
