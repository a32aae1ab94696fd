"""Imports of many pictures: by all cores, interrupted and continued, shared by processes, larger than memory."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY_MLP
from PIL import Image
from test_decoding import SIDE, flat, greys, load, packed

from gan_cli.data import array_files, decoders, decoding, pack, partial, recipe
from gan_cli.data.cache import cached_pictures
from gan_cli.data.canvas import Canvas
from gan_cli.data.decoding import PictureSource
from gan_cli.data.opening import opened
from gan_cli.output import counting, disk, lock

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
import kill_imports

FOLDER = (*TINY_MLP, "dataset=image_folder", f"dataset.size={SIDE}", "dataset.channels=1", "dataset.limit=0", "steps=1")


def cache() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path("data/cache").iterdir()}


@pytest.fixture
def many() -> Path:
    for i in range(60):
        flat(f"p/{i:02}.png", 4 * i)
    return Path("p")


@pytest.fixture
def in_small_stretches(monkeypatch):
    monkeypatch.setattr(decoding, "STRETCH_BYTES", 7 * SIDE**2)
    monkeypatch.setattr(decoders, "cores", lambda: 2)  # 6 threads, to which 60 pictures go two at a time


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and looks at what a process does")
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_killed_three_times_and_begun_again_is_the_undisturbed_import(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(decoding, "STRETCH_BYTES", 2**13)
    source = kill_imports.pictures(tmp_path / "p", 200)
    source = kill_imports.packed(source, tmp_path / "p.zip") if kind == "zip" else source
    events = kill_imports.undisturbed(source, tmp_path / "whole")
    wanted, went_on = kill_imports.files(tmp_path / "whole"), 0
    assert sorted(Path(name).suffix for name in wanted) == [".json", ".u8"]
    for seed in range(2):
        root = tmp_path / f"killed-{seed}"
        told, times = kill_imports.point(source, root, seed, 3, events, 200)
        assert (kill_imports.files(root), len(told)) == (wanted, 3), told
        went_on += times
    assert went_on


def broken_off(monkeypatch, source: Path, after: int, **options) -> None:
    """An import of which so many stretches are written."""
    with monkeypatch.context() as patch:
        append, left = partial.Writing.append, [after]

        def stopping(self, stretch):
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            append(self, stretch)

        patch.setattr(partial.Writing, "append", stopping)
        with pytest.raises(KeyboardInterrupt):
            load(source, **options)


@pytest.mark.parametrize(
    ("harm", "depth"),
    [
        *((harm, 8) for harm in ("none", "torn line", "bit", "torn pixels", "other line", "no journal", "no pixels")),
        ("bit", "full"),
    ],
)
def test_what_was_decoded_is_kept_and_what_is_torn_is_decoded_again(monkeypatch, many, in_small_stretches, harm, depth):
    monkeypatch.setattr(decoding, "STRETCH_BYTES", 7 * SIDE**2 * (4 if depth == "full" else 1))
    values = load(many, root="whole", depth=depth).values.copy()
    broken_off(monkeypatch, many, 4, depth=depth)
    (journal,), (pixels,) = Path("data/cache").glob(".*.done"), Path("data/cache").glob(".*.part")
    lines, bytes_ = journal.read_bytes(), bytearray(pixels.read_bytes())
    if harm == "torn line":
        journal.write_bytes(lines[:-9])
    elif harm == "bit":
        bytes_[-1] ^= 1
        pixels.write_bytes(bytes_)
    elif harm == "torn pixels":
        pixels.write_bytes(bytes_[:-1])
    elif harm == "other line":
        journal.write_bytes(lines.replace(b'"moving": 0', b'"moving": 1'))
    elif harm.startswith("no "):
        (journal if harm == "no journal" else pixels).unlink()
    asked, decode = [], recipe.decoded
    monkeypatch.setattr(recipe, "decoded", lambda *given: asked.append(1) or decode(*given))
    assert (load(many, depth=depth).values == values).all()
    stretch = 8  # four times two are more than seven pictures
    kept = {"none": 4, "torn line": 3, "bit": 3, "torn pixels": 3}.get(harm, 0)
    assert len(asked) == 60 - stretch * kept
    assert len(cache()) == 2


def test_floats_go_on_with_the_scale_that_was_found(monkeypatch, in_small_stretches):
    for i in range(60):
        flat(f"f/{i:02}.tif", i / 8, np.float32)
    values = load("f", root="whole").values.copy()
    broken_off(monkeypatch, Path("f"), 3)
    looked = []
    monkeypatch.setattr("gan_cli.data.cache.extents_of", lambda source: looked.append(1))
    assert (load("f").values == values).all()
    assert not looked


def test_processes_decode_the_same_bytes_and_name_what_ends_one(monkeypatch, many, caplog):
    (many / "30.png").write_bytes(b"no picture")
    values = load(many, root="threads").values.copy()
    monkeypatch.setattr(decoders, "MANY", 1)
    monkeypatch.setattr(decoders, "cores", lambda: 2)
    with caplog.at_level(logging.INFO):
        assert (load(many, root="processes").values == values).all()
        assert (load(packed(many), root="zip").values.reshape(59, -1)[:, 0] == values.reshape(59, -1)[:, 0]).all()
    assert "1 of 60 pictures cannot be read: 30.png" in caplog.text
    assert "by this process alone" not in caplog.text
    files = sorted(many.iterdir())
    files[2] = Ending()
    source = PictureSource(["ending"], files[:9], files[:9], opened)
    found = cached_pictures(Path("ending"), source, Canvas(SIDE, SIDE, 1))
    assert [(entry.index, entry.why) for entry in found.contents.unreadable] == [(2, decoders.ENDS_THE_DECODER)]
    assert found.values[:, 0, 0, 0].tolist() == [4 * i for i in range(9) if i != 2]


def test_heic_is_read_by_processes_by_itself_and_under_another_name(monkeypatch, many):
    pillow_heif = pytest.importorskip("pillow_heif")
    for name in ("60.heic", "61.jpg"):
        pillow_heif.from_pillow(Image.new("RGB", (SIDE, SIDE), (240, 240, 240))).save(many / "x.heic")
        (many / "x.heic").rename(many / name)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)  # as it is where nobody has asked for it
    with opened(many / "61.jpg") as image:
        assert image.format == "HEIF"
    monkeypatch.setattr(decoders, "MANY", 1)
    monkeypatch.setattr(decoders, "cores", lambda: 2)
    assert greys(load(many))[60:] == pytest.approx([240, 240], abs=2)


class Ending:
    """Ends the process that it is sent to, as a decoder would that a damaged file makes overrun its memory."""

    def __reduce__(self):
        return os._exit, (139,)


def test_pictures_that_come_again_are_dropped_by_option_and_counted(many, caplog):
    for grey in (0, 40, 40):
        flat(f"p/again-{len(list(many.iterdir()))}.bmp", grey)
    assert len(load(many)) == 63
    with caplog.at_level(logging.INFO):
        assert greys(load(many, duplicates="drop")) == [4 * i for i in range(60)]
        assert greys(load(many, duplicates="drop")) == [4 * i for i in range(60)]  # and as it is read again
    assert (
        caplog.text.count("p: 3 of 63 pictures come again and are dropped: again-60.bmp is, once decoded, 00.png") == 2
    )


def test_labels_follow_when_pictures_are_dropped(caplog):
    for name, grey in {"a/0": 10, "a/1": 20, "b/0": 10, "b/1": 30}.items():
        flat(f"q/{name}.png", grey)
    samples = load("q", duplicates="drop")
    assert (greys(samples), samples.labels.tolist()) == ([10, 20, 30], [0, 0, 1])
    assert "q: of those, 1 had another label than the one that stays" in caplog.text


@pytest.mark.parametrize("dry", [(), ("dry_run=true",)])
def test_an_import_that_cannot_fit_is_refused_in_one_line(gan_train, many, monkeypatch, dry):
    monkeypatch.setattr(disk, "free", lambda folder: 60 * SIDE**2 - 1)
    result = gan_train(*FOLDER, "dataset.path=p", *dry)
    assert (result.code, len(result.err.splitlines())) == (2, 1), result.err
    assert "dataset.root=data: 4 KiB more are needed for 60 decoded pictures, and 4 KiB are free" in result.err
    assert not Path("outputs").exists()
    monkeypatch.setattr(disk, "free", lambda folder: 60 * SIDE**2)
    assert len(load(many)) == 60
    monkeypatch.setattr(disk, "free", lambda folder: 0)  # it is there, and needs no more
    assert len(load(many)) == 60


def test_one_imports_and_the_others_wait_say_so_and_read(many, monkeypatch, caplog):
    begun, go_on, decode, asked = threading.Event(), threading.Event(), recipe.decoded, []

    def slow(*given):
        begun.set()
        go_on.wait(30)
        asked.append(1)
        return decode(*given)

    monkeypatch.setattr(recipe, "decoded", slow)
    first = threading.Thread(target=lambda: load(many))
    first.start()
    begun.wait(30)
    held = lock._held.copy()
    lock._held.clear()  # as in another process
    monkeypatch.setattr(lock, "AT_LEAST", 0.05)
    threading.Timer(0.5, lambda: (lock._held.update(held), go_on.set())).start()
    with caplog.at_level(logging.INFO):
        sleep = time.sleep
        monkeypatch.setattr(lock.time, "sleep", lambda seconds: sleep(0.01))
        assert len(load(many)) == 60
    first.join()
    assert len(asked) == 60
    assert "another process is decoding these pictures" in caplog.text
    assert "this one waits for it" in caplog.text


def a_hole(path: Path, size: int, head: bytes = b"") -> None:
    """A file of zeros that takes no room, and a 7 at its end."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + size)
        file.seek(-1, os.SEEK_END)
        file.write(b"\7")


