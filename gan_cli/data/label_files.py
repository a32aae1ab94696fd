"""``labels.csv``, ``labels.json`` and ``dataset.json``, in a folder or zip of pictures or beside it: which is taken."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gan_cli.data import archive
from gan_cli.data.label_tables import Unreadable, table_of
from gan_cli.data.listing import OTHER, Listing
from gan_cli.data.picture_labels import Misfit, PictureLabels, picture_labels
from gan_cli.errors import UserError, reason_of

log = logging.getLogger(__name__)
KINDS = (".csv", ".json")
OF_NVIDIA = "dataset.json"  # as StyleGAN's tools call it; elsewhere a file of this name may be about anything
NAMES = (*(f"labels{kind}" for kind in KINDS), OF_NVIDIA)
AUTO, FOLDERS = "auto", "folders"


@dataclass(frozen=True)
class Found:
    """A table of labels.

    Attributes:
        inside: whether it lies in the source; beside it, it may be about other pictures.
    """

    name: str
    data: bytes
    inside: bool

    @property
    def sure(self) -> bool:
        """Whether it must be about these pictures, by where it lies and what it is called."""
        return self.inside and posixpath.basename(self.name) != OF_NVIDIA


def labels_in(source: Path, listing: Listing, labels: str | Sequence[str]) -> PictureLabels | None:
    """What a table in the source or beside it says of the pictures; None where the folders are to be the classes.

    Args:
        labels: ``auto``, ``folders``, or columns of the table.

    Raises:
        UserError: if there is no table and there is to be one, or it cannot be used.
    """
    if labels == FOLDERS:
        return None
    wanted = () if labels == AUTO else tuple(labels)
    typed = f"dataset.labels={AUTO if not wanted else wanted[0] if len(wanted) == 1 else '[' + ','.join(wanted) + ']'}"
    try:
        found = _found(source, listing)
    except (OSError, ValueError) as error:
        raise UserError(f"{typed}: a table of labels cannot be read ({reason_of(error)}): mend it") from error
    if found is None:
        if wanted:
            raise UserError(
                f"{typed}: there is no {' or '.join(NAMES[:2])} in dataset.path or beside it: put one there"
            )
        return None
    try:
        table = table_of(found.data, posixpath.splitext(found.name)[1])
        made = picture_labels(table, [file.name for file in listing.pictures], wanted)
    except (Unreadable, Misfit) as error:
        if not wanted and not found.sure:
            where = "in" if found.inside else "beside"
            log.info("%s %s the pictures is not about them: it %s", found.name, where, error)
            return None
        raise UserError(f"{typed}: {found.name} {error}") from error
    _passed(listing, found)
    return made


def _found(source: Path, listing: Listing) -> Found | None:
    """The table in the source, or else beside it: of its name, or for all that lies there."""
    if source.is_dir():
        inside = [Found(name, path.read_bytes(), True) for name in NAMES if (path := source / name).is_file()]
    else:
        members = [name for name in listing.entries if posixpath.basename(name) in NAMES]
        least = min((name.count("/") for name in members), default=0)
        with archive.opened(source) as packed:
            inside = [
                Found(name, archive.read(packed, listing.entries[name]).getvalue(), True)
                for name in members
                if name.count("/") == least
            ]
    place = source.resolve()
    stem = place.name if source.is_dir() else place.stem
    for names in (inside, [stem + kind for kind in KINDS], NAMES):
        each = [
            one if isinstance(one, Found) else Found(one, path.read_bytes(), False)
            for one in names
            if isinstance(one, Found) or (path := place.parent / one).is_file()
        ]
        if len(each) > 1:
            raise ValueError(f"{each[0].name} and {each[1].name} lie there both: keep one")
        if each:
            return each[0]
    return None


def _passed(listing: Listing, found: Found) -> None:
    """Takes the table out of the files that are left aside."""
    others = listing.passed.get(OTHER, [])
    if found.inside and found.name in others:
        others.remove(found.name)
        if not others:
            del listing.passed[OTHER]
