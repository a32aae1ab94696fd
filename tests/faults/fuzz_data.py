"""Damages real files of every kind that a dataset is read from, and tells what comes of it.

``python tests/faults/fuzz_data.py --count 3000 --seed 0``: each trial flips bits, cuts, empties a page, gives a file
the head of another kind or writes an absurd number into it, and then loads the dataset. A picture is to be read or left
out with a line, all else read or refused with a line: nothing may end in a trace, hang, or take memory.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import logging
import os
import pickle
import random
import re
import resource
import struct
import sys
import time
import traceback
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
from PIL import Image

from gan_cli.config.library import Library
from gan_cli.errors import UserError

SIDE, SLOW, TOGETHER = 24, 20.0, 25  # of a picture; seconds; damaged pictures that are read in one go
OUTCOMES = ("read", "left out", "refused", "trace", "hang")


@dataclass
class Table:
    """How many trials of each kind ended how, the traces, and the memory that was taken at most."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    traces: list[str] = field(default_factory=list)
    megabytes: int = 0

    def total(self, outcome: str) -> int:
        return sum(n for (_, found), n in self.counts.items() if found == outcome)

    def __str__(self) -> str:
        kinds = sorted({kind for kind, _ in self.counts})
        rows = [[kind, *(str(self.counts[kind, outcome]) for outcome in OUTCOMES)] for kind in kinds]
        rows += [["together", *(str(self.total(outcome)) for outcome in OUTCOMES)]]
        lines = ["".join(f"{cell:>12}" for cell in row) for row in [["kind", *OUTCOMES], *rows]]
        return "\n".join([*lines, f"peak memory beyond that of the start: {self.megabytes} MiB", *self.traces])


# --- what is damaged -------------------------------------------------------------------------------------------------
def damaged(data: bytes, rng: random.Random, heads: list[bytes]) -> bytes:
    """The bytes of a file, after one or two mishaps."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2))):
        how, at = rng.randrange(6), rng.randrange(max(1, len(found)))
        if how == 0:
            for _ in range(rng.choice((1, 4, 30))):
                found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
        elif how == 1:
            del found[max(1, at) :]
        elif how == 2:
            length = min(4096, len(found) // 3 + 1)
            found[at : at + length] = bytes(len(found[at : at + length]))
        elif how == 3:
            head = rng.choice(heads)[: rng.choice((4, 16, 64))]
            found[: len(head)] = head
        elif how == 4:
            number = rng.choice((0xFFFFFFFF, 0x7FFFFFFF, 0x10000000, 0x0000FFFF, 0xFF000000))
            at = rng.randrange(min(512, len(found)))
            found[at : at + 4] = struct.pack(rng.choice("<>") + "I", number)
        else:
            found[at:at] = found[at : at + rng.randrange(1, 200)]
    return bytes(found) or b"\0"


def picture_files() -> dict[str, bytes]:
    """A real file of every kind that can be written here, by its ending."""
    rng = np.random.default_rng(0)
    values = np.kron(rng.integers(0, 256, (6, 6, 3), np.uint8), np.ones((4, 4, 1), np.uint8))
    rgb = Image.fromarray(values)
    more = Image.fromarray(255 - values)
    ways: list[tuple[str, Image.Image, str, dict[str, object]]] = [
        ("png", rgb, "PNG", {"exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"}),
        ("apng", rgb, "PNG", {"save_all": True, "append_images": [more]}),
        ("deep.png", Image.fromarray(values[..., 0].astype(np.uint16) * 200), "PNG", {}),
        ("clear.png", rgb.convert("RGBA"), "PNG", {}),
        ("palette.png", rgb.convert("P"), "PNG", {"transparency": 3}),
        ("jpg", rgb, "JPEG", {"icc_profile": bytes(300)}),
        ("progressive.jpg", rgb, "JPEG", {"progressive": True}),
        ("mpo", rgb, "MPO", {"save_all": True, "append_images": [more]}),
        ("gif", rgb.convert("P"), "GIF", {"save_all": True, "append_images": [more]}),
        ("bmp", rgb, "BMP", {}),
        ("dib", rgb, "DIB", {}),
        ("tif", rgb, "TIFF", {"save_all": True, "append_images": [more]}),
        *((f"{way}.tif", rgb, "TIFF", {"compression": way}) for way in ("tiff_lzw", "tiff_adobe_deflate", "jpeg")),
        ("fax.tif", rgb.convert("1"), "TIFF", {"compression": "group4"}),
        ("float.tif", Image.fromarray(values[..., 0].astype(np.float32)), "TIFF", {}),
        ("webp", rgb, "WEBP", {"save_all": True, "append_images": [more]}),
        ("avif", rgb, "AVIF", {}),
        ("jp2", rgb, "JPEG2000", {}),
        ("ppm", rgb, "PPM", {}),
        ("qoi", rgb, "QOI", {}),
        ("tga", rgb, "TGA", {"compression": "tga_rle"}),
        ("ico", rgb, "ICO", {"sizes": [(16, 16)]}),
        ("dib.ico", rgb, "ICO", {"sizes": [(16, 16)], "bitmap_format": "bmp"}),
        ("icns", rgb.resize((64, 64)), "ICNS", {}),
        ("pcx", rgb, "PCX", {}),
        ("sgi", rgb, "SGI", {}),
    ]
    files = {}
    Image.init()
    for name, image, kind, options in ways:
        if kind in Image.SAVE:
            buffer = io.BytesIO()
            if "append_images" in options:
                options["append_images"] = [more.copy()]  # a picture keeps what it was saved with
            image.copy().save(buffer, kind, **options)
            files[name] = buffer.getvalue()
    pixels = b"".join(bytes((24, 200 + i, 16, i)) for i in range(8)) + b"\0\1"
    files["rle.bmp"] = bmp_of_runs(SIDE, SIDE, pixels)
    files["psd"] = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 8, 8, 8, 3) + bytes(12) + struct.pack(">H", 0) + bytes(192)
    files["eps"] = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 24 24\n%%EndComments\nshowpage\n"
    return files


def bmp_of_runs(width: int, height: int, data: bytes) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(data), 0, 0, 1078) + head + bytes(1024) + data


def chunk(name: bytes, data: bytes) -> bytes:
    """One of a PNG's."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def image(grey: int, kind: str = "PNG", side: int = SIDE) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (grey, grey, grey)).save(buffer, kind)
    return buffer.getvalue()


