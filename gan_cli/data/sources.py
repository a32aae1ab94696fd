"""The well-known datasets: the shipped digits, and torchvision's loaders for the rest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar
from urllib.error import URLError

import numpy as np

from gan_cli.data.cache import cached_pictures
from gan_cli.data.images import ImageDataset
from gan_cli.data.samples import Samples
from gan_cli.errors import UserError


class Digits(ImageDataset):
    """10,000 training and 2,000 test digits of MNIST, in the package."""

    def load(self) -> Samples:
        with resources.files("gan_cli").joinpath("assets/digits.npz").open("rb") as file:
            arrays = np.load(file)
            return self.pack(arrays[f"{self.split}_images"], arrays[f"{self.split}_labels"])


@dataclass(frozen=True, kw_only=True)
class WebDataset(ImageDataset):
    """A dataset that torchvision downloads into ``root`` when it is not there yet."""

    files: ClassVar[str]

    root: str

    def open(self, datasets: Any, root: Path) -> Any:
        """The torchvision dataset."""
        raise AssertionError("a web dataset defines open()")

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """The torchvision dataset, or one line on what is missing and where to put it."""
        from torchvision import datasets  # seconds to import: only here

        root = Path(self.root).expanduser()
        name = type(self).__name__
        try:
            root.mkdir(parents=True, exist_ok=True)
            yield self.open(datasets, root)
        except ModuleNotFoundError as error:
            raise UserError(
                f"dataset={name.lower()}: needs the package {error.name}: pip install {error.name}"
            ) from error
        except (URLError, RuntimeError, OSError, EOFError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            reason = str(error).splitlines()[0].strip("<>: ") if str(error) else type(error).__name__
            raise UserError(
                f"dataset.root={self.root}: no usable {name} there and no download ({reason}): put {self.files} into "
                f"{root.absolute() / self.folder}, or set dataset.root to where they are"
            ) from error

    @property
    def folder(self) -> str:
        """Where under ``root`` torchvision looks."""
        return ""

    def load(self) -> Samples:
        with self.opened() as dataset:
            return self.pack(np.asarray(dataset.data), np.asarray(self.targets(dataset)), self.names(dataset))

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
        return getattr(datasets, type(self).__name__)(str(root), train=self.split == "train", download=True)


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
        with self.opened() as dataset:
            count = min(self.limit or len(dataset), len(dataset))
            identity = [type(self).__name__, self.split, *self.marks(), count, self.size, self.channels]

            def picture(index: int) -> Any:
                return dataset[index][0]

            return Samples(cached_pictures(Path(self.root), identity, count, picture, self.size, self.channels).values)

    def marks(self) -> list[Any]:
        """What else tells this selection of pictures from another."""
        return []


class CelebA(PictureFiles):
    files = "img_align_celeba.zip, list_attr_celeba.txt, list_eval_partition.txt and the other list files"

    @property
    def folder(self) -> str:
        return "celeba"

    def open(self, datasets: Any, root: Path) -> Any:
        return datasets.CelebA(str(root), split=self.split, download=True)


@dataclass(frozen=True, kw_only=True)
class LSUN(PictureFiles):
    category: str

    test_split: ClassVar[str] = "val"
    files: ClassVar[str] = "the unpacked folder <category>_<split>_lmdb"

    def open(self, datasets: Any, root: Path) -> Any:
        which = "test" if self.split == "test" else [f"{self.category}_{self.split}"]
        here = Path.cwd()
        os.chdir(root)  # torchvision leaves an index of the keys in the current folder
        try:
            return datasets.LSUN(".", classes=which)
        finally:
            os.chdir(here)

    def marks(self) -> list[Any]:
        return [self.category]
