"""Files that a dataset is read from may have been made by anyone."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY_MLP
from fuzz_data import Fuzz, bmp_of_runs, chunk, image
from PIL import Image

from gan_cli.commands.sampling.files import training_frames
from gan_cli.config.library import Library
from gan_cli.data import archive, opening
from gan_cli.data.lmdb_file import LmdbFile
from gan_cli.data.published import Damaged, Part, unpickled
from gan_cli.errors import UserError

FOLDER = ("dataset=image_folder", "dataset.path=p", "dataset.channels=1", "dataset.size=8")
TRAIN = (*FOLDER, *(key for key in TINY_MLP if "limit" not in key), "steps=2", "sample_every=0", "log_every=0")
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(ran) print showpage\n%%EOF\n"
IDX = Path("data/MNIST/raw")


def load(name: str = "image_folder", **options):
    options = {"path": "p", "channels": 1, **options} if name == "image_folder" else options
    return Library().build_by_name("dataset", name, size=8, **options).load()


def good(count: int = 4, folder: str = "p") -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        Path(folder, f"{i}.png").write_bytes(image(30 * i + 9))


# --- only what is meant to be read -----------------------------------------------------------------------------------
@pytest.fixture
def ghostscript(monkeypatch, tmp_path) -> Path:
    """Programs by the names that Pillow starts, which leave a mark; the mark."""
    mark, place = tmp_path / "started", tmp_path / "programs"
    place.mkdir()
    for name in ("gs", "djpeg", "ppmquant", "ppmtogif"):
        (place / name).write_text(f"#!/bin/sh\necho 9.50 >> {mark}\nexit 1\n")
        (place / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, "gs_binary", "gs")
    return mark


@pytest.mark.parametrize("rules", [1, 2])
@pytest.mark.parametrize("name", ["x.eps", "x.ps", "x.png", "x.jpg"])
def test_an_eps_starts_no_program_whatever_its_name(ghostscript, caplog, name, rules):
    good()
    Path("p", name).write_bytes(EPS)
    assert len(load(rules=rules)) == 4
    assert not ghostscript.exists()
    assert "1 of 5 pictures" in caplog.text


def test_an_eps_in_a_zip_or_among_the_grids_of_a_run_starts_no_program(ghostscript, caplog):
    good()
    with zipfile.ZipFile("p.zip", "w") as packed:
        for path in Path("p").iterdir():
            packed.write(path, path.name)
        packed.writestr("x.png", EPS)
    assert len(load(path="p.zip")) == 4
    assert "1 of 5 pictures cannot be read: x.png" in caplog.text
    assert "x.png: no kind of picture that is read here (PNG, JPEG," in caplog.text
    Path("samples").mkdir()
    Path("samples/step-000000001.png").write_bytes(EPS)
    with pytest.raises(UserError, match="cannot be read: delete it"):
        training_frames(Path("samples"))
    assert not ghostscript.exists()


def test_pictures_of_a_kind_that_is_not_read_are_counted_and_what_is_read_is_said(gan_train):
    good(9)
    for name, content in (("a.eps", EPS), ("b.wmf", b"\xd7\xcd\xc6\x9a" + bytes(60)), ("c.fits", b"SIMPLE  =")):
        Path("p", name).write_bytes(content)
    result = gan_train(*TRAIN, "hydra.run.dir=run")
    assert result.code == 0, result.err
    for ending, name in ((".eps", "a.eps"), (".wmf", "b.wmf"), (".fits", "c.fits")):
        assert f"1 of 12 pictures are of a kind that is not read here ({ending}): {name}" in result.err
    assert "files such as .png, .jpg, .webp, .bmp, .tif are read" in result.err


def test_no_decoder_that_opens_what_it_holds_by_others_is_on_the_list():
    """IPTC opens by any decoder, FITS unzips without a bound, EPS and WMF start programs."""
    Image.init()
    assert not {"EPS", "WMF", "IPTC", "FITS", "PDF", "MIC", "FPX", "GRIB", "BUFR", "HDF5"} & set(opening.kinds())
    assert {"PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"} <= set(opening.kinds())


# --- bombs -----------------------------------------------------------------------------------------------------------
@cache
def flat_png(width: int, height: int, *before: bytes) -> bytes:
    """All black, 8 bits of grey; a kilobyte for each megapixel."""
    packer = zlib.compressobj(9)
    rows = b"".join([packer.compress(bytes(width + 1)) for _ in range(height)]) + packer.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(before) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def icon(content: bytes) -> bytes:
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(content), 22) + content


def icns(content: bytes) -> bytes:
    return b"icns" + struct.pack(">I", 16 + len(content)) + b"ic09" + struct.pack(">I", 8 + len(content)) + content


BIG = (9000, 9000)  # 81 megapixels: Pillow itself refuses 179


def bombs() -> dict[str, bytes]:
    big = flat_png(*BIG)
    gif = b"GIF89a" + struct.pack("<HHBBB", *BIG, 0x80, 0, 0) + bytes(6) + b"," + struct.pack("<HHHHB", 0, 0, *BIG, 0)
    return {
        "flat.png": big,
        "named.jpg": big,
        "inner.ico": icon(big),
        "inner.icns": icns(big),
        "runs.bmp": bmp_of_runs(33_000_000, 1, b"\0\2\0\xff\0\1"),
        "screen.gif": gif + b"\x02\x02\x44\x01\0;",
        "huge.png": big[:16] + struct.pack(">II", 2**31 - 1, 2**31 - 1) + big[24:],
        "text.png": flat_png(8, 8, *[chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**23))) for _ in range(3)]),
        "profile.png": flat_png(8, 8, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(2**24)))),
    }


PEAK = """
import resource, sys
from PIL import Image
from gan_cli.config.library import Library
Image.init()
dataset = Library().build_by_name("dataset", "image_folder", path=sys.argv[1], size=8, channels=3, allow_missing=True)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = len(dataset.load())
print(found, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def peak(path: str) -> tuple[int, int]:
    """Pictures that are read, and MiB that this takes at most, in a process of its own."""
    ran = subprocess.run([sys.executable, "-c", PEAK, path], capture_output=True, text=True, check=True)
    found, taken = map(int, ran.stdout.split())
    return found, taken


def test_bombs_are_left_out_and_take_no_memory(caplog):
    good(12)
    made = bombs()
    for name, data in made.items():
        Path("p", name).write_bytes(data)
    with zipfile.ZipFile("p.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(Path("p").iterdir()):
            packed.write(path, path.name)
        with packed.open("zeros.png", "w") as member:
            for _ in range(150):
                member.write(bytes(2**20))
    found, taken = peak("p.zip")
    assert found == 12
    assert taken < 100, f"{taken} MiB"
    assert len(load()) == 12
    assert f"{len(made)} of {12 + len(made)} pictures cannot be read" in caplog.text


@pytest.mark.parametrize(
    ("name", "said"), [("flat.png", "9,000 × 9,000 pixels in "), ("runs.bmp", "33,000,000 × 1 pixels")]
)
def test_a_bomb_is_named_with_its_size_and_the_bound(caplog, name, said):
    good()
    Path("p", name).write_bytes(flat_png(*BIG) if name == "flat.png" else bmp_of_runs(33_000_000, 1, b"\0\1"))
    load()
    assert said in caplog.text
    assert "33,554,432" in caplog.text or "178,956,970" in caplog.text


def test_a_large_picture_that_is_no_bomb_is_read():
    Path("p").mkdir()
    Image.fromarray(np.full((600, 60000), 7, np.uint8)).save("p/wide.bmp")  # a byte for each of its 36 million pixels
    Path("p/flat.png").write_bytes(flat_png(4200, 4200))
    assert len(load()) == 2


def test_a_file_of_more_bytes_than_a_picture_has_is_not_read(caplog):
    good()
    with Path("p/x.webp").open("wb") as file:
        file.write(b"RIFF\0\0\0\0WEBPVP8 ")
        file.truncate(2**34)  # of nothing
    assert len(load()) == 4
    assert "x.webp: 17,179,869,184 bytes, and a picture of more than 536,870,912 is not read" in caplog.text


def test_threads_wait_for_room_for_their_pixels_and_a_larger_picture_decodes_alone():
    room, inside, most = opening.Room(100), [], []

    def decode(pixels: int) -> None:
        with room.of(Image.new("L", (pixels, 1))):
            inside.append(pixels)
            most.append(sum(min(pixels, 100) for pixels in inside))
            inside.remove(pixels)

    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(decode, [1, 60, 1000, 40, 99] * 40))
    assert max(most) <= 100


# --- zips ------------------------------------------------------------------------------------------------------------
def zipped(**members: bytes) -> Path:
    with zipfile.ZipFile("p.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return Path("p.zip")


def test_a_zip_whose_pictures_unpack_to_a_hundred_times_its_size_is_refused(gan_train, monkeypatch):
    monkeypatch.setattr(archive, "ANY_ZIP", 2**22)  # so that a small one will do
    flat = io.BytesIO()
    Image.new("L", (1400, 1400)).save(flat, "BMP")  # 2 MB out of 2 kB, and each alone is read
    zipped(**{f"{i}.bmp": flat.getvalue() for i in range(7)})
    result = gan_train(*TRAIN, "dataset.path=p.zip", "hydra.run.dir=run")
    assert (result.code, len(result.err.splitlines())) == (2, 1), result.err
    assert "dataset.path=p.zip: its pictures would unpack to 13,7" in result.err
    assert not Path("run").exists()


def test_a_zip_with_an_absurd_list_of_members_is_refused_before_it_is_read():
    path = zipped(**{"a.png": image(1)})
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\5\6")
    struct.pack_into("<I", data, at + 12, 2**31 - 1)
    path.write_bytes(data)
    os.truncate(path, 2**28)  # room for 5,835,000 of them, all of nothing
    with path.open("r+b") as file:
        file.seek(2**28 - 22)
        file.write(data[at : at + 22])
    with pytest.raises(UserError, match=r"has room for 5,835,553 members, more than 2,000,000"):
        load(path="p.zip")


@pytest.mark.parametrize("name", ["../../out.png", "/etc/out.png", "C:\\out.png", "a/../../out.png"])
def test_a_members_name_leads_nowhere(name):
    zipped(**{"in/1.png": image(1), name: image(2)})
    assert len(load(path="p.zip")) == 2
    assert sorted(path.name for path in Path().iterdir()) == ["data", "p.zip"]
    assert not list(Path("..").glob("out.png"))


def test_zips_in_a_zip_are_not_opened_links_not_followed_and_names_that_come_again_are_said(caplog):
    caplog.set_level("INFO")
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile("p.zip", "w") as packed:
        packed.writestr("inner.zip", b"PK\5\6" + bytes(18))
        packed.writestr(link, "/etc/passwd")
        packed.writestr("1.png", image(1))
        packed.writestr("2.png", image(2))
        packed.writestr("./1.png", image(3))
    assert len(load(path="p.zip")) == 2
    assert "1 of 3 pictures are links, which a zip cannot follow: link.png" in caplog.text
    assert "1 member of a name that comes again (1.png), 1 other file (inner.zip)" in caplog.text


# --- files of well-known datasets ------------------------------------------------------------------------------------
def write_idx(path: Path, array: np.ndarray, kind: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape) + array.tobytes())


def mnist(raw: Path = IDX) -> dict[str, Path]:
    for part in ("train", "t10k"):
        write_idx(raw / f"{part}-images-idx3-ubyte", np.zeros((9, 28, 28), np.uint8))
        write_idx(raw / f"{part}-labels-idx1-ubyte", np.arange(9, dtype=np.uint8))
    return {"images": raw / "train-images-idx3-ubyte", "labels": raw / "train-labels-idx1-ubyte"}


IDX_FAULTS = {
    "images empty": ("images", lambda data: b"", "ends after 0 bytes"),
    "labels head": ("labels", lambda data: data[:5], "ends after 5 bytes"),
    "images cut": ("images", lambda data: data[:-9], "holds 9 × 28 × 28 by its head, and has 7,063 bytes"),
    "images longer": ("images", lambda data: data + b"x", "holds 9 × 28 × 28 by its head"),
    "images swapped": ("images", lambda data: b"\x89PNG" + data[4:], "begins with 89504e47 and not with 00000803"),
    "images floats": ("images", lambda data: b"\0\0\x0d\3" + data[4:], "begins with 00000d03"),
    "images absurd": (
        "images",
        lambda data: data[:4] + b"\x3b\x9a\xca\0" * 3 + data[16:],
        "holds 1,000,000,000 × 1,000,",
    ),
    "labels fewer": ("labels", lambda data: data[:7] + b"\x08" + data[8:-1], "holds 8 labels for 9 pictures"),
    "labels no digit": ("labels", lambda data: data[:-1] + b"\xc8", "holds the label 200, which is no digit"),
}


@pytest.mark.parametrize("fault", IDX_FAULTS)
def test_a_malformed_idx_file_is_named_and_to_be_deleted(gan_train, fault):
    which, spoil, said = IDX_FAULTS[fault]
    file = mnist()[which]
    file.write_bytes(spoil(file.read_bytes()))
    result = gan_train("dataset=mnist", *TINY_MLP, "steps=2", "hydra.run.dir=run")
    assert (result.code, len(result.err.splitlines())) == (2, 1), result.err
    assert f"dataset.root=data: {file} {said}" in result.err
    assert f"after deleting {file.absolute()}" in result.err
    assert not Path("run").exists()


@pytest.fixture
def _offline(monkeypatch):
    def unreachable(*args):
        raise AssertionError("asked the network")

    monkeypatch.setattr("socket.socket.connect", unreachable)


PUBLISHED = {
    "mnist": ("MNIST/raw/train-images-idx3-ubyte.gz", ("labels",)),
    "kmnist": ("KMNIST/raw/train-labels-idx1-ubyte.gz", ()),
    "cifar10": ("cifar-10-python.tar.gz", ()),
    "svhn": ("train_32x32.mat", ()),
    "stl10": ("stl10_binary.tar.gz", ()),
    "celeba": ("celeba/img_align_celeba.zip", ()),
}


@pytest.mark.usefixtures("_offline")
@pytest.mark.parametrize("name", PUBLISHED)
def test_a_download_with_a_flipped_bit_is_named_and_neither_read_nor_overwritten(gan_train, name):
    file = Path("data", PUBLISHED[name][0])
    file.parent.mkdir(parents=True)
    file.write_bytes(b"not what was published")
    result = gan_train(f"dataset={name}", *TINY_MLP, "dataset.channels=3", "steps=2")
    assert (result.code, len(result.err.splitlines())) == (2, 1), result.err
    assert f"{file} is not the published file (MD5 {md5(file.read_bytes())}, not " in result.err
    assert f"after deleting {file.absolute()}" in result.err
    assert file.read_bytes() == b"not what was published"


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


class Runs:
    """Leaves a mark when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("ran",)


def cifar10(monkeypatch, *, published: bool, **content: object) -> Path:
    """The files of one batch; with their checksums as the published ones, or as others."""
    from torchvision.datasets import CIFAR10

    folder = Path("data", CIFAR10.base_folder)
    folder.mkdir(parents=True)
    batch = {"data": np.zeros((2, 3072), np.uint8), "labels": [3, 7], **content}
    (folder / "data_batch_1").write_bytes(pickle.dumps(batch))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": [str(i) for i in range(10)]}))
    sums = {path.name: md5(path.read_bytes()) if published else "0" * 32 for path in folder.iterdir()}
    monkeypatch.setattr(CIFAR10, "train_list", [("data_batch_1", sums["data_batch_1"])])
    monkeypatch.setattr(CIFAR10, "test_list", [])
    monkeypatch.setitem(CIFAR10.meta, "md5", sums["batches.meta"])
    return folder


@pytest.mark.usefixtures("_offline")
@pytest.mark.parametrize("published", [False, True])
def test_no_pickle_runs_whatever_its_checksum(monkeypatch, published):
    cifar10(monkeypatch, published=published, more=Runs())
    said = "is no table of pictures" if published else "is not the published file"
    with pytest.raises(UserError, match=f"data_batch_1 {said}"):
        load("cifar10", channels=3)
    assert not Path("ran").exists()


def test_the_bytes_that_are_unpickled_are_those_that_were_hashed(monkeypatch):
    """Between the checksum and the reading another file takes the place of the published one."""
    good, evil = pickle.dumps({"label_names": ["a"]}), pickle.dumps({"label_names": Runs()})
    path, read = Path("batches.meta"), Path.read_bytes
    path.write_bytes(good)

    def swapped(self):
        data = read(self)
        self.write_bytes(evil)
        return data

    monkeypatch.setattr(Path, "read_bytes", swapped)
    assert unpickled(Part(path, md5(good))) == {"label_names": ["a"]}
    with pytest.raises(Damaged, match="is not the published file"):
        unpickled(Part(path, md5(good)))


@pytest.mark.usefixtures("_offline")
@pytest.mark.parametrize(
    "content",
    [
        {"labels": [3]},
        {"labels": [3, 70]},
        {"labels": ["a", "b"]},
        {"data": np.zeros((2, 3072))},
        {"data": np.zeros((2, 99), np.uint8)},
        {"data": np.array([[None] * 3072] * 2, object)},
    ],
    ids=["fewer", "class 70", "words", "floats", "short", "objects"],
)
def test_a_batch_of_other_things_is_one_line(monkeypatch, content):
    folder = cifar10(monkeypatch, published=True, **content)
    with pytest.raises(UserError) as caught:
        load("cifar10", channels=3)
    (line,) = str(caught.value).splitlines()
    assert "after deleting" in line
    assert folder.exists()


def test_old_processed_files_of_mnist_are_not_read():
    mnist()
    Path("data/MNIST/processed").mkdir()
    for name in ("training.pt", "test.pt"):
        Path("data/MNIST/processed", name).write_bytes(pickle.dumps(Runs()))
    assert len(load("mnist", root="data", channels=1)) == 9
    assert not Path("ran").exists()


# --- LMDB ------------------------------------------------------------------------------------------------------------
@pytest.fixture
def store() -> Path:
    """Pictures in pages of their own and in shared ones, on three levels of pages."""
    lmdb = pytest.importorskip("lmdb")
    folder = Path("data/bedroom_train_lmdb")
    folder.mkdir(parents=True)
    with lmdb.open(str(folder), map_size=2**23) as made, made.begin(write=True) as change:
        for i in range(3000):
            change.put(f"{i * 7919 % 3000:040d}".encode(), image(i % 250, side=8 if i % 100 else 64) + bytes(i % 5))
    return folder / "data.mdb"


def test_an_lmdb_file_is_read_as_its_library_reads_it(store):
    lmdb = pytest.importorskip("lmdb")
    with lmdb.open(str(store.parent), readonly=True, lock=False) as made, made.begin() as view:
        values = [value for _, value in view.cursor()]
    ours = LmdbFile(store)
    assert [ours.value(i) for i in range(len(ours))] == values
    ours.close()


@pytest.mark.parametrize("how", ["cut", "zeroed", "empty", "loop", "head"])
def test_a_damaged_lmdb_file_is_one_line_and_ends_no_process(gan_train, store, how):
    data = bytearray(store.read_bytes())
    if how == "cut":
        del data[len(data) // 2 :]
    elif how == "zeroed":
        at = next(p for p in range(2 * 4096, len(data), 4096) if data[p + 10] == 2)
        data[at : at + 4096] = bytes(4096)
    elif how == "loop":
        at = next(p for p in range(2 * 4096, len(data), 4096) if data[p + 10] == 1)
        first = struct.unpack_from("<H", data, at + 16)[0]
        struct.pack_into("<I", data, at + first, at // 4096)
    else:
        data = bytearray() if how == "empty" else bytearray(b"\xff") * len(data)
    store.write_bytes(data)
    result = gan_train("dataset=lsun", *TINY_MLP, "dataset.limit=8", "dataset.channels=3", "steps=2")
    assert (result.code, len(result.err.splitlines())) == (2, 1), result.err
    assert f"dataset.root=data: {store} " in result.err
    assert f"get it again after deleting {store.absolute()}" in result.err


def test_a_store_or_a_list_without_pictures_is_one_line(gan_train):
    lmdb = pytest.importorskip("lmdb")
    Path("data").mkdir()
    lmdb.open("data/bedroom_train_lmdb", map_size=2**20).close()
    result = gan_train("dataset=lsun", *TINY_MLP, "dataset.channels=3", "steps=2")
    assert (result.code, len(result.err.splitlines())) == (2, 1), result.err
    assert "none of the 0 pictures of LSUN is there" in result.err


# --- what else a folder may hold -------------------------------------------------------------------------------------
@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_floats_of_which_none_can_be_read_are_left_out(caplog, value):
    good()
    Image.fromarray(np.full((8, 8), value or 0.5, np.float32)).save("p/x.tif")
    if value is None:
        os.truncate("p/x.tif", 40)
    assert len(load()) == 4
    assert "1 of 5 pictures cannot be read: x.tif" in caplog.text


def test_damaged_files_of_every_kind_are_read_left_out_or_refused_in_a_line(tmp_path, caplog):
    caplog.set_level("INFO")
    (tmp_path / "fuzz").mkdir()
    table = Fuzz(tmp_path / "fuzz", seed=7).run(300)
    assert not table.traces, table
    assert not table.total("hang"), table
    assert sum(table.counts.values()) == 300
    assert table.total("refused") > 20
    assert table.total("left out") > 20
