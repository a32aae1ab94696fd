"""Files of pictures to bytes: one scale for a folder, nothing bad takes the rest, and a cache that mends itself."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY_MLP, metrics_in, run_folder, state_in, tensors
from PIL import Image

from gan_cli.commands.tool import EVALUATION
from gan_cli.config.library import Library
from gan_cli.data import formats, recipe
from gan_cli.data.canvas import Canvas
from gan_cli.data.formats import decoded
from gan_cli.data.samples import Samples
from gan_cli.metrics.extractors.classifier import Classifier
from gan_cli.training.devices import pick_device

SIDE = 8
FOLDER = ("dataset=image_folder", f"dataset.size={SIDE}", "dataset.channels=1")
TINY_FOLDER = (*TINY_MLP, *FOLDER, "dataset.limit=0", "steps=2")


def load(path: str | Path, **options) -> Samples:
    options = {"path": str(path), "size": SIDE, "channels": 1, **options}
    return Library().build_by_name("dataset", "image_folder", **options).load()


def greys(samples: Samples) -> list[int]:
    """The one grey of each flat picture."""
    assert (samples.values == samples.values[:, :, :1, :1]).all()
    return samples.values[:, 0, 0, 0].tolist()


def flat(path: str, value: float, kind: type = np.uint8, **options) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((SIDE, SIDE), value, kind)).save(path, **options)


@pytest.fixture
def folder() -> Path:
    """Eight flat greys, 0, 30, …, in two classes."""
    for i in range(8):
        flat(f"p/{'a' if i < 4 else 'b'}/{i}.png", 30 * i)
    return Path("p")


# --- one scale by mode -----------------------------------------------------------------------------------------------
def save_pgm(path: str, value: int, top: int) -> None:
    Path(path).write_bytes(f"P5\n{SIDE} {SIDE}\n{top}\n".encode() + struct.pack(">H", value) * SIDE**2)


def save_tiff(path: str, bits: int, value: int, order: str = "<") -> None:
    """Grey, uncompressed, 12 or 16 bits a sample, as the TIFF 6.0 standard has it."""
    if bits == 12:
        data = bytes([value >> 4, (value & 15) << 4 | value >> 8, value & 255]) * (SIDE**2 // 2)
    else:
        data = struct.pack(f"{order}H", value) * SIDE**2
    tags = {256: SIDE, 257: SIDE, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: SIDE, 279: len(data)}
    entries = b"".join(struct.pack(f"{order}HHIHH", tag, 3, 1, number, 0) for tag, number in tags.items())
    head = (b"MM" if order == ">" else b"II") + struct.pack(f"{order}HI", 42, 8 + len(data))
    Path(path).write_bytes(head + data + struct.pack(f"{order}H", len(tags)) + entries + bytes(4))


@pytest.mark.parametrize("kind", ["png", "tif", "big-endian tif", "pgm"])
def test_sixteen_bits_have_one_scale_whatever_a_pictures_maximum(kind):
    values = [0, 250, 255, 256, 300, 4000, 65535]
    Path("deep").mkdir()
    for i, value in enumerate(values):
        if kind == "png":
            flat(f"deep/{i}.png", value, np.uint16)
        elif kind == "pgm":
            save_pgm(f"deep/{i}.pgm", value, 65535)
        else:
            save_tiff(f"deep/{i}.tif", 16, value, ">" if "big" in kind else "<")
    assert greys(load("deep")) == [(value + 128) // 257 for value in values]


def test_twelve_bits_fill_the_scale(caplog):
    Path("deep").mkdir()
    for i, value in enumerate((0, 2048, 4095)):
        save_tiff(f"deep/{i}.tif", 12, value)
    assert greys(load("deep")) == [0, 128, 255]
    assert "come out dark" not in caplog.text


@pytest.mark.parametrize(
    ("values", "expected", "guess"),
    [
        ([0, 0.2, 1], [0, 51, 255], "0 is taken for black and 1 for white"),
        ([-0.004, 0.2, 1.004], [0, 51, 255], "0 is taken for black and 1 for white"),
        ([-1, 0.2, 1], [0, 153, 255], "-1 is taken for black and 1 for white"),
        ([0, 0.8, 200], [0, 1, 200], "0 is taken for black and 255 for white"),
        ([-1000, 0, 1550], [0, 100, 255], "-1000 is taken for black and 1550 for white"),
    ],
)
def test_floats_have_one_scale_for_the_whole_folder_and_a_warning(caplog, values, expected, guess):
    for i, value in enumerate(values):
        flat(f"floats/{i}.tif", value, np.float32)
    assert greys(load("floats")) == expected
    assert guess in caplog.text
    caplog.clear()
    assert greys(load("floats")) == expected
    assert guess in caplog.text  # read from the cache, it is a guess still


def test_integers_of_32_bits_have_one_scale_for_the_whole_folder():
    for i, value in enumerate((0, 200, 255)):
        flat(f"bytes/{i}.tif", value, np.int32)
        flat(f"words/{i}.tif", 257 * value, np.int32)
    assert greys(load("bytes")) == greys(load("words")) == [0, 200, 255]


def test_the_scale_is_that_of_the_whole_folder_in_each_split_and_under_a_limit():
    for i in range(20):
        flat(f"floats/{i:02}.tif", 0.5 if i != 5 else 100, np.float32)  # every tenth is of the test split: not this one
    assert set(greys(load("floats", split="test"))) == {0}
    assert set(greys(load("floats", limit=2))) <= {0, 100}


def test_a_range_that_is_given_is_taken():
    for i, value in enumerate((0, 2000, 4000)):
        flat(f"deep/{i}.png", value, np.uint16)
    assert greys(load("deep", range=[0.0, 4000.0])) == [0, 128, 255]
    assert greys(load("deep")) == [0, 8, 16]


def test_both_folders_of_an_evaluation_have_the_range_that_is_given(caplog):
    for i in range(9):
        flat(f"real/{i}.png", 500 * i, np.uint16)
        flat(f"drawn/{i}.tif", 500 * i, np.float32)
    keys = ("real=real", "samples=drawn", "size=8", "channels=1", "extractor=pixels", "metrics=[kernel]")
    EVALUATION.main([*keys, "range=[0,4000]", "out=told.json"])
    EVALUATION.main([*keys, "out=guessed.json"])
    told, guessed = (json.loads(Path(name).read_text()) for name in ("told.json", "guessed.json"))
    assert told["range"] == [0, 4000]
    assert told["data"] != guessed["data"]
    assert "0 is taken for black and 65535 for white" in caplog.text


def test_a_range_upside_down_is_refused(gan_train, folder):
    result = gan_train(*TINY_FOLDER, f"dataset.path={folder}", "dataset.range=[1,0]")
    assert (result.code, len(result.errors)) == (2, 1)
    assert "dataset.range=[1, 0]" in result.err


def test_dark_sixteen_bits_and_further_frames_are_said(caplog):
    flat("p/deep.png", 300, np.uint16)
    frames = [Image.new("L", (SIDE, SIDE), 80 * i) for i in range(3)]
    for ending in ("gif", "png", "tif", "webp"):
        frames[1].save(f"p/moving.{ending}", save_all=True, append_images=frames[2:])
    assert sorted(greys(load("p")))[1:] == pytest.approx([80] * 4, abs=1)
    assert "hold 300 to 300 of 65535 and come out dark: the dataset's key range=[0,300]" in caplog.text
    assert "4 of 5 pictures have several frames: the first is used" in caplog.text


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "RGB", "RGBA", "RGBX", "RGBa", "La", "LA", "PA", "CMYK", "YCbCr", "LAB", "HSV", "I;16B"]
)
def test_white_is_white_in_every_mode(mode, channels):
    whites = {"CMYK": (0, 0, 0, 0), "YCbCr": (255, 128, 128), "LAB": (255, 128, 128), "HSV": (0, 0, 255), "1": 1}
    count = len(Image.new(mode, (1, 1)).getbands())
    white = whites.get(mode, 65535 if mode == "I;16B" else 255 if count == 1 else (255,) * count)
    image = Image.new(mode, (SIDE, SIDE), white)
    if mode in ("P", "PA"):
        image.putpalette([255] * 768)
    assert (decoded(image, Canvas(SIDE, SIDE, channels), {}).pixels >= 254).all()


@pytest.mark.parametrize("mode", ["LA", "La", "RGBA", "RGBa", "PA"])
def test_nothing_is_white_in_every_mode_that_is_transparent(mode):
    image = Image.new(mode, (SIDE, SIDE), 0)
    assert (decoded(image, Canvas(SIDE, SIDE, 3), {}).pixels == 255).all()


def test_a_damaged_note_of_the_camera_takes_nothing_from_the_picture(monkeypatch):
    Image.new("L", (SIDE, SIDE), 77).save("noted.png", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(9))

    def torn(self):
        raise struct.error("unpack requires a buffer of 12 bytes")

    monkeypatch.setattr(Image.Image, "getexif", torn)
    with Image.open("noted.png") as image:
        assert (decoded(image, Canvas(SIDE, SIDE, 1), {}).pixels == 77).all()


def test_all_eight_ways_to_hold_a_camera_are_put_upright():
    upright = np.zeros((SIDE, SIDE), np.uint8)
    upright[: SIDE // 2, : SIDE // 2], upright[: SIDE // 2, SIDE // 2 :] = 250, 120
    undone = {
        1: 0,
        2: 0,
        3: 2,
        4: 2,
        5: 3,
        6: 1,
        7: 1,
        8: 3,
    }  # quarter turns to the left; then a mirror for 2, 4, 5, 7
    for note, turns in undone.items():
        stored = np.rot90(upright, turns)
        stored = stored[:, ::-1] if note in (2, 4, 5, 7) else stored
        exif = Image.Exif()
        exif[0x0112] = note
        Image.fromarray(np.ascontiguousarray(stored)).save("held.png", exif=exif)
        with Image.open("held.png") as image:
            assert (decoded(image, Canvas(SIDE, SIDE, 1), {}).pixels[..., 0] == upright).all(), note


# --- one bad picture does not take the rest --------------------------------------------------------------------------
def packed(folder: Path, path: str = "p.zip") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for picture in sorted(folder.rglob("*.png")):
            archive.write(picture, picture.relative_to(folder).as_posix())
    return Path(path)


def spoil(path: Path, how: str, only: str = "") -> None:
    """Damages or locks the members of a zip, or one of them, as its specification (APPNOTE) places the fields."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if only in member.filename]
    at = data.index(b"PK\1\2")
    central = {}
    while data[at : at + 4] == b"PK\1\2":
        sizes = struct.unpack_from("<HHH", data, at + 28)
        central[data[at + 46 : at + 46 + sizes[0]].decode()] = at
        at += 46 + sum(sizes)
    for member in members:
        local, entry = member.header_offset, central[member.filename]
        if how == "password":
            data[local + 6] |= 1
            data[entry + 8] |= 1
        elif how == "Deflate64":
            data[local + 8] = data[entry + 10] = 9
        elif how == "checksum":
            data[entry + 16] ^= 255
        elif how == "header":
            data[local] = 0
        else:
            start = local + 30 + len(member.filename)
            data[start : start + 12] = bytes(12)
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["password", "Deflate64", "checksum", "header", "bytes"])
def test_a_bad_member_of_a_zip_is_named_among_the_unreadable_pictures(caplog, folder, how):
    path = packed(folder)
    spoil(path, how, only="a/2.png")
    assert greys(load(path)) == [0, 30, 90, 120, 150, 180, 210]
    assert "1 of 8 pictures cannot be read: a/2.png" in caplog.text


