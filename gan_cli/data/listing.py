"""Which files of a folder or zip are pictures, which of them cannot be used and why, and which folders are classes."""

from __future__ import annotations

import os
import posixpath
import re
import stat
import zipfile
from collections import defaultdict, deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from gan_cli.data import archive

HEIF = frozenset({".heic", ".heics", ".heif", ".heifs", ".hif"})
CAMERA = frozenset({".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw"})
OTHERS = frozenset({".avif", ".exr", ".hdr", ".jp2", ".jxl", ".jxr", ".svg", ".xcf"})
STUBS = frozenset({"BUFR", "GRIB", "HDF5", "MPEG"})  # Pillow knows these files by name and decodes none of them
RUN_MARKS, RUN_PARTS = {".hydra", "status.json"}, {"checkpoints", "metrics.jsonl"}
OUTPUT = RUN_PARTS | {"abandoned", "generated", "samples", "tensorboard", "wandb", "figure.png"}

ANY = "/*"  # what stands for the pictures of a folder that cannot be opened
LOST = "are links to nothing"
CLOSED = "cannot be opened"
UNREADABLE = "cannot be read"
PACKED_LINK = "are links, which a zip cannot follow"
NO_FILE = "are neither files nor folders"
HEIC = "need pip install 'gan-cli[heif]'"
OTHER = "other file{s}"
RUNS = "output{s} of gan-train"
TWICE = "link{s} to what is there already"
SAME_NAME = "member{s} of a name that comes again"


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
        ending = _ending(name)
        if ending in readable(heif=ending in HEIF):
            self.pictures.append(File(name, size, stamp))
        elif ending in HEIF:
            self.missing[HEIC].append(name)
        elif ending in CAMERA | OTHERS:
            self.missing[f"are of a kind that is not read here ({ending})"].append(name)
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
        return [file.name for file in self.pictures if len(_parts(file.name)) <= self._depth + 1]

    @cached_property
    def labels(self) -> dict[str, int]:
        """The class of each picture by its name; empty without classes."""
        number = {name: i for i, name in enumerate(self.class_names)}
        return {file.name: number[_parts(file.name)[self._depth]] for file in self.pictures if number}

    @cached_property
    def _first_level(self) -> list[str]:
        parts = [_parts(name) for name in self._in_folders]
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
        return len(_parts(posixpath.commonpath(folders).strip("/")))

    def told(self, unreadable: Sequence[str] = ()) -> str:
        """What is left out and why, in one line; empty if nothing is.

        Args:
            unreadable: names of pictures that could not be decoded.
        """
        total = len(self.pictures) + sum(map(len, self.missing.values()))
        lost = {**({UNREADABLE: list(unreadable)} if unreadable else {}), **self.missing}
        told = [f"{len(names):,} of {total:,} pictures {reason}: {_few(names)}" for reason, names in lost.items()]
        aside = [f"{len(n):,} {kind.format(s='s' * (len(n) > 1))} ({_few(n, 1)})" for kind, n in self.passed.items()]
        if aside:
            told.append(f"left aside: {', '.join(aside)}")
        if self.beside and len(self._first_level) > 1:
            told.append(f"the folders are no classes, for pictures lie beside them: {_few(self.beside, 1)}")
        return "; ".join(told)

    def lacks_most(self, unreadable: int = 0) -> bool:
        """Whether more than half of the pictures cannot be used."""
        missing = sum(map(len, self.missing.values()))
        return 2 * (missing + unreadable) > len(self.pictures) + missing


def _few(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(printable, names[:most])) + more


def printable(name: str) -> str:
    """A file's name on one line of text, whatever bytes it is made of."""
    text = name.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _parts(name: str) -> tuple[str, ...]:
    return tuple(name.split("/")) if name else ()


def _ending(name: str) -> str:
    return posixpath.splitext(name)[1].lower()


def natural(name: str) -> tuple[list[str | int], str]:
    """Sorts 2 before 10: the words and the numbers of a name in turn."""
    pieces = re.split(r"(\d+)", name)
    return [int(piece) if i % 2 else piece for i, piece in enumerate(pieces)], name


@lru_cache
def readable(heif: bool = False) -> frozenset[str]:
    """The endings that Pillow can open, after asking for its HEIF plugin if that is wanted."""
    if heif:
        try:
            from pillow_heif import register_heif_opener
        except ImportError:
            pass
        else:
            register_heif_opener()
    known = Image.registered_extensions()
    return frozenset(ending for ending, kind in known.items() if kind in Image.OPEN and kind not in STUBS)


def is_junk(name: str) -> bool:
    """What systems leave beside pictures; nobody misses it."""
    return name.startswith(".") or name == "__MACOSX"


def is_run(names: Collection[str]) -> bool:
    """Whether a folder of these files and folders is one that a run of this program has left."""
    marks = RUN_MARKS.intersection(names)
    return len(marks) == 2 or bool(marks and RUN_PARTS.intersection(names))


