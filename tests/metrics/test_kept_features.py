"""Features of real pictures are computed once for all evaluations, and never taken for those of others."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from gan_cli.data.samples import Samples
from gan_cli.metrics.distances import Frechet
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.extractors.extractor import Extractor
from gan_cli.metrics.kept_features import KeptFeatures


class Sums(Extractor):
    """Two features of a picture, by a network without weights that says it has some."""

    def __init__(self, **signature) -> None:
        self.asked: list[int] = []
        self.said = {"name": "sums", "weights": "1", "resize": "none", **signature}

    def features(self, values):
        self.asked.append(len(values))
        flat = values.reshape(len(values), -1).astype(np.float32)
        return np.stack([flat.sum(1), flat[:, 0]], axis=1)

    def signature(self):
        return self.said


PICTURES = np.random.default_rng(0).integers(0, 256, (6, 1, 4, 4), dtype=np.uint8)


@pytest.fixture
def kept() -> KeptFeatures:
    return KeptFeatures(Path("features"))


def test_the_next_evaluation_reads_the_same_bits(kept):
    first, second = Sums(), Sums()
    found = kept.of(first, PICTURES)
    again = KeptFeatures(Path("features")).of(second, PICTURES.copy())
    assert (first.asked, second.asked) == ([6], [])
    assert again.tobytes() == found.tobytes()
    assert (again.dtype, again.shape) == (np.float32, (6, 2))


CHANGES = {
    "a byte": lambda x: np.where(np.arange(x.size).reshape(x.shape) == 50, x ^ 1, x),
    "order": lambda x: x[::-1],
    "number": lambda x: x[:5],
    "shape": lambda x: x.reshape(6, 1, 2, 8),
    "channels": lambda x: x.reshape(6, 4, 2, 2),
    "presented as numbers": lambda x: x.astype(np.float32) / 127.5 - 1,
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_pictures_are_other_features(kept, change):
    kept.of(Sums(), PICTURES)
    other, values = Sums(), CHANGES[change](PICTURES)
    assert (kept.of(other, values) == Sums().features(values)).all()
    assert other.asked == [len(values)]


@pytest.mark.parametrize("change", ["weights", "resize", "name", "threads", "torch"])
def test_another_network_or_another_machine_computes_its_own(kept, change, monkeypatch):
    kept.of(Sums(), PICTURES)
    if change == "threads":
        monkeypatch.setattr(torch, "get_num_threads", lambda: 99)
    elif change == "torch":
        monkeypatch.setattr(torch, "__version__", "99.0")
    other = Sums() if change in ("threads", "torch") else Sums(**{change: "2"})
    kept.of(other, PICTURES)
    assert other.asked == [6]


@pytest.mark.parametrize("harm", ["bit", "torn", "head", "foreign", "another's", "empty", "folder"])
def test_a_damaged_or_foreign_file_is_computed_again_with_a_warning(kept, caplog, harm):
    kept.of(Sums(), PICTURES)
    (path,) = Path("features").iterdir()
    content = bytearray(path.read_bytes())
    if harm == "bit":
        content[-3] ^= 8
    elif harm == "torn":
        content = content[:-1]
    elif harm == "head":
        content = content.replace(b'"shape": [6, 2]', b'"shape": [2, 6]')
    elif harm == "another's":
        kept.of(Sums(), PICTURES[::-1].copy())
        (other,) = set(Path("features").iterdir()) - {path}
        content = other.read_bytes()
    path.write_bytes({"foreign": b"\x93NUMPY\xff" * 99, "empty": b""}.get(harm, bytes(content)))
    if harm == "folder":
        path.unlink()
        path.mkdir()
    again = Sums()
    assert (kept.of(again, PICTURES) == Sums().features(PICTURES)).all()
    assert again.asked == [6]
    assert caplog.text.count("features are computed again") == 1
    if harm != "folder":
        assert KeptFeatures(Path("features")).of(last := Sums(), PICTURES).shape == (6, 2)
        assert not last.asked


def test_the_folder_is_bounded_and_what_was_used_last_stays(kept, caplog):
    for i in range(3):
        kept.of(Sums(), PICTURES + i)
    first, second, third = sorted(Path("features").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    for age, path in enumerate((second, third, first)):
        os.utime(path, (age, age))
    size = sum(path.stat().st_size for path in (first, second, third))
    with caplog.at_level(logging.INFO):
        KeptFeatures(Path("features"), size).of(Sums(), PICTURES + 3)
    left = set(Path("features").iterdir())
    assert (second in left, third in left, first in left, len(left)) == (False, True, True, 3)
    assert "are kept: 1 that were not used for longest" in caplog.text
    with caplog.at_level(logging.INFO):
        KeptFeatures(Path("features"), 10).of(Sums(), PICTURES + 4)
    assert "are not kept" in caplog.text
    assert set(Path("features").iterdir()) == left


def test_where_nothing_can_be_kept_features_are_computed_each_time(kept, caplog):
    Path("features").touch()
    for _ in range(2):
        kept.of(again := Sums(), PICTURES)
        assert again.asked == [6]
    assert "they are computed each time" in caplog.text
    Path("features").unlink()
    unknown = Sums()
    unknown.said = None  # an extractor of one's own, whose code nobody hashes
    kept.of(unknown, PICTURES)
    assert not Path("features").exists()


def test_an_evaluation_keeps_the_features_of_real_pictures_alone_and_its_values_are_the_same(kept):
    real, fake = Samples(np.concatenate([PICTURES, PICTURES[:2]])), Samples(PICTURES ^ 3)
    values = []
    for where in (None, kept, kept):
        source = Sums()
        evidence = Evidence(real, real, source, fake=fake, kept=where)
        values.append(Frechet()(evidence)["frechet"])
        asked = source.asked
    assert values[0] == values[1] == values[2]
    assert asked == [6]  # the generated ones
    assert len(list(Path("features").iterdir())) == 1
    shutil.rmtree("features")
