"""The pictures of a folder or zip as they are decoded, each with its label."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gan_cli.data.cache import CachedPictures, cached_pictures, decoded_by_others, pack_of
from gan_cli.data.canvas import Canvas
from gan_cli.data.conditions import Condition
from gan_cli.data.contents import Repeated
from gan_cli.data.decoding import PictureSource
from gan_cli.data.formats import Range
from gan_cli.data.listing import File, Listing
from gan_cli.data.openers import InFolder, InZip, not_opened
from gan_cli.data.pack import Pack
from gan_cli.data.samples import UNKNOWN, Samples
from gan_cli.errors import UserError
from gan_cli.output.text import printable

log = logging.getLogger(__name__)
Labels = Mapping[str, int | np.ndarray]  # by the name of a picture its class, or its row of conditions


@dataclass(frozen=True, kw_only=True)
class FolderPictures:
    """What decodes some of the pictures of a source.

    Args:
        path: of the source, as it was typed.
        source: where it is.
        root: the folder of the cache.
        listing: all that it holds.
        labels: of its pictures: those without one are left out. None where there are no labels.
        names: of the classes; empty with conditions.
        conditions: what each column of the labels is; empty with classes.
        range, rules, once: as of ``PictureSource``.
    """

    path: str
    source: Path
    root: Path
    listing: Listing
    canvas: Canvas
    labels: Labels | None
    names: tuple[str, ...]
    conditions: tuple[Condition, ...]
    range: Range | None
    rules: int
    once: bool

    def labelled(self, files: Sequence[File]) -> Sequence[File]:
        """Those that have a label, where there are labels."""
        return files if self.labels is None else [file for file in files if file.name in self.labels]

    def pack(self, files: Sequence[File]) -> Pack:
        """Where they lie once they are decoded."""
        return pack_of(self.root, self._named(self.labelled(files)), self.canvas)

    def samples(self, files: Sequence[File]) -> tuple[Samples, dict[str, str]]:
        """Those with a label, at least one, decoded; and by name, why others cannot be read.

        Raises:
            UserError: if none can be.
        """
        some = self.labelled(files)
        opener = InFolder(self.source) if self.source.is_dir() else InZip(self.source)
        try:
            cached = cached_pictures(self.root, self._named(some, opener), self.canvas)
        finally:
            opener.close()
        self._tell_repeated(some, cached)
        unreadable = {some[entry.index].name: entry.why for entry in cached.contents.unreadable}
        return self._with_labels(some, cached), unreadable

    def by_others(self, files: Sequence[File]) -> Iterator[Samples]:
        """The same, as decoded by other versions of the decoder in the cache."""
        files = self.labelled(files)
        for cached in decoded_by_others(self.root, self._named(files), self.canvas):
            yield self._with_labels(files, cached)

    def _named(self, files: Sequence[File], opener: InFolder | InZip | None = None) -> PictureSource:
        """The files as they are to be decoded; without an opener they are only named."""
        whole, entries = self.listing.pictures, self.listing.entries
        return PictureSource(
            [str(self.source.resolve()), *([files] if self.rules == 1 else [whole, [file.name for file in files]])],
            [entries[file.name] if entries else file.name for file in files],
            [entries[file.name] if entries else file.name for file in whole],
            opener or not_opened,
            self.range,
            self.rules,
            self.once,
        )

    def _tell_repeated(self, files: Sequence[File], cached: CachedPictures) -> None:
        if not (again := cached.contents.repeated):
            return
        names = [printable(files[place].name) for place in (again[0].index, again[0].of)]
        told = self.path, f"{len(again):,}", f"{len(files):,}", *names
        log.info("%s: %s of %s pictures come again and are dropped: %s is, once decoded, %s", *told)
        labels = self.labels or {}
        pairs = [{labels.get(files[place].name) for place in (each.index, each.of)} for each in again]
        if others := sum(len(pair - {UNKNOWN}) > 1 for pair in pairs):
            log.warning("%s: of those, %s had another label than the one that stays", self.path, f"{others:,}")

    def _labels_of(self, files: Sequence[File], again: Sequence[Repeated]) -> np.ndarray | None:
        """Those of all these files, which have one: int64 (n,), or float32 (n, k) of conditions.

        Args:
            again: files that come again: the class of one is that of the first copy, if that one's is not known.
        """
        if self.labels is None:
            return None
        if self.conditions:
            return np.array([self.labels[file.name] for file in files], np.float32)
        found = np.array([self.labels[file.name] for file in files], np.int64)
        for each in again:
            if found[each.of] == UNKNOWN:
                found[each.of] = found[each.index]
        return found

    def _with_labels(self, files: Sequence[File], cached: CachedPictures) -> Samples:
        contents, labels = cached.contents, self._labels_of(files, cached.contents.repeated)
        if not len(cached.values):
            raise UserError(
                f"dataset.path={self.path}: none of its {len(files)} pictures can be read, "
                f"e.g. {printable(files[0].name)} ({contents.unreadable[0].why}): give others"
            )
        return Samples(
            cached.values,
            None if labels is None else np.delete(labels, contents.left_out, axis=0),
            self.names,
            digest=contents.digest,
            decoder=cached.decoder,
            conditions=self.conditions,
        )
