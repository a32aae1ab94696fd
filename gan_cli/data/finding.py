"""Finds the pictures in a folder or zip: follows links, and leaves out the output of runs."""

from __future__ import annotations

import os
import stat
import zipfile
from collections import defaultdict, deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from gan_cli.data import archive
from gan_cli.data.listing import (
    ANY,
    CAMERA,
    CLOSED,
    EMPTY,
    HEIF,
    LOST,
    NO_FILE,
    OTHER,
    OTHERS,
    PACKED_LINK,
    RUNS,
    SAME_NAME,
    TWICE,
    Listing,
    ending_of,
    parts_of,
    readable,
)

RUN_MARKS, RUN_PARTS = {".hydra", "status.json"}, {"checkpoints", "metrics.jsonl"}
OUTPUT = RUN_PARTS | {"abandoned", "generated", "samples", "tensorboard", "wandb", "figure.png"}


def is_junk(name: str) -> bool:
    """Whether a name belongs to a hidden file, or to one that macOS adds to a zip."""
    return name.startswith(".") or name == "__MACOSX"


def is_run(names: Collection[str]) -> bool:
    """Whether a folder with these files and folders is a run folder of this program."""
    marks = RUN_MARKS.intersection(names)
    return len(marks) == 2 or bool(marks and RUN_PARTS.intersection(names))


def is_output(name: str, names: Collection[str]) -> bool:
    """Whether a file is a picture that ``gan-eval`` has drawn beside its result."""
    stem, drawn, _ = name.rpartition("-memorisation.png")
    return bool(drawn) and f"{stem}.json" in names


def listed(source: Path, kept: Sequence[Path] = ()) -> Listing:
    """The pictures of a folder or a zip.

    Args:
        kept: folders of this program's own files, which are left out.
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
    """Walks through a folder: first its content, then the targets of links, each folder once."""

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
            if prefix and all(map(is_junk, names)):
                self.listing.passed[EMPTY].append(prefix.rstrip("/"))
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
        elif ending_of(name) in readable():
            self.listing.missing[NO_FILE].append(name)

    def _link(self, name: str, path: Path) -> None:
        try:
            facts = path.stat()
        except OSError:  # a broken link, a circle, or no permission
            kinds = readable() | HEIF | CAMERA | OTHERS
            ending = ending_of(name)
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
    folders: set[tuple[str, ...]] = set()
    for member in members:
        name = _name_of(member)
        if member.is_dir() or name.endswith("/"):
            folders.add(parts_of(name.rstrip("/")))
            continue
        if name in listing.entries:
            listing.passed[SAME_NAME].append(name)
        listing.entries[name] = member
        parts = parts_of(name)
        for i, part in enumerate(parts):
            inside[parts[:i]].add(part)
    within = (parts for parts in (*folders, *map(parts_of, listing.entries)) if not any(map(is_junk, parts)))
    for leaf in folders - {parts[:i] for parts in within for i in range(len(parts))}:
        if leaf and not any(map(is_junk, leaf)):
            listing.passed[EMPTY].append("/".join(leaf))
    runs = {folder for folder, names in inside.items() if folder and is_run(names)}
    for name, member in listing.entries.items():
        parts = parts_of(name)
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
    """A member's name with forward slashes, decoded as UTF-8 if it is, also without the flag, as macOS writes it."""
    name = member.filename
    if not member.flag_bits & 0x800:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode()
    name = name.replace("\\", "/")
    return "/".join(part for part in name.split("/") if part not in ("", ".", "..")) + "/" * name.endswith("/")
