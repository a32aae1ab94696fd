"""The well-known datasets: the shipped digits, and torchvision's loaders for the rest."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from urllib.error import URLError

import numpy as np

from gan_cli.config.paths import expanded
from gan_cli.data.cache import CachedPictures, cached_pictures, decoded_by_others
from gan_cli.data.decoding import PictureSource
from gan_cli.data.images import ImageDataset
from gan_cli.data.samples import Samples
from gan_cli.errors import UserError

log = logging.getLogger(__name__)


class Digits(ImageDataset):
    """10,000 training and 2,000 test digits of MNIST, in the package."""

    def load(self) -> Samples:
        with resources.files("gan_cli").joinpath("assets/digits.npz").open("rb") as file:
            arrays = np.load(file)
            return self.fitted(arrays[f"{self.split}_images"], arrays[f"{self.split}_labels"])


@dataclass(frozen=True, kw_only=True)
class WebDataset(ImageDataset):
    """A dataset that torchvision downloads into ``root`` when it is not there yet."""

    files: ClassVar[str]

    root: str

    def open(self, datasets: Any, root: Path) -> Any:
        """The torchvision dataset."""
        raise AssertionError("a web dataset defines open()")

    def opened(self) -> Any:
        """The torchvision dataset.

        Raises:
            UserError: in one line, what is missing or damaged, where, and what to do.
        """
        from torchvision import datasets  # seconds to import: only here

        root = expanded(self.root, "dataset.root=")
        name = type(self).__name__
        try:
            root.mkdir(parents=True, exist_ok=True)
            return self.open(datasets, root)
        except ModuleNotFoundError as error:
            raise UserError(
                f"dataset={name.lower()}: needs the package {error.name}: pip install {error.name}"
            ) from error
        except Exception as error:  # what reads half a download raises anything
            reason = str(error).splitlines()[0].strip("<>: ") if str(error) else type(error).__name__
            place = root.absolute() / self.folder
            there = self.folder and any(place.glob("*")) and not isinstance(error, URLError)
            torn = f", after deleting {place} if what is there is half a download" if there else ""
            raise UserError(
                f"dataset.root={self.root}: no usable {name} there and no download ({reason}): put {self.files} into "
                f"{place}{torn}, or set dataset.root to where they are"
            ) from error

    @property
    def folder(self) -> str:
        """Where under ``root`` torchvision looks."""
        return ""

    def load(self) -> Samples:
        dataset = self.opened()
        return self.fitted(np.asarray(dataset.data), np.asarray(self.targets(dataset)), self.names(dataset))

    def targets(self, dataset: Any) -> Any:
        return dataset.targets

    def names(self, dataset: Any) -> Sequence[str]:
        """What the classes are called, by label; nothing where they are digits."""
        return ()


class MNIST(WebDataset):
    files = "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte"

    @property
    def folder(self) -> str:
        return f"{type(self).__name__}/raw"

    def open(self, datasets: Any, root: Path) -> Any:
        return vars(datasets)[type(self).__name__](str(root), train=self.split == "train", download=True)


class FashionMNIST(MNIST):
    def names(self, dataset: Any) -> Sequence[str]:
        return dataset.classes


class KMNIST(FashionMNIST):
    pass


class QMNIST(MNIST):
    files = "the qmnist-*-images-idx3-ubyte.gz and qmnist-*-labels-idx2-int.gz files"

    def open(self, datasets: Any, root: Path) -> Any:
        return datasets.QMNIST(str(root), what=self.split, compat=True, download=True)

    def targets(self, dataset: Any) -> Any:
        return dataset.targets[:, 0]  # column 0 is the digit, the others tell who wrote it


class CIFAR10(WebDataset):
    files = "cifar-10-python.tar.gz or its unpacked folder cifar-10-batches-py"

    def open(self, datasets: Any, root: Path) -> Any:
        return datasets.CIFAR10(str(root), train=self.split == "train", download=True)

    def names(self, dataset: Any) -> Sequence[str]:
        return dataset.classes


class SVHN(WebDataset):
    files = "train_32x32.mat, test_32x32.mat or extra_32x32.mat"

    def open(self, datasets: Any, root: Path) -> Any:
        return datasets.SVHN(str(root), split=self.split, download=True)

    def targets(self, dataset: Any) -> Any:
        return dataset.labels


class STL10(SVHN):
    files = "stl10_binary.tar.gz or its unpacked folder stl10_binary"

    @property
    def classes(self) -> int:
        return 0 if "unlabeled" in self.split else 10

    def names(self, dataset: Any) -> Sequence[str]:
        return dataset.classes

    def open(self, datasets: Any, root: Path) -> Any:
        return datasets.STL10(str(root), split=self.split, download=True)


class PictureFiles(WebDataset):
    """A torchvision dataset that decodes a file at a time: done once, then read from a cache."""

    @property
    def classes(self) -> int:
        return 0

    def load(self) -> Samples:
        with self._pictures() as pictures:
            return self._samples(cached_pictures(Path(self.root), pictures, self.size, self.channels))

    def decoded_by_others(self) -> Iterator[Samples]:
        with self._pictures() as pictures:
            for cached in decoded_by_others(Path(self.root), pictures, self.size, self.channels):
                yield self._samples(cached)

    @contextmanager
    def _pictures(self) -> Iterator[PictureSource]:
        dataset = self.opened()
        try:
            count = min(self.limit or len(dataset), len(dataset))
            identity = [type(self).__name__, self.split, *self.marks(dataset), count]
            yield PictureSource(identity, range(count), range(len(dataset)), lambda index: dataset[index][0])
        finally:
            self.close(dataset)

    def _samples(self, cached: CachedPictures) -> Samples:
        left_out = cached.unreadable
        if not len(cached.values):
            raise UserError(
                f"dataset.root={self.root}: none of the {len(left_out)} pictures of {type(self).__name__} there can be "
                f"read ({left_out[0].why}): put {self.files} into {Path(self.root).absolute() / self.folder}"
            )
        if left_out:
            log.warning(
                "%d of %d pictures of %s cannot be read, the first is number %d (%s)",
                *(len(left_out), len(left_out) + len(cached.values), type(self).__name__),
                *(left_out[0].index, left_out[0].why),
            )
        return Samples(cached.values, digest=cached.digest, decoder=cached.decoder)

    def close(self, dataset: Any) -> None:
        """Leaves the files that the torchvision dataset holds open."""

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


class CelebA(PictureFiles):
    files = "img_align_celeba.zip, list_attr_celeba.txt, list_eval_partition.txt and the other list files"

    @property
    def folder(self) -> str:
        return "celeba"

    def open(self, datasets: Any, root: Path) -> Any:
        return datasets.CelebA(str(root), split=self.split, download=True)

    def marks(self, dataset: Any) -> list[Any]:
        place = Path(dataset.root, dataset.base_folder, "img_align_celeba")
        return stamps(place / name for name in dataset.filename)


@dataclass(frozen=True, kw_only=True)
class LSUN(PictureFiles):
    category: str

    test_split: ClassVar[str] = "val"
    files: ClassVar[str] = "the unpacked folder <category>_<split>_lmdb"

    def open(self, datasets: Any, root: Path) -> Any:
        which = "test" if self.split == "test" else [f"{self.category}_{self.split}"]
        place, here = root.absolute(), Path.cwd()
        with TemporaryDirectory() as empty:  # where torchvision looks for a pickle of the keys, and leaves one
            os.chdir(empty)
            try:
                return datasets.LSUN(str(place), classes=which)
            finally:
                os.chdir(here)

    def marks(self, dataset: Any) -> list[Any]:
        return [self.category, *stamps(Path(part.root, "data.mdb") for part in dataset.dbs)]

    def close(self, dataset: Any) -> None:
        for part in dataset.dbs:
            part.env.close()  # a process may open it once at a time