# --- trials ----------------------------------------------------------------------------------------------------------
class Fuzz:
    """Trials in an empty folder."""

    def __init__(self, place: Path, seed: int) -> None:
        self.place, self.rng, self.table = place, random.Random(seed), Table()
        self.library, self.pictures, self.number = Library(), picture_files(), 0
        self.heads = [data[:64] for data in self.pictures.values()] + [b"PK\3\4" + bytes(60), bytes(64), b"<html>" * 11]

    def run(self, count: int) -> Table:
        others = (self.zip, self.idx, self.cifar10, self.svhn, self.stl10, self.celeba, self.lsun, self.cache)
        for needed in ("lmdb", "scipy.io", "torchvision.datasets"):
            import_module(needed)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            many = max(1, count // 2 // TOGETHER)
            for _ in range(many):
                self.folder()
            for i in range(count - many * TOGETHER):
                self.one(others[i % len(others)])
        self.table.megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
        return self.table

    def count(self, kind: str, outcome: str, times: int = 1) -> None:
        self.table.counts[kind, outcome] += times

    def trace(self, kind: str) -> None:
        self.count(kind, "trace")
        self.table.traces.append(f"trial {self.number}, {kind}:\n{traceback.format_exc()}")

    def load(self, name: str, **options: object) -> tuple[int, str]:
        """How many samples there are, and what is said of those that are left out."""
        said: list[str] = []
        handler = logging.Handler()
        handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
        logger = logging.getLogger("gan_cli")
        logger.addHandler(handler)
        try:
            dataset = self.library.build_by_name("dataset", name, size=8, channels=3, **options)
            return len(dataset.load()), "\n".join(said)
        finally:
            logger.removeHandler(handler)

    def folder(self) -> None:
        """Damaged pictures of every kind beside whole ones, in one folder."""
        self.number += 1
        place = self.place / f"pictures {self.number}"
        place.mkdir()
        endings = [self.rng.choice(list(self.pictures)) for _ in range(TOGETHER)]
        for i, ending in enumerate(endings):
            (place / f"bad {i}.{ending}").write_bytes(damaged(self.pictures[ending], self.rng, self.heads))
            (place / f"good {i}.png").write_bytes(image(9 * i))
        started = time.monotonic()
        options = {"path": str(place), "root": str(self.place / "root"), "allow_missing": True}
        try:
            found, said = self.load("image_folder", **options)
            missing = 2 * TOGETHER - found
            told = re.findall(r"(\d+) of \d+ pictures (?:are of a kind|cannot be read)|left aside: (\d+)", said)
            assert missing == sum(int(number) for numbers in told for number in numbers if number), f"{missing}: {said}"
            assert found >= TOGETHER
            self.count("picture", "left out", missing)
            self.count("picture", "read", TOGETHER - missing)
        except Exception:
            self.trace("picture")
        if time.monotonic() - started > SLOW:
            self.count("picture", "hang")

    def one(self, trial: Callable[[Path], str]) -> None:
        """One dataset, one of whose files is damaged."""
        self.number += 1
        kind, started = trial.__name__, time.monotonic()
        place = self.place / f"{kind} {self.number}"
        place.mkdir()
        try:
            self.count(kind, trial(place))
        except UserError as error:
            if len(str(error).splitlines()) == 1:
                self.count(kind, "refused")
            else:
                self.trace(kind)
        except Exception:
            self.trace(kind)
        if time.monotonic() - started > SLOW:
            self.count(kind, "hang")

    def spoil(self, *files: Path) -> Path:
        file = self.rng.choice(files)
        file.write_bytes(damaged(file.read_bytes(), self.rng, self.heads))
        return file

    def zip(self, place: Path) -> str:
        way = self.rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
        with zipfile.ZipFile(place / "p.zip", "w", way) as archive:
            for i in range(4):
                archive.writestr(f"{'ab'[i % 2]}/{i}.bmp", image(40 * i, "BMP"))
        self.spoil(place / "p.zip")
        found, said = self.load("image_folder", path=str(place / "p.zip"), root=str(place), allow_missing=True)
        assert found == 4 or said, f"{found} of 4, and nothing is said"
        return "read" if found == 4 else "left out"

    def idx(self, place: Path) -> str:
        raw = place / "MNIST/raw"
        raw.mkdir(parents=True)
        files = [raw / f"{part}-{what}-ubyte" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1")]
        for file in files:
            shape = (9, 28, 28) if "images" in file.name else (9,)
            head = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
            file.write_bytes(head + bytes(i % 10 for i in range(int(np.prod(shape)))))
        if self.rng.random() < 0.2:  # what they are unpacked from, instead
            packed = Path(f"{files[0]}.gz")
            packed.write_bytes(gzip.compress(files[0].read_bytes()))
            files[0].unlink()
            files = [packed]
        self.spoil(*files[:2])
        with offline():
            self.load("mnist", root=str(place))
        return "read"

    def cifar10(self, place: Path) -> str:
        from torchvision.datasets import CIFAR10

        folder = place / CIFAR10.base_folder
        folder.mkdir()
        files = [folder / name for name, _ in (*CIFAR10.train_list[:2], (CIFAR10.meta["filename"], ""))]
        for i, file in enumerate(files[:2]):
            part = np.full((4, 3072), i, np.uint8)
            file.write_bytes(pickle.dumps({"data": part, "labels": [1, 2, 3, 4]}, protocol=self.rng.choice((2, 4))))
        files[2].write_bytes(pickle.dumps({"label_names": [str(i) for i in range(10)]}))
        sums = self.sums(files)
        lists = [(file.name, sums[file]) for file in files[:2]]
        meta = {**CIFAR10.meta, "md5": sums[files[2]]}
        with offline(), patch.object(CIFAR10, "train_list", lists), patch.object(CIFAR10, "meta", meta):
            self.load("cifar10", root=str(place))
        return "read"

    def sums(self, files: list[Path]) -> dict[Path, str]:
        """Checksums of the files before one is damaged, or, so that the reader meets that, after it."""
        sums = {file: md5(file) for file in files}
        spoilt = self.spoil(*files)
        if self.rng.random() < 0.7:
            sums[spoilt] = md5(spoilt)
        return sums

    def svhn(self, place: Path) -> str:
        from scipy.io import savemat
        from torchvision.datasets import SVHN

        file = place / "train_32x32.mat"
        content = {"X": np.zeros((32, 32, 3, 5), np.uint8), "y": np.array([[1], [2], [10], [4], [5]])}
        savemat(file, content, do_compression=self.rng.random() < 0.5)
        found = {"train": [SVHN.split_list["train"][0], file.name, md5(file)]}
        self.spoil(file)  # SciPy reads no other bytes than the published ones: some end its process
        with offline(), patch.dict(SVHN.split_list, found):
            self.load("svhn", root=str(place))
        return "read"

    def stl10(self, place: Path) -> str:
        from torchvision.datasets import STL10

        folder = place / STL10.base_folder
        folder.mkdir()
        files = [folder / "train_X.bin", folder / "train_y.bin"]
        files[0].write_bytes(bytes(2 * 3 * 96 * 96))
        files[1].write_bytes(bytes([3, 10]))
        (folder / "class_names.txt").write_text("\n".join(map(str, range(10))))
        sums = self.sums(files)
        lists = [[file.name, sums[file]] for file in files]
        with offline(), patch.object(STL10, "train_list", lists), patch.object(STL10, "test_list", []):
            self.load("stl10", root=str(place), split="train")
        return "read"

    def celeba(self, place: Path) -> str:
        from torchvision.datasets import CelebA

        folder = place / "celeba"
        (folder / "img_align_celeba").mkdir(parents=True)
        rows = [f"{i}.jpg" for i in range(3)]
        for i, row in enumerate(rows):
            (folder / "img_align_celeba" / row).write_bytes(image(60 * i, "JPEG"))
        names = [name for _, _, name in CelebA.file_list if name.endswith(".txt")]
        for name in names:
            head = "" if name in ("list_eval_partition.txt", "identity_CelebA.txt") else "3\na b\n"
            (folder / name).write_text(head + "".join(f"{row} 0\n" for row in rows))
        pictures = [folder / "img_align_celeba" / row for row in rows]
        sums = self.sums([folder / name for name in names])
        if self.rng.random() < 0.4:
            self.spoil(*pictures)
        there = [("", sums[folder / name], name) for name in names]
        with offline(), patch.object(CelebA, "file_list", there):
            _, said = self.load("celeba", root=str(place), split="all")
        return "left out" if said else "read"

    def lsun(self, place: Path) -> str:
        import lmdb

        folder = place / "bedroom_train_lmdb"
        with lmdb.open(str(folder), map_size=2**20) as store, store.begin(write=True) as change:
            for i in range(40):
                change.put(f"{i:040d}".encode(), image(6 * i, "BMP" if i % 3 else "PNG", 40))
        self.spoil(folder / "data.mdb")
        found, said = self.load("lsun", root=str(place), split="train")
        assert found == 40 or said, f"{found} of 40, and nothing is said"
        return "read" if found == 40 else "left out"

    def cache(self, place: Path) -> str:
        """What an earlier run has decoded: it is decoded again."""
        (place / "p").mkdir()
        for i in range(3):
            (place / f"p/{i}.png").write_bytes(image(i))
        first = self.library.build_by_name(
            "dataset", "image_folder", path=str(place / "p"), root=str(place), size=8, channels=3
        )
        values = first.load().values.copy()
        self.spoil(*(place / "cache").iterdir())
        again = self.library.build_by_name(
            "dataset", "image_folder", path=str(place / "p"), root=str(place), size=8, channels=3
        )
        assert (again.load().values == values).all()
        return "read"


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


@contextmanager
def offline() -> Iterator[None]:
    with patch("socket.socket.connect", side_effect=OSError("Network is unreachable")):
        yield


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    logging.getLogger("gan_cli").setLevel(logging.INFO)
    logging.getLogger("gan_cli").propagate = False
    logging.getLogger("gan_cli").addHandler(logging.NullHandler())
    with TemporaryDirectory() as place:
        os.chdir(place)
        table = Fuzz(Path(place), asked.seed).run(asked.count)
        os.chdir("/")
    print(table)
    return int(bool(table.total("trace") or table.total("hang")))


if __name__ == "__main__":
    sys.exit(main())
