"""The well-known datasets: the shipped digits, and torchvision's loaders for the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, NamedTuple
from urllib.error import URLError

import numpy as np

from gan_cli.config.paths import expanded
from gan_cli.config.pictures import PICTURES
from gan_cli.data.idx import read_pair
from gan_cli.data.images import ImageDataset
from gan_cli.data.published import Damaged, Part, require_published, unpickled
from gan_cli.data.samples import UNKNOWN, Samples
from gan_cli.errors import UserError, first_line
from gan_cli.output.text import printable

TEN = frozenset(range(10))  # labels of all of them


class Digits(ImageDataset):
    """10,000 training and 2,000 test digits of MNIST, in the package."""

    sizes = PICTURES["digits"]

    def load(self) -> Samples:
        return self.fitted(*_digits(self.split))


@cache
def _digits(split: str) -> tuple[np.ndarray, np.ndarray]:
    """The pictures of a split and their labels; unpacked once, for all runs of a sweep."""
    with resources.files("gan_cli").joinpath("assets/digits.npz").open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        return arrays[f"{split}_images"], arrays[f"{split}_labels"]


class Arrays(NamedTuple):
    """What the files of a dataset hold: uint8 pictures, int64 (N,) labels, and what the classes are called."""

    data: np.ndarray
    targets: np.ndarray
    classes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class WebDataset(ImageDataset):
    """A dataset that torchvision downloads into ``root`` when it is not there yet."""

    files: ClassVar[str]
    downloaded: ClassVar[bool] = True
    given: ClassVar[frozenset[int]] = TEN  # labels that its files may hold

    root: str

    def parts(self, datasets: ModuleType, root: Path) -> list[Part]:
        """The files that are read, with their published checksums."""
        raise AssertionError("a web dataset defines parts()")

    def archives(self, datasets: ModuleType, root: Path) -> list[Part]:
        """What they are unpacked from."""
        return []

    def open(self, datasets: ModuleType, root: Path, download: bool) -> Any:
        """What the files hold, after a download if that is asked for."""
        raise AssertionError("a web dataset defines open()")

    def opened(self) -> Any:
        """What the files hold.

        Raises:
            UserError: in one line, what is missing or damaged, where, and what to do.
        """
        from torchvision import datasets  # seconds to import: only here

        root = expanded(self.root, "dataset.root=")
        name = type(self).__name__
        try:
            parts, archives = self.parts(datasets, root), self.archives(datasets, root)
            missing = [part.path for part in parts if not part.path.exists()]
            if missing:
                require_published(archives)
            try:
                with _leaving_no_folder(self.place):
                    return self.open(datasets, root, bool(missing))
            except Exception:
                require_published([*parts, *archives])
                raise
        except ModuleNotFoundError as error:
            raise UserError(
                f"dataset={name.lower()}: needs the package {error.name}: pip install {error.name}"
            ) from error
        except Damaged as error:
            again = "it is downloaded again" if self.downloaded else "get it again"
            raise UserError(
                f"dataset.root={self.root}: {printable(str(error))}: {again} after deleting {error.path.absolute()}, "
                f"or put {self.files} there"
            ) from error
        except Exception as error:  # what reads half a download raises anything
            reason = first_line(error).strip("<>: ")
            place = self.place
            there = self.folder and any(place.glob("*")) and not isinstance(error, URLError)
            torn = f", after deleting {place} if what is there is half a download" if there else ""
            raise UserError(
                f"dataset.root={self.root}: no usable {name} there and no download ({printable(reason)}): put "
                f"{self.files} into {place}{torn}, or set dataset.root to where they are"
            ) from error

    @property
    def folder(self) -> str:
        """Where under ``root`` torchvision looks."""
        return ""

    @property
    def place(self) -> Path:
        """The folder in which torchvision looks."""
        return expanded(self.root, "dataset.root=").absolute() / self.folder

    def load(self) -> Samples:
        dataset = self.opened()
        pictures, labels = np.asarray(dataset.data), np.asarray(self.targets(dataset))
        whole = pictures.dtype == np.uint8 and pictures.ndim in (3, 4) and labels.dtype.kind in "iu" and pictures.size
        known = not self.classes or set(np.unique(labels)) <= self.given
        if not whole or labels.shape != pictures.shape[:1] or not known:
            raise UserError(
                f"dataset.root={self.root}: the files of {type(self).__name__} hold no pictures with their labels "
                f"({pictures.dtype} {pictures.shape} with {labels.dtype} {labels.shape}): get them again, "
                f"after deleting {self.files} in {self.place}"
            )
        return self.fitted(pictures, labels, self.names(dataset))

    def targets(self, dataset: Any) -> Any:
        return dataset.targets

    def names(self, dataset: Any) -> Sequence[str]:
        """What the classes are called, by label; nothing where they are digits."""
        return ()


@contextmanager
def _leaving_no_folder(place: Path) -> Iterator[None]:
    """Takes the folders away again that a download made on the way to ``place``, where nothing came of it."""
    made = [folder for folder in (place, *place.parents) if not folder.exists()]
    try:
        yield
    except BaseException:
        for folder in made:
            with suppress(OSError):  # it is not there, or not empty
                folder.rmdir()
        raise


class MNIST(WebDataset):
    sizes = PICTURES["mnist"]
    files = "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte"

    @property
    def folder(self) -> str:
        return f"{type(self).__name__}/raw"

    def published(self, datasets: ModuleType) -> list[tuple[str, str]]:
        """The packed files of this split, pictures first, and their checksums."""
        pairs = vars(datasets)[type(self).__name__].resources
        return pairs[:2] if self.split == "train" else pairs[2:]

    def parts(self, datasets: ModuleType, root: Path) -> list[Part]:
        return [Part(part.path.with_suffix("")) for part in self.archives(datasets, root)]

    def archives(self, datasets: ModuleType, root: Path) -> list[Part]:
        place = root / self.folder
        return [Part(place / url.rpartition("/")[2], md5) for url, md5 in self.published(datasets)]

    def open(self, datasets: ModuleType, root: Path, download: bool) -> Arrays:
        made = vars(datasets)[type(self).__name__]
        if download:
            for url, md5 in self.published(datasets):
                mirrors = [""] if "/" in url else made.mirrors
                _fetch(datasets, [f"{mirror}{url}" for mirror in mirrors], root / self.folder, md5)
        pictures, labels = (part.path for part in self.parts(datasets, root))
        return Arrays(*self.pair(pictures, labels), made.classes)

    def pair(self, pictures: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
        return read_pair(pictures, labels)


def _fetch(datasets: ModuleType, urls: Sequence[str], folder: Path, md5: str) -> None:
    """Downloads a file from the first place that has it, and unpacks it."""
    for url in urls:
        try:
            datasets.utils.download_and_extract_archive(url, str(folder), md5=md5)
            return
        except (RuntimeError, URLError):
            if url == urls[-1]:
                raise


class FashionMNIST(MNIST):
    def names(self, dataset: Any) -> Sequence[str]:
        return dataset.classes


class KMNIST(FashionMNIST):
    pass


class QMNIST(MNIST):
    sizes = PICTURES["qmnist"]
    files = "the qmnist-*-images-idx3-ubyte.gz and qmnist-*-labels-idx2-int.gz files"

    def published(self, datasets: ModuleType) -> list[tuple[str, str]]:
        return datasets.QMNIST.resources[datasets.QMNIST.subsets[self.split]]

    def pair(self, pictures: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
        values, found = read_pair(pictures, labels, kind=12)  # column 0 is the digit, the others tell who wrote it
        part = {"test10k": slice(10000), "test50k": slice(10000, None)}.get(self.split, slice(None))
        return values[part], found[part]


class CIFAR10(WebDataset):
    sizes = PICTURES["cifar10"]
    files = "cifar-10-python.tar.gz or its unpacked folder cifar-10-batches-py"

    def parts(self, datasets: ModuleType, root: Path) -> list[Part]:
        made = datasets.CIFAR10
        batches = made.train_list if self.split == "train" else made.test_list
        named = [*batches, (made.meta["filename"], made.meta["md5"])]
        return [Part(root / made.base_folder / name, md5) for name, md5 in named]

    def archives(self, datasets: ModuleType, root: Path) -> list[Part]:
        return [Part(root / datasets.CIFAR10.filename, datasets.CIFAR10.tgz_md5)]

    def open(self, datasets: ModuleType, root: Path, download: bool) -> Arrays:
        made = datasets.CIFAR10
        if download:
            datasets.utils.download_and_extract_archive(made.url, str(root), filename=made.filename, md5=made.tgz_md5)
        *batches, meta = self.parts(datasets, root)
        read = [_batch(part) for part in batches]
        names = unpickled(meta).get(made.meta["key"])
        if not isinstance(names, list) or len(names) != len(TEN):
            raise Damaged(meta.path, "does not name the classes")
        pictures, labels = (np.concatenate(arrays) for arrays in zip(*read, strict=True))
        return Arrays(pictures.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels, [*map(str, names)])

    def names(self, dataset: Any) -> Sequence[str]:
        return dataset.classes


def _batch(part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Pictures, uint8 (N, 3072), and their labels."""
    found = unpickled(part)
    values, labels = np.asarray(found.get("data")), np.asarray(found.get("labels"))
    if values.dtype != np.uint8 or values.shape != (*labels.shape, 3072) or labels.dtype.kind != "i":
        raise Damaged(part.path, "holds no pictures with their labels")
    return values, labels


