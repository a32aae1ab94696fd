"""``labels.csv``, ``labels.json`` and ``dataset.json``, in a folder or zip of pictures or beside it: which is taken."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Iterator, Sequence
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
    files, left = [file.name for file in listing.pictures], list[str]()
    for tables in _found(source, listing, typed):
        used, others = _about(tables, files, wanted, typed)
        left += others
        if len(used) > 1:
            raise UserError(f"{typed}: {used[0][0].name} and {used[1][0].name} lie there both: keep one")
        if used:
            found, made = used[0]
            _passed(listing, found)
            return made
    if wanted and left:
        raise UserError(f"{typed}: {left[0]}")
    if wanted:
        raise UserError(f"{typed}: there is no {' or '.join(NAMES[:2])} in dataset.path or beside it: put one there")
    return None


def _about(
    tables: Sequence[Found], files: Sequence[str], wanted: Sequence[str], typed: str
) -> tuple[list[tuple[Found, PictureLabels]], list[str]]:
    """Those of the tables that are about these pictures, and what speaks against each of the others."""
    used, left = [], []
    for found in tables:
        try:
            table = table_of(found.data, posixpath.splitext(found.name)[1])
            used.append((found, picture_labels(table, files, wanted)))
        except (Unreadable, Misfit) as error:
            if found.sure:
                raise UserError(f"{typed}: {found.name} {error}") from error
            where = "in" if found.inside else "beside"
            log.info("%s %s the pictures is not about them: it %s", found.name, where, error)
            left.append(f"{found.name} {error}")
    return used, left


def _found(source: Path, listing: Listing, typed: str) -> Iterator[list[Found]]:
    """The tables in the source, then those beside it: of its name, then for all that lies there."""
    try:
        if source.is_dir():
            yield [Found(name, path.read_bytes(), True) for name in NAMES if (path := source / name).is_file()]
        else:
            members = [name for name in listing.entries if posixpath.basename(name) in NAMES]
            least = min((name.count("/") for name in members), default=0)
            with archive.opened(source) as packed:
                inside = [
                    Found(name, archive.read(packed, listing.entries[name]).getvalue(), True)
                    for name in members
                    if name.count("/") == least
                ]
            yield inside
        place = source.resolve()
        stem = place.name if source.is_dir() else place.stem
        for names in ([stem + kind for kind in KINDS], NAMES):
            yield [Found(name, path.read_bytes(), False) for name in names if (path := place.parent / name).is_file()]
    except UserError:
        raise
    except Exception as error:  # what unpacks a damaged or locked member raises anything
        raise UserError(f"{typed}: a table of labels cannot be read ({reason_of(error)}): mend it") from error


def _passed(listing: Listing, found: Found) -> None:
    """Takes the table out of the files that are left aside."""
    others = listing.passed.get(OTHER, [])
    if found.inside and found.name in others:
        others.remove(found.name)
        if not others:
            del listing.passed[OTHER]
