"""Runs that grow while they are looked at: what is new of them, read as it comes."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gan_cli.commands.report.collect import folders_in, is_whole
from gan_cli.commands.report.facts import among, as_json, chosen, of_all, of_one, points_of
from gan_cli.commands.report.logged import Logged
from gan_cli.commands.report.page import shown_reals
from gan_cli.commands.report.pictures import real_of, webp
from gan_cli.commands.report.reading import note
from gan_cli.commands.report.run_record import RunRecord
from gan_cli.output import lock

EVERY = 1.0  # seconds between two looks at the folders, however many ask
GRIDS = 60  # of a run, that can be chosen
SMALL, LARGE = 480, 2000  # pixels of a picture's longer side: among others, and enlarged
KEPT = 400  # pictures in memory
WATCHED = ("status.json", "metrics.jsonl", "samples", ".hydra")  # what changes when a run has something new

Signature = tuple[object, ...]
Picture = tuple[int, str, bool]  # the number of its run; its step or ``real``; whether it is to be large


@dataclass
class Seen:
    """A run on the page.

    Attributes:
        number: by which the page knows it.
        run: as it was read last.
        signature: of its files then.
        own: facts about it alone, as JSON.
        among: facts that depend on the other runs, as JSON.
        changed: the version of the page in which one of these changed last.
    """

    number: int
    run: RunRecord
    signature: Signature
    own: str = ""
    among: str = ""
    changed: int = 0


class Growing:
    """The runs below some folders, as they are at each look.

    Args:
        paths: as they were typed.

    Raises:
        UserError: if one of them is not there.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths
        self.began = time.time_ns()
        self.version = 0
        self.points = 0
        self.every = ""  # facts about all runs, as JSON
        self.seen: dict[Path, Seen] = {}  # those on the page
        self.known: dict[Path, Seen] = {}  # whatever becomes of them
        self.useless: dict[Path, Signature] = {}  # folders that are no run, or none that can be read, as they were
        self.looked = 0.0
        self.lock = threading.Lock()
        self.pictures: OrderedDict[tuple[Path, int, int], bytes] = OrderedDict()
        list(folders_in(paths))

    def since(self, token: str) -> str:
        """What has changed since the page with this token, as JSON; all of it for a token that is not known."""
        with self.lock:
            self._look()
            named, _, version = token.partition("-")
            known = named == str(self.began) and version.isascii() and version.isdigit() and len(version) < 10
            before = int(version) if known else -1
            now = as_json(f"{self.began}-{self.version}")
            if before == self.version:
                return f'{{"token":{now}}}'
            order = [seen.number for seen in self.seen.values()]
            new = [f"{seen.own[:-1]},{seen.among[1:]}" for seen in self.seen.values() if seen.changed > before]
            return f'{self.every[:-1]},"token":{now},"order":{as_json(order)},"runs":[{",".join(new)}]}}'

    def picture(self, wanted: Picture) -> bytes:
        """A picture as WEBP; empty if there is none, or none that can be read."""
        number, name, large = wanted
        with self.lock:
            run = next((seen.run for seen in self.seen.values() if seen.number == number), None)
            path = None if run is None else real_of(run) if name == "real" else run.grid(int(name))
            if path is None:
                return b""
            key = (path, _changed(path), LARGE if large else SMALL)
            if key in self.pictures:
                return self.pictures[key]
        content = webp(path, key[2])
        with self.lock:
            self.pictures[key] = content
            while len(self.pictures) > KEPT:
                self.pictures.popitem(last=False)
        return content

    def _look(self) -> None:
        """Reads what has changed in the folders, at most once in ``EVERY`` seconds."""
        if self.looked and time.monotonic() - self.looked < EVERY:
            return
        try:
            found = {folder.resolve(): (folder, name) for _, folder, name in folders_in(self.paths, _gone)}
        except OSError:  # a folder went away meanwhile: at the next look it is not there
            return
        before = list(self.seen.values())
        self.seen = {}
        fresh = []
        for place, (folder, name) in found.items():
            seen = self.known.get(place)
            signature = _signature(folder, seen)
            if signature == self.useless.get(place):
                continue
            if seen is None or seen.signature != signature:
                run = RunRecord(folder, name, seen.run.logged if seen else Logged())
                if not is_whole(run):
                    self.useless[place] = signature
                    continue
                seen = Seen(seen.number if seen else len(self.known), run, signature)
                fresh.append(seen)
            self.seen[place] = self.known[place] = seen
        if fresh or before != list(self.seen.values()) or not self.looked:
            self._tell(fresh)
        self.looked = time.monotonic()

    def _tell(self, fresh: Sequence[Seen]) -> None:
        """Makes another version of the page."""
        self.version += 1
        runs = [seen.run for seen in self.seen.values()]
        every, points = of_all(runs, ", ".join(self.paths)), points_of(runs)
        served = Served({seen.run.folder: seen.number for seen in self.seen.values()})
        reals, real_at = shown_reals(runs, served)
        self.every = as_json({**every, "reals": reals})
        for place, seen in enumerate(self.seen.values()):
            own = seen.own
            if not own or seen in fresh or points != self.points:
                own = as_json({"id": seen.number, **of_one(seen.run, points, served)})
            others = as_json({**among(seen.run, every), "real": real_at.get(place), "link": None})
            if (own, others) != (seen.own, seen.among):
                seen.own, seen.among, seen.changed = own, others, self.version
        self.points = points


def _gone(path: str) -> None:
    """A folder may come back: what it holds is shown again then."""
    note(f"{path}: is no longer there: its runs are left out until it is back")


class Served:
    """The addresses of pictures that are fetched when they come into view; each changes with its file.

    Args:
        numbers: of the runs, by folder.
    """

    def __init__(self, numbers: dict[Path, int]) -> None:
        self.numbers = numbers

    def grids(self, run: RunRecord) -> dict[int, str]:
        steps = chosen(sorted(run.grids), GRIDS)
        return {step: f"picture/{self.numbers[run.folder]}/{step}/{_changed(run.grids[step])}" for step in steps}

    def real(self, run: RunRecord) -> str | None:
        path = real_of(run)
        return f"picture/{self.numbers[run.folder]}/real/{_changed(path)}" if path else None


def _changed(path: Path) -> int:
    """When a file was written, in nanoseconds; 0 if it is gone."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _signature(folder: Path, seen: Seen | None) -> Signature:
    """What differs when a run has something new, or has ended without a word."""
    parts: list[object] = []
    for name in WATCHED:
        try:
            found = (folder / name).stat()
        except OSError:
            parts.append(None)
        else:
            parts += (found.st_mtime_ns, found.st_size, found.st_ino)
    running = seen is not None and seen.run.written.get("status") == "running"
    return (*parts, running and lock.held(folder))
