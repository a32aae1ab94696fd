"""The well-known datasets that come as pictures in files of their own: CelebA and LSUN."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from gan_cli.config.mistakes import suggestion
from gan_cli.config.pictures import PICTURES
from gan_cli.data.cache import CachedPictures, cached_pictures, decoded_by_others
from gan_cli.data.conditions import Condition
from gan_cli.data.decoding import PictureSource
from gan_cli.data.lmdb_file import LmdbFile
from gan_cli.data.openers import InFolder, InLmdb
from gan_cli.data.published import Damaged, Part
from gan_cli.data.samples import Samples
from gan_cli.data.sources import WebDataset
from gan_cli.errors import UserError

log = logging.getLogger(__name__)
ATTRIBUTES = 40  # of CelebA


Attributes = tuple[np.ndarray, tuple[Condition, ...]]  # float32 (N, k), and what each column is


class PictureFiles(WebDataset):
    """A dataset that is decoded a file at a time: done once, then read from a cache."""

    @property
    def classes(self) -> int:
        return 0

    def load(self) -> Samples:
        with self._pictures() as (pictures, told):
            return self._samples(cached_pictures(Path(self.root), pictures, self.canvas), told)

    def decoded_by_others(self) -> Iterator[Samples]:
        with self._pictures() as (pictures, told):
            for cached in decoded_by_others(Path(self.root), pictures, self.canvas):
                yield self._samples(cached, told)

    @contextmanager
    def _pictures(self) -> Iterator[tuple[PictureSource, Attributes | None]]:
        dataset = self.opened()
        try:
            count = min(self.limit or len(dataset), len(dataset))
            identity = [type(self).__name__, self.split, *self.marks(dataset), count]
            items, opener = self.items(dataset)
            told = self.attributes(dataset)
            yield PictureSource(identity, items[:count], items, opener), told and (told[0][:count], told[1])
        finally:
            self.close(dataset)

    def attributes(self, dataset: Any) -> Attributes | None:
        """The conditions of all pictures; None where there are none."""
        return None

    def _samples(self, cached: CachedPictures, told: Attributes | None = None) -> Samples:
        contents = cached.contents
        left_out = contents.unreadable
        if not len(cached.values):
            why = f"can be read ({left_out[0].why})" if left_out else "is there"
            raise UserError(
                f"dataset.root={self.root}: none of the {len(left_out)} pictures of {type(self).__name__} {why}: put "
                f"{self.files} into {self.place}"
            )
        if left_out:
            log.warning(
                "%d of %d pictures of %s cannot be read, the first is number %d (%s)",
                *(len(left_out), len(left_out) + len(cached.values), type(self).__name__),
                *(left_out[0].index, left_out[0].why),
            )
        rows, conditions = told or (None, ())
        labels = None if rows is None else np.delete(rows, contents.left_out, axis=0)
        return Samples(cached.values, labels, digest=contents.digest, decoder=cached.decoder, conditions=conditions)

    def items(self, dataset: Any) -> tuple[Sequence[Any], Callable[[Any], Image.Image]]:
        """What stands for each picture, and what opens one, both of which can be sent to another process."""
        raise AssertionError("a dataset of picture files defines items()")

    def close(self, dataset: Any) -> None:
        """Leaves the files that the dataset holds open."""

    def marks(self, dataset: Any) -> list[Any]:
        """What else tells this selection of pictures from another: sizes and time stamps of its files."""
        raise AssertionError("a dataset of picture files defines marks()")


def stamps(files: Iterable[Path]) -> list[tuple[str, int, int]]:
    """Name, size and time of the last change of those files that are there."""
    found = []
    for path in files:
        with suppress(OSError):
            facts = path.stat()
            found.append((path.name, facts.st_size, max(facts.st_mtime_ns, facts.st_ctime_ns)))
    return found


@dataclass(frozen=True, kw_only=True)
class CelebA(PictureFiles):
    """Faces, with the attributes of ``labels``: ``none``, ``all``, or names of some of the forty."""

    sizes: ClassVar[Mapping[str, int]] = PICTURES["celeba"]
    files: ClassVar[str] = (
        "img_align_celeba.zip, list_attr_celeba.txt, list_eval_partition.txt and the other list files"
    )

    labels: str | Sequence[str] = "none"

    @property
    def folder(self) -> str:
        return "celeba"

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The attributes; their names stand in its files, so that those of ``all`` have none here."""
        if self.labels == "none":
            return ()
        names = [f"attribute {i + 1}" for i in range(ATTRIBUTES)] if self.labels == "all" else self.labels
        return tuple(Condition(name, "attribute") for name in names)

    def attributes(self, dataset: Any) -> Attributes | None:
        if self.labels == "none":
            return None
        names = [name for name in dataset.attr_names if name]  # the list ends in a space
        wanted = names if self.labels == "all" else self.labels
        for name in wanted:
            if name not in names:
                raise UserError(
                    f"dataset.labels={name}: no attribute of CelebA is called so{suggestion(name, names)}: "
                    f"{', '.join(names)}"
                )
        rows = dataset.attr[:, [names.index(name) for name in wanted]].numpy().astype(np.float32)
        return rows, tuple(Condition(name, "attribute") for name in wanted)

    def parts(self, datasets: Any, root: Path) -> list[Part]:
        lists = [
            Part(root / self.folder / name, md5) for _, md5, name in datasets.CelebA.file_list if name[-4:] == ".txt"
        ]
        return [*lists, Part(root / self.folder / "img_align_celeba")]

    def archives(self, datasets: Any, root: Path) -> list[Part]:
        packed = [(name, md5) for _, md5, name in datasets.CelebA.file_list if name[-4:] == ".zip"]
        return [Part(root / self.folder / name, md5) for name, md5 in packed]

    def open(self, datasets: Any, root: Path, download: bool) -> Any:
        dataset = datasets.CelebA(str(root), split=self.split, download=download)
        if bad := [name for name in dataset.filename if not name.isprintable() or Path(name).name != name]:
            raise Damaged(root / self.folder / "list_eval_partition.txt", f"names no file of a folder: {bad[0]!r}")
        return dataset

    def items(self, dataset: Any) -> tuple[Sequence[Any], Callable[[Any], Image.Image]]:
        return dataset.filename, InFolder(Path(dataset.root, dataset.base_folder, "img_align_celeba"))

    def marks(self, dataset: Any) -> list[Any]:
        place = Path(dataset.root, dataset.base_folder, "img_align_celeba")
        return stamps(place / name for name in dataset.filename)


@dataclass(frozen=True, kw_only=True)
class LSUN(PictureFiles):
    category: str

    test_split: ClassVar[str] = "val"
    files: ClassVar[str] = "the unpacked folder <category>_<split>_lmdb"
    downloaded: ClassVar[bool] = False

    @property
    def folder(self) -> str:
        return "test_lmdb" if self.split == "test" else f"{self.category}_{self.split}_lmdb"

    def parts(self, datasets: Any, root: Path) -> list[Part]:
        return [Part(root / self.folder / "data.mdb")]

    def open(self, datasets: Any, root: Path, download: bool) -> LmdbFile:
        return LmdbFile(root / self.folder / "data.mdb")

    def items(self, dataset: LmdbFile) -> tuple[Sequence[Any], Callable[[Any], Image.Image]]:
        return range(len(dataset)), InLmdb(dataset)

    def marks(self, dataset: LmdbFile) -> list[Any]:
        return [self.category, *stamps([dataset.path])]

    def close(self, dataset: LmdbFile) -> None:
        dataset.close()
