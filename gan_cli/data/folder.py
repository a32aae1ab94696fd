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
from gan_cli.data.cache import CachedPictures, cached_pictures, decoded_by_others, pack_of, require_room
from gan_cli.data.canvas import Canvas
from gan_cli.data.conditions import Condition
from gan_cli.data.decoding import PictureSource
from gan_cli.data.finding import listed
from gan_cli.data.images import ImageDataset
from gan_cli.data.label_files import FOLDERS, labels_in
from gan_cli.data.listing import File, Listing, endings_read
from gan_cli.data.openers import InFolder, InZip, not_opened
from gan_cli.data.pack import Pack
from gan_cli.data.picture_labels import PictureLabels
from gan_cli.data.samples import Samples
from gan_cli.data.spreading import spread
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
        return self._limited(self._of_split(self.split))

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
        if not self.limit:
            return files
        return files[: self.limit] if self.rules == 1 else spread(files, self._classes, self.limit)

    @cached_property
    def told(self) -> PictureLabels | None:
        """What a table says of the pictures; None where the folders are the classes.

        Raises:
            UserError: if it cannot be used, or says nothing of most of them.
        """
        if self.rules == 1:
            return None
        told, count = labels_in(self.source, self.listing, self.labels), len(self.listing.pictures)
        if told and 2 * len(told.of) < count and not self.allow_missing:
            raise UserError(
                f"dataset.path={self.path}: most of its pictures have no label ({told.told}): mend that, or go on with "
                "the rest: dataset.allow_missing=true, or without the table: dataset.labels=folders"
            )
        return told

    @cached_property
    def _classes(self) -> Mapping[str, int]:
        """The class of each picture that has one, whether by its folder or by a table."""
        return self.told.classes if self.told else self.listing.labels

    @cached_property
    def class_names(self) -> list[str]:
        """The name of each class; none if the folders are no classes, or if a table tells conditions."""
        if self.told:
            return list(self.told.names)
        names = first_listing.class_names(self.chosen) if self.rules == 1 else self.listing.class_names
        return [printable(name) for name in names]

    @property
    def classes(self) -> int:
        return len(self.class_names)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.told.conditions if self.told else ()

    @cached_property
    def _labels(self) -> Mapping[str, int | tuple[float, ...]]:
        """The label of each picture by its name."""
        if self.told:
            return self.told.of
        if self.rules != 1:
            return self.listing.labels
        number = {name: i for i, name in enumerate(first_listing.class_names(self.chosen))}
        folders = {file.name: PurePosixPath(file.name).parts[0] for file in self.listing.pictures}
        return {name: number[folder] for name, folder in folders.items() if folder in number}

    def count(self) -> int:
        return self._usable(self.chosen)

    def held_out_count(self) -> int:
        some = self.split == "train" and len(self.listing.pictures) >= 10  # every tenth
        return self._usable(self._of_split("test")) if some else 0

    def _usable(self, files: Sequence[File]) -> int:
        """How many of them have a class, where the folders are classes."""
        return len(self._labelled_ones(files))

    def load(self) -> Samples:
        """The chosen pictures; one line says what is left out of the source.

        Raises:
            UserError: if there are none that can be read, or too few.
        """
        samples, unreadable = self._samples(self.chosen)
        names = list(unreadable)
        self._require_most(self.listing, names, len(self.chosen))
        if told := self.listing.told(names):
            if names:
                told += f"; {printable(names[0])}: {unreadable[names[0]]}"
            log.log(logging.WARNING if names or self.listing.missing else logging.INFO, "%s: %s", self.path, told)
        if line := self._unlabelled:
            log.warning("%s", line)
        return samples

    def left_out(self) -> list[str]:
        """What is left out by name or label, and whether more may be, as pictures are opened only to be decoded."""
        lines = [f"{self.path}: {told}"] if (told := self.listing.told()) else []
        lines += [line] if (line := self._unlabelled) else []
        if self._pack.stamp() is None:
            lines.append(f"{self.path}: no picture has been opened yet: one that cannot be read will be left out")
        return lines

    @property
    def _unlabelled(self) -> str:
        """What is left out as a table does not tell its label; empty if nothing is."""
        told = self.told.told if self.told else ""
        return f"{self.path}: its labels: {told}: they are left out" if told else ""

    @cached_property
    def _pack(self) -> Pack:
        """Where the chosen pictures lie once they are decoded."""
        return pack_of(Path(self.root), self._pictures(self._labelled_ones(self.chosen)), self.canvas)

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
        if not files:
            return None
        try:
            samples, unreadable = self._samples(files)
        except UserError as error:
            log.warning("nothing to compare with: %s", error)
            return None
        if unreadable:
            name = next(iter(unreadable))
            told = len(unreadable), len(files), printable(name), unreadable[name]
            log.warning("%d of %d pictures to compare with cannot be read, such as %s: %s", *told)
        return samples

    def _samples(self, files: Sequence[File]) -> tuple[Samples, dict[str, str]]:
        """Some of the pictures, decoded, with the labels they have in the whole source; why others cannot be read."""
        files = self._labelled_ones(files)
        opener = InFolder(self.source) if self.source.is_dir() else InZip(self.source)
        try:
            cached = cached_pictures(Path(self.root), self._pictures(files, opener), self.canvas)
        finally:
            opener.close()
        if again := cached.contents.repeated:
            names = [printable(files[index].name) for index in (again[0].index, again[0].of)]
            told = self.path, f"{len(again):,}", f"{len(files):,}", *names
            log.info("%s: %s of %s pictures come again and are dropped: %s is, once decoded, %s", *told)
            pairs = [
                (self._labels.get(files[each.index].name), self._labels.get(files[each.of].name)) for each in again
            ]
            if others := sum(one != other for one, other in pairs):
                log.warning("%s: of those, %s had another label than the one that stays", self.path, f"{others:,}")
        return self._labelled(files, cached), {
            files[entry.index].name: entry.why for entry in cached.contents.unreadable
        }

    def decoded_by_others(self) -> Iterator[Samples]:
        files = self._labelled_ones(self.chosen)
        for cached in decoded_by_others(Path(self.root), self._pictures(files), self.canvas):
            yield self._labelled(files, cached)

    def _labelled_ones(self, files: Sequence[File]) -> Sequence[File]:
        """Those that have a label, where there are labels."""
        return [file for file in files if file.name in self._labels] if self.class_names or self.told else files

    def _pictures(self, files: Sequence[File], opener: InFolder | InZip | None = None) -> PictureSource:
        """The files as they are to be decoded; without an opener they are only named."""
        whole, entries = self.listing.pictures, self.listing.entries
        return PictureSource(
            [str(self.source.resolve()), *([files] if self.rules == 1 else [whole, [file.name for file in files]])],
            [entries[file.name] if entries else file.name for file in files],
            [entries[file.name] if entries else file.name for file in whole],
            opener or not_opened,
            (self.range[0], self.range[1]) if self.range else None,
            self.rules,
            self.duplicates == "drop",
        )

    def _labelled(self, files: Sequence[File], cached: CachedPictures) -> Samples:
        contents = cached.contents
        if not len(cached.values):
            raise UserError(
                f"dataset.path={self.path}: none of its {len(files)} pictures can be read, "
                f"e.g. {printable(files[0].name)} ({contents.unreadable[0].why}): give others"
            )
        labels = None
        if self.told:
            every = self.told.array(file.name for file in files)
            return Samples(
                cached.values,
                np.delete(every, contents.left_out, axis=0),
                self.told.names,
                digest=contents.digest,
                decoder=cached.decoder,
                conditions=self.told.conditions,
            )
        if self.class_names:
            labels = np.delete(np.array([self._labels[file.name] for file in files], np.int64), contents.left_out)
        return Samples(cached.values, labels, tuple(self.class_names), digest=contents.digest, decoder=cached.decoder)
