"""Any folder tree or zip of pictures."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np

from gan_cli.config.options import Values
from gan_cli.config.paths import expanded
from gan_cli.data import archive, first_listing
from gan_cli.data.cache import require_room
from gan_cli.data.canvas import Canvas
from gan_cli.data.conditions import Condition
from gan_cli.data.finding import listed
from gan_cli.data.folder_pictures import FolderPictures, Labels
from gan_cli.data.images import ImageDataset
from gan_cli.data.label_files import FOLDERS, labels_in
from gan_cli.data.listing import File, Listing, endings_read
from gan_cli.data.pack import Pack
from gan_cli.data.picture_labels import PictureLabels
from gan_cli.data.samples import UNKNOWN, Samples
from gan_cli.data.spreading import hashes_of_names, spread
from gan_cli.errors import UserError, reason_of
from gan_cli.output.text import printable

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ImageFolder(ImageDataset):
    """Pictures below ``path``, in the order of their names; folders at the first level are the classes, or a table is.

    Args:
        allow_missing: go on with what is there even if more than half of the pictures cannot be used.
        range: black and white of pictures deeper than 8 bits; None: by their modes.
        depth: 8 bits, or ``full``: float32, with all levels that the files have.
        rules: 1 reads a folder as runs did before there were rules.
        labels: ``folders``, columns of a table in the source or beside it, or ``auto``: all of these if there is one.
        detail: a JPEG is decoded to so many times the size at least, and then resized.
        unlabelled: whether pictures without a class are kept, without one: those of which a table says nothing, and
            those that lie beside the folders of the classes, or in one called ``unlabelled``.
        duplicates: ``drop`` leaves out pictures that come again, byte for byte once decoded.
    """

    before: ClassVar[Values] = {
        "rules": 1,
        "labels": FOLDERS,
    }  # of an option of one's own for this class, in an old checkpoint

    path: str
    root: str
    allow_missing: bool = False
    range: Sequence[float] | None = None
    depth: int | str = 8
    rules: int = 2
    labels: str | Sequence[str] = FOLDERS
    detail: int = 2
    duplicates: str = "keep"
    unlabelled: bool = False

    @property
    def full_depth(self) -> bool:
        return self.depth == "full"

    @property
    def canvas(self) -> Canvas:
        return replace(super().canvas, detail=self.detail)

    @cached_property
    def source(self) -> Path:
        source = expanded(self.path, "dataset.path=")
        try:
            if source.is_dir() or zipfile.is_zipfile(source):
                return source
            what = "is neither a folder nor a zip file" if source.exists() else "does not exist"
            if source.is_file() and archive.is_torn(source):
                what = "is neither a folder nor a whole zip file (its end is missing)"
        except (OSError, ValueError) as error:  # a folder around it is closed, or no file can have this name
            what = f"cannot be opened ({reason_of(error)})"
        raise UserError(f"dataset.path={self.path}: {what}: give a folder or .zip of pictures")

    @cached_property
    def listing(self) -> Listing:
        """All that the source holds, whatever split or limit is asked for.

        Raises:
            UserError: if there are no pictures, or most of them cannot be used.
        """
        root = expanded(self.root, "dataset.root=")
        first = self.rules == 1
        listing = (
            first_listing.listed(self.source) if first else listed(self.source, (root / "cache", root / "classifiers"))
        )
        if not listing.pictures:
            told = listing.told() or "it is empty"
            raise UserError(f"dataset.path={self.path}: holds no pictures ({told}): {endings_read()}")
        if listing.entries:
            members = [listing.entries[file.name] for file in listing.pictures]
            archive.require_readable(self.path, self.source.stat().st_size, members)
        self._require_most(listing)
        return listing

    def _require_most(self, listing: Listing, unreadable: Sequence[str] = (), of: int = 0) -> None:
        """Raises if more than half of the source, or of ``of`` pictures that were decoded, cannot be used."""
        if self.allow_missing or self.rules == 1:
            return
        if listing.lacks_most(len(unreadable)) or (of and 2 * len(unreadable) > of):
            raise UserError(
                f"dataset.path={self.path}: most of its pictures cannot be used ({listing.told(unreadable)}): "
                "mend that, or go on with the rest: dataset.allow_missing=true"
            )

    @cached_property
    def chosen(self) -> list[File]:
        """The pictures of the split, at most ``limit`` of them."""
        files = self._limited(self._of_split(self.split))
        if self.told and not any(file.name in self.told.of for file in files):
            raise UserError(
                f"dataset.split={self.split}: none of its {len(files):,} pictures has a label ({self.told.told}): "
                "give them labels, or take another split"
            )
        return files

    def _of_split(self, split: str) -> list[File]:
        pictures = self.listing.pictures
        if split != "all":
            pictures = [f for i, f in enumerate(pictures) if (i % 10 == 9) == (split == "test")]
            if not pictures:
                raise UserError(f"dataset.split={split}: holds no picture: use dataset.split=all")
        if not self.only:
            return pictures
        labels = self.chosen_labels(self.class_names)
        return [file for file in pictures if self._classes.get(file.name) in labels]

    def _limited(self, files: list[File]) -> list[File]:
        if self.rules == 1 or not self.limit:
            return files[: self.limit or None]
        labels = np.array([self._classes.get(file.name, UNKNOWN) for file in files])
        return [files[place] for place in spread(hashes_of_names(file.name for file in files), labels, self.limit)]

    @cached_property
    def told(self) -> PictureLabels | None:
        """What a table says of the pictures; None where the folders are the classes.

        Raises:
            UserError: if it cannot be used, or says nothing of most of them.
        """
        if self.rules == 1:
            return None
        told, count = labels_in(self.source, self.listing, self.labels), len(self.listing.pictures)
        if told and 2 * len(told.of) < count and not self.allow_missing and not self.unlabelled:
            raise UserError(
                f"dataset.path={self.path}: most of its pictures have no label ({told.told}): mend that, or go on with "
                "the rest: dataset.allow_missing=true, or without the table: dataset.labels=folders"
            )
        return told

    @cached_property
    def _classes(self) -> Mapping[str, int]:
        """The class of each picture that has one, whether by its folder or by a table."""
        return self.told.classes if self.told else self._in_folders

    @cached_property
    def _in_folders(self) -> Mapping[str, int]:
        """The class of each picture by its folder."""
        return self.listing.labels_of(self.listing.known_class_names) if self.unlabelled else self.listing.labels

    @cached_property
    def class_names(self) -> list[str]:
        """The name of each class; none if the folders are no classes, or if a table tells conditions."""
        if self.told:
            return list(self.told.names)
        if self.rules == 1:
            return [printable(name) for name in first_listing.class_names(self.chosen)]
        names = self.listing.known_class_names if self.unlabelled else self.listing.class_names
        return [printable(name) for name in names]

    @property
    def classes(self) -> int:
        return len(self.class_names)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.told.conditions if self.told else ()

    @cached_property
    def _labels(self) -> Labels:
        """The label of each picture by its name."""
        if self.rules != 1:
            known: Labels = self.told.of if self.told else self._in_folders
            if not self.unlabelled or self.conditions:
                return known
            return {file.name: known.get(file.name, UNKNOWN) for file in self.listing.pictures}
        number = {name: i for i, name in enumerate(first_listing.class_names(self.chosen))}
        folders = {file.name: PurePosixPath(file.name).parts[0] for file in self.listing.pictures}
        return {name: number[folder] for name, folder in folders.items() if folder in number}

    def count(self) -> int:
        return self._usable(self.chosen)

    def held_out_count(self) -> int:
        some = self.split == "train" and len(self.listing.pictures) >= 10  # every tenth
        return self._usable(self._of_split("test")) if some else 0

    def _usable(self, files: Sequence[File]) -> int:
        """How many of them can be used: where each must have a class, those that do."""
        return len(self._pictures.labelled(files))

    def load(self) -> Samples:
        """The chosen pictures; one line says what is left out of the source.

        Raises:
            UserError: if there are none that can be read, or too few.
        """
        samples, unreadable = self._pictures.samples(self.chosen)
        names = list(unreadable)
        self._require_most(self.listing, names, len(self.chosen))
        if told := self.listing.told(names, unlabelled=self.unlabelled):
            if names:
                told += f"; {printable(names[0])}: {unreadable[names[0]]}"
            log.log(logging.WARNING if names or self.listing.missing else logging.INFO, "%s: %s", self.path, told)
        if line := self._unlabelled:
            log.warning("%s", line)
        return samples

    def left_out(self) -> list[str]:
        """What is left out by name or label, and whether more may be, as pictures are opened only to be decoded."""
        lines = [f"{self.path}: {told}"] if (told := self.listing.told(unlabelled=self.unlabelled)) else []
        lines += [line] if (line := self._unlabelled) else []
        if self._pack.stamp() is None:
            lines.append(f"{self.path}: no picture has been opened yet: one that cannot be read will be left out")
        return lines

    @property
    def _unlabelled(self) -> str:
        """Of which pictures a table does not tell the label, and whether they are left out; empty if of all it does."""
        told = self.told.told if self.told else ""
        if self.unlabelled and told and not self.only and not self.conditions:
            return f"{self.path}: its labels: {told}: pictures without a label are kept"
        return f"{self.path}: its labels: {told}: they are left out" if told else ""

    @cached_property
    def _pictures(self) -> FolderPictures:
        """What decodes them."""
        return FolderPictures(
            path=self.path,
            source=self.source,
            root=Path(self.root),
            listing=self.listing,
            canvas=self.canvas,
            labels=self._labels if self.class_names or self.told else None,
            names=tuple(self.class_names),
            conditions=self.conditions,
            range=(self.range[0], self.range[1]) if self.range else None,
            rules=self.rules,
            once=self.duplicates == "drop",
        )

    @cached_property
    def _pack(self) -> Pack:
        """Where the chosen pictures lie once they are decoded."""
        return self._pictures.pack(self.chosen)

    def require_disk(self) -> None:
        """Refuses pictures that the disk cannot hold once decoded; nothing if they are there already.

        Raises:
            UserError: with what they take, and what is free.
        """
        if (pack := self._pack).stamp() is None:
            require_room(Path(self.root), pack)

    def held_out(self) -> Samples | None:
        return self._others(self._of_split("test")) if self.split == "train" else None

    def unused(self) -> Samples | None:
        used = set(self.chosen)
        return self._others([file for file in self._of_split(self.split) if file not in used])

    def _others(self, files: Sequence[File]) -> Samples | None:
        """Pictures that are not trained on, if there are any."""
        if not self._usable(files):
            return None
        samples, unreadable = self._pictures.samples(files)
        if unreadable:
            name = next(iter(unreadable))
            told = len(unreadable), len(files), printable(name), unreadable[name]
            log.warning("%d of %d pictures to compare with cannot be read, such as %s: %s", *told)
        return samples

    def decoded_by_others(self) -> Iterator[Samples]:
        return self._pictures.by_others(self.chosen)