def is_output(name: str, names: Collection[str]) -> bool:
    """Whether a file beside others is a picture that ``gan-eval`` has drawn for a result among them."""
    stem, drawn, _ = name.rpartition("-memorisation.png")
    return bool(drawn) and f"{stem}.json" in names


def listed(source: Path, kept: Sequence[Path] = ()) -> Listing:
    """The pictures of a folder or a zip.

    Args:
        kept: folders in which this program keeps what it has made.
    """
    if source.is_dir():
        listing = _Walk(source, kept).listing
    else:
        with archive.opened(source) as packed:
            listing = _in_zip(packed.infolist())
    listing.pictures.sort()
    for names in (*listing.missing.values(), *listing.passed.values()):
        names.sort()
    return listing


class _Walk:
    """Goes through a folder: first what lies in it, then where links lead, into each folder once."""

    def __init__(self, source: Path, kept: Sequence[Path]) -> None:
        self.listing = Listing()
        self._files: set[tuple[int, int]] = set()  # device and inode
        self._folders = {key for place in (*kept, *source.resolve().parents) if (key := _key_of(place))}
        self._links: deque[tuple[str, Path]] = deque()
        self._folder(source, "")
        while self._links:
            self._link(*self._links.popleft())

    def _folder(self, path: Path, prefix: str) -> None:
        waiting = [(path, prefix)]
        while waiting:
            path, prefix = waiting.pop()
            try:
                key, entries = _key_of(path), sorted(os.scandir(path), key=lambda entry: entry.name)
            except OSError:
                self.listing.missing[CLOSED].append(prefix + ANY[1:])
                continue
            if key in self._folders:
                continue  # one of those that are kept
            names = {entry.name for entry in entries}
            if is_run(names):
                if prefix:
                    self.listing.passed[RUNS].append(prefix.rstrip("/"))
                    continue
                self.listing.passed[RUNS] += sorted(names & OUTPUT)
                entries = [entry for entry in entries if entry.name not in OUTPUT]
            if key:
                self._folders.add(key)
            for entry in entries:
                name = prefix + entry.name
                if is_junk(entry.name):
                    continue
                if is_output(entry.name, names):
                    self.listing.passed[RUNS].append(name)
                elif entry.is_symlink():
                    self._links.append((name, Path(entry.path)))
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append((Path(entry.path), f"{name}/"))
                else:
                    self._file(name, Path(entry.path))

    def _file(self, name: str, path: Path) -> None:
        try:
            facts = path.stat()
        except OSError:
            self.listing.missing[CLOSED].append(name)
            return
        self._files.add((facts.st_dev, facts.st_ino))
        self._sorted(name, facts)

    def _sorted(self, name: str, facts: os.stat_result) -> None:
        if stat.S_ISREG(facts.st_mode):
            self.listing.put(name, facts.st_size, max(facts.st_mtime_ns, facts.st_ctime_ns))
        elif _ending(name) in readable():
            self.listing.missing[NO_FILE].append(name)

    def _link(self, name: str, path: Path) -> None:
        try:
            facts = path.stat()
        except OSError:  # leads nowhere, in a circle, or where we may not look
            kinds = readable() | HEIF | CAMERA | OTHERS
            ending = _ending(name)
            lost = self.listing.missing[LOST] if not ending or ending in kinds else self.listing.passed[OTHER]
            lost.append(name)
            return
        key = facts.st_dev, facts.st_ino
        if key in self._folders or key in self._files:
            self.listing.passed[TWICE].append(name)
        elif stat.S_ISDIR(facts.st_mode):
            self._folder(path, f"{name}/")
        else:
            self._sorted(name, facts)


def _key_of(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _in_zip(members: Sequence[zipfile.ZipInfo]) -> Listing:
    listing = Listing()
    inside: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for member in members:
        name = _name_of(member)
        if member.is_dir() or name.endswith("/"):
            continue
        if name in listing.entries:
            listing.passed[SAME_NAME].append(name)
        listing.entries[name] = member
        parts = _parts(name)
        for i, part in enumerate(parts):
            inside[parts[:i]].add(part)
    runs = {folder for folder, names in inside.items() if folder and is_run(names)}
    for name, member in listing.entries.items():
        parts = _parts(name)
        run = next((parts[:i] for i in range(1, len(parts)) if parts[:i] in runs), None)
        if run:
            if (folder := "/".join(run)) not in listing.passed[RUNS]:
                listing.passed[RUNS].append(folder)
        elif is_output(parts[-1], inside[parts[:-1]]):
            listing.passed[RUNS].append(name)
        elif any(is_junk(part) for part in parts):
            continue
        elif stat.S_ISLNK(member.external_attr >> 16):
            listing.missing[PACKED_LINK].append(name)
        else:
            listing.put(name, member.file_size, member.CRC)
    return listing


def _name_of(member: zipfile.ZipInfo) -> str:
    """A member's name with forward slashes; as UTF-8 where it is that without saying so, as macOS leaves it."""
    name = member.filename
    if not member.flag_bits & 0x800:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode()
    name = name.replace("\\", "/")
    return "/".join(part for part in name.split("/") if part not in ("", ".", "..")) + "/" * name.endswith("/")
