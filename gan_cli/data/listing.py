"""What a folder or zip holds: its pictures, those that cannot be used and why, and its classes."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

from PIL import Image

from gan_cli.data import opening
from gan_cli.data.opening import HEIF_IN_NAMES, kinds
from gan_cli.output.text import few

HEIF = frozenset({".heic", ".heics", ".heif", ".heifs", ".hif"})
CAMERA = frozenset({".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw"})
OTHERS = frozenset(  # pictures of kinds that are not read, or not by every Pillow
    {
        *(".avif", ".avifs", ".blp", ".cur", ".dcx", ".dds", ".emf", ".eps", ".exr", ".fit", ".fits", ".flc", ".fli"),
        *(
            ".fpx",
            ".ftc",
            ".ftu",
            ".gbr",
            ".hdr",
            ".im",
            ".iim",
            ".j2k",
            ".jp2",
            ".jpx",
            ".jxl",
            ".jxr",
            ".mic",
            ".msp",
        ),
        *(".palm", ".pcd", ".ps", ".pxr", ".ras", ".svg", ".webp", ".wmf", ".xbm", ".xcf", ".xpm"),
    }
)

SHOWN = 5  # names in a line
ANY = "/*"  # what stands for the pictures of a folder that cannot be opened
LOST = "are links to nothing"
CLOSED = "cannot be opened"
UNREADABLE = "cannot be read"
PACKED_LINK = "are links, which a zip cannot follow"
NO_KIND = "are of a kind that is not read here"
NO_FILE = "are neither files nor folders"
HEIC = "need pip install 'gan-cli[heif]'"
OTHER = "other file{s}"
RUNS = "output{s} of gan-train"
EMPTY = "empty folder{s}"
TWICE = "link{s} to what is there already"
SAME_NAME = "member{s} of a name that comes again"
UNLABELLED = ("unlabelled", "unlabeled")  # folders of pictures that are of no known class


class File(NamedTuple):
    """A picture file: name below the source, size in bytes, and when it was last changed; of a zip member, its CRC."""

    name: str
    size: int
    stamp: int


@dataclass
class Listing:
    """What a folder or zip holds.

    Attributes:
        pictures: in the order of their names.
        missing: names of pictures that cannot be used, by the reason; of a folder, its name and ``/*``.
        passed: names of what is left out because it is no picture of the source, by what it is instead.
        entries: of a zip, the member of each name.
    """

    pictures: list[File] = field(default_factory=list)
    missing: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    passed: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    entries: dict[str, zipfile.ZipInfo] = field(default_factory=dict)

    def put(self, name: str, size: int, stamp: int) -> None:
        """Puts a file where it belongs."""
        ending = ending_of(name)
        if ending in readable(heif=ending in HEIF):
            self.pictures.append(File(name, size, stamp))
        elif ending in HEIF:
            self.missing[HEIC].append(name)
        elif ending in CAMERA | OTHERS:
            self.missing[f"{NO_KIND} ({ending})"].append(name)
        else:
            self.passed[OTHER].append(name)

    @cached_property
    def class_names(self) -> list[str]:
        """The folders at the first level, if every picture lies in one and there are at least two.

        Folders around them all, as many zips have one, are looked through. A folder of pictures that cannot be used is
        a class too, so that numbers do not change when they can.
        """
        return [] if self.beside else self._first_level

    @cached_property
    def beside(self) -> list[str]:
        """Pictures that lie in no first-level folder: with any of these the folders are no classes."""
        return [file.name for file in self.pictures if len(parts_of(file.name)) <= self._depth + 1]

    @cached_property
    def labels(self) -> dict[str, int]:
        """The class of each picture by its name; empty without classes."""
        return self.labels_of(self.class_names)

    @cached_property
    def known_class_names(self) -> list[str]:
        """The folders at the first level that are classes where other pictures lie beside them, or are unlabelled."""
        return of_known_classes(self._first_level)

    def labels_of(self, class_names: Sequence[str]) -> dict[str, int]:
        """The class of each picture that lies in a folder of these names at the first level."""
        number = {name: i for i, name in enumerate(class_names)}
        folders = {file.name: parts_of(file.name) for file in self.pictures} if number else {}
        there = {name: part[self._depth] for name, part in folders.items() if len(part) > self._depth + 1}
        return {name: number[folder] for name, folder in there.items() if folder in number}

    @cached_property
    def _first_level(self) -> list[str]:
        parts = [parts_of(name) for name in self._in_folders]
        return sorted({part[self._depth] for part in parts if len(part) > self._depth + 1}, key=natural)

    @cached_property
    def _in_folders(self) -> list[str]:
        """Every picture, and those of the missing ones that lie in a folder."""
        missing = [name for names in self.missing.values() for name in names if "/" in name and name[-2:] != ANY]
        return [*(file.name for file in self.pictures), *missing]

    @cached_property
    def _depth(self) -> int:
        """How many folders lie around all pictures."""
        folders = {"/" + name.rpartition("/")[0] for name in self._in_folders}
        return len(parts_of(posixpath.commonpath(folders).strip("/")))

    def told(self, unreadable: Sequence[str] = (), *, unlabelled: bool = False) -> str:
        """What is left out and why, in one line; empty if nothing is.

        Args:
            unreadable: names of pictures that could not be decoded.
            unlabelled: whether pictures beside the folders are those without a class.
        """
        total = len(self.pictures) + sum(map(len, self.missing.values()))
        lost = {**({UNREADABLE: list(unreadable)} if unreadable else {}), **self.missing}
        told = [f"{len(names):,} of {total:,} pictures {reason}: {few(names, SHOWN)}" for reason, names in lost.items()]
        aside = [f"{len(n):,} {kind.format(s='s' * (len(n) > 1))} ({few(n, 1)})" for kind, n in self.passed.items()]
        if any(reason.startswith(NO_KIND) for reason in self.missing):
            told.append(endings_read())
        if aside:
            told.append(f"left aside: {', '.join(aside)}")
        if self.beside and len(self._first_level) > 1 and not unlabelled:
            told.append(f"the folders are no classes, for pictures lie beside them: {few(self.beside, 1)}")
        return "; ".join(told)

    def lacks_most(self, unreadable: int = 0) -> bool:
        """Whether more than half of the pictures cannot be used."""
        missing = sum(map(len, self.missing.values()))
        return 2 * (missing + unreadable) > len(self.pictures) + missing


def parts_of(name: str) -> tuple[str, ...]:
    """``a/b.png`` → (a, b.png)."""
    return tuple(name.split("/")) if name else ()


def ending_of(name: str) -> str:
    """``a/b.PNG`` → .png"""
    return posixpath.splitext(name)[1].lower()


def natural(name: str) -> tuple[list[str | int], str]:
    """Sorts 2 before 10: the words and the numbers of a name in turn."""
    pieces = re.split(r"(\d+)", name)
    return [int(piece) if i % 2 else piece for i, piece in enumerate(pieces)], name


@lru_cache
def readable(heif: bool = False) -> frozenset[str]:
    """The endings of what is read by the Pillow that is here, after asking for its HEIF plugin if that is wanted."""
    if heif:
        HEIF_IN_NAMES[:] = [version] if (version := opening.heif()) else []
    read = kinds()
    return frozenset(ending for ending, kind in Image.registered_extensions().items() if kind in read)


def endings_read() -> str:
    known = readable()
    return f"files such as {', '.join(e for e in ('.png', '.jpg', '.webp', '.bmp', '.tif') if e in known)} are read"


def of_known_classes(folders: Iterable[str]) -> list[str]:
    """The folders that are classes: all but one for what is of no known class."""
    return [name for name in folders if name.casefold() not in UNLABELLED]