class SVHN(WebDataset):
    sizes = PICTURES["svhn"]
    files = "train_32x32.mat, test_32x32.mat or extra_32x32.mat"

    def parts(self, datasets: ModuleType, root: Path) -> list[Part]:
        _, name, md5 = datasets.SVHN.split_list[self.split]
        return [Part(root / name, md5)]

    def open(self, datasets: ModuleType, root: Path, download: bool) -> Any:
        return datasets.SVHN(str(root), split=self.split, download=download)

    def targets(self, dataset: Any) -> Any:
        return dataset.labels


@dataclass(frozen=True, kw_only=True)
class STL10(SVHN):
    sizes = PICTURES["stl10"]
    files = "stl10_binary.tar.gz or its unpacked folder stl10_binary"

    given: ClassVar[frozenset[int]] = TEN | {UNKNOWN}

    unlabelled: bool = False

    @property
    def classes(self) -> int:
        """Of ``train+unlabeled`` only for a model that can do with some labels."""
        some = self.split == "train+unlabeled" and self.unlabelled
        return 10 if some or "unlabeled" not in self.split else 0

    def names(self, dataset: Any) -> Sequence[str]:
        return dataset.classes

    def parts(self, datasets: ModuleType, root: Path) -> list[Part]:
        made = datasets.STL10
        return [Part(root / made.base_folder / name, md5) for name, md5 in [*made.train_list, *made.test_list]]

    def archives(self, datasets: ModuleType, root: Path) -> list[Part]:
        return [Part(root / datasets.STL10.filename, datasets.STL10.tgz_md5)]

    def open(self, datasets: ModuleType, root: Path, download: bool) -> Any:
        return datasets.STL10(str(root), split=self.split, download=download)