@pytest.mark.parametrize(
    ("how", "dry"),
    [
        ("password", False),
        ("password", True),
        ("Deflate64", True),
        ("cut", False),
        ("directory", True),
    ],
)
def test_a_zip_that_cannot_be_read_at_all_is_one_line(gan_train, folder, how, dry):
    path = packed(folder)
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    elif how == "directory":
        path.write_bytes(path.read_bytes().replace(b"PK\1\2", b"PK\1\0"))
    else:
        spoil(path, how)
    result = gan_train(*TINY_FOLDER, f"dataset.path={path}", *(["dry_run=true"] if dry else []))
    assert (result.code, len(result.err.splitlines())) == (2, 1), result.err
    assert f"dataset.path={path}: " in result.err
    assert not Path("outputs").exists()


FAULTS = [struct.error("x"), zlib.error("x"), KeyError("x"), NotImplementedError("x"), RuntimeError("x"), MemoryError()]
FAULTS += [Image.DecompressionBombError("x"), RecursionError("x"), AttributeError("x"), TypeError("x"), EOFError()]
FAULTS += [
    IndexError("x"),
    AssertionError(),
    ZeroDivisionError("x"),
    OverflowError("x"),
    SyntaxError("x"),
    OSError("x"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_whatever_a_decoder_raises_names_the_picture_and_keeps_the_rest(caplog, folder, monkeypatch, fault):
    opened = Image.open

    def broken(where, *rest, **options):
        if Path(where).name == "2.png":
            raise fault
        return opened(where, *rest, **options)

    monkeypatch.setattr(Image, "open", broken)
    assert greys(load(folder)) == [0, 30, 90, 120, 150, 180, 210]
    assert "1 of 8 pictures cannot be read: a/2.png" in caplog.text


def test_a_bad_picture_whose_name_is_no_text_is_named_in_the_log(gan_train, folder):
    name = os.fsdecode(b"bad\xff\xe9.png")
    (folder / "a" / name).write_bytes(b"no picture")
    result = gan_train(*TINY_FOLDER, f"dataset.path={folder}")
    assert result.code == 0, result.err
    assert "Logging error" not in result.err
    assert "Traceback" not in result.err
    named = r"1 of 9 pictures cannot be read: a/bad\udcff\udce9.png"
    assert named in (run_folder() / "train.log").read_text(encoding="utf-8")


def test_a_picture_that_the_system_kept_from_us_is_tried_again(folder, monkeypatch):
    opened = Image.open

    def refused(where, *rest, **options):
        if Path(where).name == "2.png":
            raise PermissionError(13, "Permission denied")
        return opened(where, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", refused)
        assert len(load(folder)) == 7
    assert len(load(folder)) == 8


# --- a cache that mends itself ---------------------------------------------------------------------------------------
def rot(path: Path) -> None:
    """Flips a bit, as a disk does: the time stamp stays."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def damage(how: str) -> None:
    (pixels,), (about,) = Path("data/cache").glob("*.u8"), Path("data/cache").glob("*.json")
    facts = json.loads(about.read_text())
    if how == "bytes":
        pixels.write_bytes(bytes([1]) + pixels.read_bytes()[1:])
    elif how == "a bit":
        rot(pixels)
    elif how == "about a bit":
        about.write_text(about.read_text().replace('"kept": 8', '"kept": 9').replace('"index": 8', '"index": 9'))
    elif how == "torn":
        pixels.write_bytes(pixels.read_bytes()[:-1])
    elif how == "deleted":
        pixels.unlink()
    elif how == "folder":
        pixels.unlink()
        pixels.mkdir()
    elif how == "about folder":
        about.unlink()
        about.mkdir()
    elif how == "about others":
        about.write_text(json.dumps({**facts, "unreadable": [{"index": 99, "why": "", "passing": False}]}))
    else:
        about.write_bytes({"about torn": about.read_bytes()[:9], "about foreign": b"[]", "about noise": b"\xff"}[how])


@pytest.mark.parametrize(
    "how",
    [
        "bytes",
        "a bit",
        "about a bit",
        "torn",
        "deleted",
        "folder",
        "about torn",
        "about foreign",
        "about noise",
        "about others",
        "about folder",
    ],
)
def test_a_damaged_cache_is_decoded_again_with_a_warning(caplog, folder, how):
    before = load(folder)
    values = before.values.copy()
    damage(how)
    again = load(folder)
    assert (again.values == values).all()
    assert again.fingerprint() == before.fingerprint()
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * (1 + ("folder" in how))
    assert "decoded again" in caplog.text
    if "folder" not in how:
        caplog.clear()
        load(folder)
        assert not caplog.records


def test_a_copied_cache_is_read_and_not_decoded_again(folder, monkeypatch, caplog):
    before = load(folder)
    (pixels,) = Path("data/cache").glob("*.u8")
    os.utime(pixels, (1, 1))
    monkeypatch.setattr(recipe, "decoded", None)
    assert (load(folder).values == before.values).all()
    assert not caplog.records


@pytest.mark.parametrize("what", ["root", "cache", "full"])
def test_where_nothing_can_be_kept_pictures_are_decoded_into_memory(gan_train, folder, monkeypatch, what):
    keys = (*TINY_FOLDER, f"dataset.path={folder}", "conditional=true")
    assert gan_train(*keys, "hydra.run.dir=kept").code == 0
    Path("other").mkdir()
    if what == "full":
        from gan_cli.data import partial

        def full(file):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(partial.os, "fsync", full)
    else:
        Path("other/data" if what == "root" else "other/data/cache").parent.mkdir(parents=True, exist_ok=True)
        Path("other/data" if what == "root" else "other/data/cache").touch()
    result = gan_train(*keys, "hydra.run.dir=held", "dataset.root=other/data", "checkpoint_every=9")
    if what == "full":
        monkeypatch.undo()
        assert result.code in (0, 2)
        assert "decoded pictures cannot be kept in other/data/cache (No space left on device)" in result.err
        return
    assert result.code == 0, result.err
    assert "they are decoded into memory, again in each run" in result.err
    assert metrics_in(Path("kept")) == metrics_in(Path("held"))


@pytest.mark.parametrize("how", ["torn", "folder", "read-only"])
def test_a_classifier_that_cannot_be_read_or_kept_is_learnt_and_used(caplog, folder, how):
    samples = load(folder)

    def learnt() -> Classifier:
        made = Classifier("data", seed=0, epochs=1)
        made.prepare(samples, lambda: None, pick_device("cpu"))
        return made

    if how == "read-only":
        Path("data/classifiers").touch()
        first = learnt()
        assert "cannot be kept in data/classifiers" in caplog.text
    else:
        first = learnt()
        (file,) = Path("data/classifiers").iterdir()
        if how == "torn":
            file.write_bytes(file.read_bytes()[:100])
        else:
            file.unlink()
            file.mkdir()
    again = learnt()
    assert "learnt again" in caplog.text
    assert again.provenance() == first.provenance()


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"])
@pytest.mark.parametrize("left", [0, 20])
def test_half_a_download_is_one_line_that_says_what_to_delete(gan_train, name, left):
    raw = Path("data/MNIST/raw")
    raw.mkdir(parents=True)
    for part, shape in (("train", 9), ("t10k", 9)):
        head = struct.pack(">HBBIII", 0, 8, 3, shape, 28, 28)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(head + bytes(shape * 784))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">HBBI", 0, 8, 1, shape) + bytes(shape))
    (raw / name).write_bytes((raw / name).read_bytes()[:left] if left < 17 or "images" in name else b"\0\0\x08\x01")
    result = gan_train("dataset=mnist", *TINY_MLP, "steps=2")
    assert (result.code, len(result.err.splitlines())) == (2, 1), result.err
    assert f"after deleting {raw.absolute()}" in result.err


# --- what a pack, a classifier and a checkpoint stand for ------------------------------------------------------------
def test_the_fingerprint_sees_every_sample_their_order_and_their_labels():
    values = np.random.default_rng(0).integers(0, 256, (20000, 1, 2, 2), dtype=np.uint8)
    labels = np.arange(20000) % 3
    one = Samples(values, labels)
    changed = values.copy()
    changed[12345, 0, 0, 0] ^= 1
    others = [Samples(changed, labels), Samples(values[::-1].copy(), labels), Samples(values, labels[::-1].copy())]
    others += [Samples(values), Samples(values.reshape(20000, 1, 1, 4), labels)]
    assert len({samples.fingerprint() for samples in [one, *others]}) == 6
    assert not any(samples.matches(one.fingerprint()) for samples in others)
    relaid = np.ascontiguousarray(values.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)  # another layout in memory
    assert Samples(relaid, labels).matches(one.fingerprint())


def test_a_conditional_run_does_not_go_on_with_other_labels(gan_train, folder):
    keys = (*TINY_FOLDER, f"dataset.path={folder}", "conditional=true", "hydra.run.dir=run")
    assert gan_train(*keys).code == 0
    (folder / "b/4.png").rename(folder / "a/4.png")  # the same pictures in the same order
    result = gan_train("resume=run", "steps=4")
    assert (result.code, len(result.errors)) == (2, 1)
    assert "its labels are not those the checkpoint was trained on" in result.err


def test_the_same_pictures_with_other_labels_have_another_classifier(folder):
    samples = load(folder)
    for labels in (samples.labels, 1 - samples.labels):
        made = Classifier("data", seed=0, epochs=1)
        made.prepare(Samples(samples.values, labels), lambda: None, torch.device("cpu"))
    assert len(list(Path("data/classifiers").iterdir())) == 2


def test_pictures_that_change_places_are_decoded_again(folder):
    stamp = (folder / "a/1.png").stat()
    os.utime(folder / "a/2.png", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert (folder / "a/2.png").stat().st_size == stamp.st_size
    assert greys(load(folder))[1:3] == [30, 60]
    (folder / "a/1.png").rename("aside")
    (folder / "a/2.png").rename(folder / "a/1.png")
    Path("aside").rename(folder / "a/2.png")
    assert greys(load(folder))[1:3] == [60, 30]


def first_fingerprint(samples: Samples) -> str:
    some = samples.values[:: max(1, len(samples) // 4096)]
    return hashlib.blake2b(repr(samples.values.shape).encode() + some.tobytes(), digest_size=8).hexdigest()


def test_a_run_that_began_by_the_first_rules_goes_on_by_them(gan_train):
    """Its checkpoints lack ``dataset.rules``; each 16-bit picture had a scale of its own, or none."""
    for i, value in enumerate((0, 100, 250, 300, 65535, 20, 30, 40)):
        flat(f"deep/{i}.png", value, np.uint16)
    keys = (*TINY_FOLDER, "dataset.path=deep", "dataset.rules=1")
    assert greys(load("deep", rules=1)) == [0, 100, 250, 1, 255, 20, 30, 40]
    assert gan_train(*keys, "steps=4", "hydra.run.dir=whole").code == 0
    assert gan_train(*keys, "hydra.run.dir=run").code == 0
    for file in Path("run/checkpoints").glob("*.pt"):
        state = torch.load(file, weights_only=True)
        del state["config"]["dataset"]["rules"], state["config"]["dataset"]["range"], state["data"]["decoder"]
        state["data"]["fingerprint"] = first_fingerprint(load("deep", rules=1))
        torch.save(state, file)
    result = gan_train("resume=run", "steps=4")
    assert result.code == 0, result.err
    ours, theirs = tensors(state_in(Path("run"))), tensors(state_in(Path("whole")))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert state_in(Path("run"))["config"]["dataset"]["rules"] == 1


def test_another_version_of_the_decoder_has_a_cache_of_its_own_and_takes_no_run(gan_train, folder, monkeypatch):
    keys = (*TINY_FOLDER, f"dataset.path={folder}", "log_every=1")
    assert gan_train(*keys, "steps=3", "hydra.run.dir=whole").code == 0
    assert gan_train(*keys, "hydra.run.dir=run").code == 0
    old = next(Path("data/cache").glob("*.u8"))
    rounded = formats.decoded

    def otherwise(image, *rest):
        found = rounded(image, *rest)
        return formats.Decoded(found.pixels ^ 1, found.depth, found.frames)

    monkeypatch.setattr(recipe, "decoded", otherwise)
    monkeypatch.setattr(formats.PIL, "__version__", "99.1")
    assert greys(load(folder))[1] == 31
    assert len(list(Path("data/cache").glob("*.u8"))) == 2
    assert gan_train("resume=run", "steps=3").code == 0
    assert metrics_in(Path("run")) == metrics_in(Path("whole"))
    old.unlink()
    result = gan_train("resume=run", "steps=6")
    assert (result.code, len(result.errors)) == (2, 1)
    assert f"decode them as then, with pillow {old.stem.partition('-pillow-')[2]}: here it is pillow-99.1" in result.err


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_lsun_pictures_that_are_replaced_are_decoded_again_and_no_pickle_is_read():
    lmdb = pytest.importorskip("lmdb")

    def fill(where: str, grey: int) -> None:
        with lmdb.open(where, map_size=2**20) as store, store.begin(write=True) as change:
            buffer = io.BytesIO()
            Image.new("RGB", (SIDE, SIDE), (grey, grey, grey)).save(buffer, "BMP")
            change.put(b"0", buffer.getvalue())

    Path("data").mkdir()
    Path("data/_cache_churchoutdoortrainlmdb").write_bytes(b"cos\nmkdir\n(S'ran'\ntR.")
    fill("data/church_outdoor_train_lmdb", 10)
    fill("other", 20)
    dataset = Library().build_by_name("dataset", "lsun", category="church_outdoor", size=SIDE, split="train")
    assert dataset.load().values.max() == 10
    Path("other/data.mdb").replace("data/church_outdoor_train_lmdb/data.mdb")
    assert dataset.load().values.max() == 20
    assert not Path("ran").exists()