MORE_THAN_MEMORY = 2 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_a_pack_that_is_larger_than_memory_is_mapped(tmp_path):
    """Linux refuses to map so much for writing unless it is told that nothing needs to be kept free."""
    count = MORE_THAN_MEMORY // SIDE**2
    large = pack.Pack(tmp_path, "large", count, Canvas(SIDE, SIDE, 1), "none")
    a_hole(large.pixels, count * SIDE**2)
    values = large.mapped(count)
    assert isinstance(values, np.memmap)
    assert values.shape == (count, 1, SIDE, SIDE)
    assert values[-1, 0, -1, -1] == 7
    values[0] = 9  # stays in this process
    assert large.mapped(count)[0].max() == 0


@pytest.mark.parametrize("by_columns", [False, True])
def test_an_array_that_is_larger_than_memory_is_mapped(tmp_path, by_columns):
    shape, head = (MORE_THAN_MEMORY // 64, 64), io.BytesIO()
    facts = {"descr": "|u1", "fortran_order": by_columns, "shape": shape}
    np.lib.format.write_array_header_1_0(head, facts)
    a_hole(tmp_path / "x.npy", shape[0] * shape[1], head.getvalue())
    values, _, _ = array_files.pair(tmp_path / "x.npy", "x.npy", None, None)
    assert (values.shape, values[-1, -1], values[-2, -1], values[-1, -2]) == (shape, 7, 0, 0)


def test_a_rate_and_the_time_left_are_lines_in_a_pipe(caplog, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(counting.time, "monotonic", lambda: now[0])
    with caplog.at_level(logging.INFO), counting.counting("decoding", "decoded %s pictures", 9000, 1000) as tick:
        for _ in range(8):
            now[0] += 10
            tick(1000)
    assert [record.message for record in caplog.records] == [
        "decoding: 3,000 of 9,000, 100 a second, 60 seconds left",
        "decoding: 5,000 of 9,000, 100 a second, 40 seconds left",
        "decoding: 7,000 of 9,000, 100 a second, 20 seconds left",
        "decoded 8,000 pictures in 80 seconds: 100 a second",
    ]


def test_jpegs_are_decoded_to_the_size_alone_by_option(many):
    draws = np.random.default_rng(0)
    smooth = Image.fromarray(draws.integers(0, 256, (5, 5, 3), np.uint8)).resize((400, 300), Image.Resampling.BICUBIC)
    Path("j").mkdir()
    smooth.save("j/0.jpg", quality=90)
    usual, fast = (load("j", size=32, channels=3, detail=detail).values.astype(int) for detail in (2, 1))
    assert 0 < np.abs(usual - fast).mean() < 4
    assert len(list(Path("data/cache").glob("*.u8"))) == 2
    sealed = json.loads(next(Path("data/cache").glob("*.json")).read_text())
    assert sealed["repeated"] == []
