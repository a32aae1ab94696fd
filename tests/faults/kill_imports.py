"""``kill -9`` in the middle of an import of pictures, several times, and what is there in the end.

``python tests/faults/kill_imports.py --pictures 6000 --count 5 --kills 3 --seed 0``. Each point is an import of a
folder, then of a zip, that is killed at random moments, when n pictures are decoded or when it is about to change the
disk for the n-th time, and begun again with the same command. It must end in the bytes of the undisturbed import, all
of them, and nothing else may lie in the cache. ``--from FOLDER`` takes pictures of your own.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import forked
import numpy as np
from PIL import Image

from gan_cli.config.library import Library
from gan_cli.data import decoding

SIDE = 16
GOES_ON = "goes on with an import that was interrupted"


def pictures(folder: Path, count: int) -> Path:
    """Different ones in two classes, every 50th of which is damaged, and every 40th another one again."""
    draws = np.random.default_rng(0)
    for i in range(count):
        path = folder / "ab"[i % 2] / f"{i:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if i % 40 == 39:
            shutil.copy(folder / "ab"[(i - 6) % 2] / f"{i - 6:06}.png", path)
        elif i % 50 == 49:
            path.write_bytes(b"no picture")
        else:
            Image.fromarray(draws.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(path, compress_level=1)
    return folder


def packed(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for picture in sorted(folder.rglob("*.*")):
            archive.write(picture, picture.relative_to(folder).as_posix())
    return path


def imported(source: Path, root: Path, **options: object) -> None:
    """Imports a source in this process."""
    options = {"size": SIDE, "duplicates": "drop", **options}
    Library().build_by_name("dataset", "image_folder", path=str(source), root=str(root), **options).load()


def in_a_fork(action: Callable[[], None], before: Callable[[], None]) -> tuple[int, str]:
    """The exit code of a process that does this, or minus the signal that killed it; what it logged."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(reading)
            logging.getLogger().handlers[:] = [logging.StreamHandler(os.fdopen(writing, "w"))]
            logging.getLogger().setLevel(logging.INFO)
            before()
            action()
            os._exit(0)
        except BaseException:
            logging.exception("failed")
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, errors="replace") as said:
        words = said.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), words


def files(root: Path) -> dict[str, bytes]:
    """All but the lock of a process that was killed, which keeps nobody out."""
    return {path.name: path.read_bytes() for path in (root / "cache").iterdir() if path.suffix != ".lock"}


def undisturbed(source: Path, root: Path) -> int:
    """Imports without a fault, and returns how often that changes the disk."""
    reading, writing = os.pipe()

    def counting() -> None:
        sys.addaudithook(lambda event, given: forked.writes(event, given) and os.write(writing, b".") and None)

    code, words = in_a_fork(lambda: imported(source, root), counting)
    os.close(writing)
    assert code == 0, words
    with os.fdopen(reading, "rb") as counted:
        return len(counted.read())


def killed_at_picture(number: int) -> Callable[[], None]:
    """For ``before``: ``kill -9`` when so many pictures are decoded, by this process and those before it."""

    def arm() -> None:
        counting = decoding.counting

        @contextmanager
        def killing(doing: str, did: str, total: int, done: int, by: str) -> Iterator[Callable[[int], None]]:
            left = number - done
            with counting(doing, did, total, done, by) as tick:

                def ticking(more: int) -> None:
                    nonlocal left
                    tick(more)
                    left -= more
                    if left <= 0:
                        os.kill(os.getpid(), signal.SIGKILL)

                yield ticking

        decoding.counting = killing

    return arm


def moment(draws: random.Random, events: int, count: int) -> tuple[str, Callable[[], None]]:
    if draws.random() < 0.4:
        number = draws.randint(1, events // 2)  # one that goes on changes it less often
        return f"at change {number} of the disk", forked.killed_at_event(number)
    number = draws.randint(1, count)
    return f"at picture {number}", killed_at_picture(number)


def point(source: Path, root: Path, seed: int, kills: int, events: int, count: int) -> tuple[list[str], int]:
    """Kills so many times and continues: the moments, and how often an import went on with what was there."""
    draws, told, went_on = random.Random(seed), [], 0
    for left in reversed(range(kills + 1)):
        said, before = moment(draws, events, count) if left else ("", lambda: None)
        code, words = in_a_fork(lambda: imported(source, root), before)
        went_on += GOES_ON in words
        told += [said] if code else []
        assert code in (0, -9), words
        if code == 0:
            break
    return told, went_on


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=6000)
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--from", type=Path, dest="source")
    options = parser.parse_args(arguments)
    lost = 0
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        folder = options.source or pictures(work / "pictures", options.pictures)
        count = sum(path.is_file() for path in folder.rglob("*"))
        decoding.STRETCH_BYTES = 2**18  # so that there is something to go on with
        for source in (folder, packed(folder, work / "pictures.zip")):
            began, events = time.monotonic(), undisturbed(source, work / "whole")
            wanted = files(work / "whole")
            size = sum(map(len, wanted.values()))
            print(f"{source.name}: {size:,} bytes in {time.monotonic() - began:.1f} s, {events} changes of the disk")
            for number in range(options.count):
                told, went_on = point(source, work / "killed", options.seed + number, options.kills, events, count)
                same = files(work / "killed") == wanted
                lost += not same
                words = "the same bytes" if same else "OTHER BYTES"
                print(f"  killed {', '.join(told) or 'too late'}: went on {went_on} times, {words}", flush=True)
                shutil.rmtree(work / "killed")
            shutil.rmtree(work / "whole")
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
