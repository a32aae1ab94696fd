"""Signals of one dimension: arrays and sounds, cut, scaled, learnt and given back in their units."""

from __future__ import annotations

import csv
import wave
from pathlib import Path

import numpy as np
import pytest
from conftest import config_of
from PIL import Image

import gan_cli
from gan_cli.config.library import Library
from gan_cli.errors import UserError
from gan_cli.models.lengths import fits, halvings, nearest

TINY = (
    *("experiment=signals", "dataset.length=16", "steps=3", "batch_size=8", "prior.size=4", "sample_count=4"),
    *("architecture.width=4", "architecture.kernel=3", "log_every=1"),
)


def waves(count: int = 40, length: int = 16) -> np.ndarray:
    """Two channels, a sine and its cosine of random phase, with an offset: float64 (count, 2, length)."""
    phase = np.random.default_rng(0).uniform(0, 2 * np.pi, (count, 1))
    at = 2 * np.pi * np.arange(length) / length + phase
    return np.stack([5 + 2 * np.sin(at), 100 * np.cos(at)], axis=1)


def write_wav(path: Path, x: np.ndarray, rate: int = 8000, width: int = 2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    levels = np.round(x * (2 ** (8 * width - 1) - 1)).astype("<i4").reshape(len(x), -1).T.ravel()
    raw = levels.view(np.uint8).reshape(-1, 4)[:, :width].copy()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(x))
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes((raw ^ 0x80 if width == 1 else raw).tobytes())


def signals_of(*keys: str):
    return Library().build("dataset", config_of("experiment=signals", "architecture=mlp", *keys).dataset)


def test_lengths_are_small_starts_doubled():
    assert [halvings(n) for n in (64, 96, 1000, 16384)] == [(4, 4), (6, 4), (125, 3), (4, 12)]
    assert [n for n in range(8, 40) if fits(n)] == [8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 36]
    assert nearest(100) == 96


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_sounds_of_every_depth_are_read_and_written(width, tmp_path):
    from gan_cli.commands.sampling.values import write_wav as written
    from gan_cli.data.sounds import read_wav

    x = np.random.default_rng(0).uniform(-0.9, 0.9, (2, 50))
    write_wav(tmp_path / "x.wav", x, 22050, width)
    found, rate = read_wav(tmp_path / "x.wav")
    assert rate == 22050
    assert np.abs(found - x).max() < (0.02 if width == 1 else 1e-4)
    written(tmp_path / "y.wav", found, rate)
    assert np.abs(read_wav(tmp_path / "y.wav")[0] - found).max() < 1e-4


def test_signals_are_cut_scaled_and_held_out(caplog):
    caplog.set_level("INFO")
    x = waves(20, 40)
    np.save("x.npy", x)
    data = signals_of("dataset.path=x.npy", "dataset.length=16", "dataset.split=train")
    samples = data.load()
    assert samples.values.shape == (36, 2, 16)
    assert caplog.messages[-1] == (
        "x.npy: 36 windows of 16 values, of 20 signals; 20.0% of all values lie in no window"
    )
    assert samples.values.min() == pytest.approx(-1)
    assert samples.values.max() == pytest.approx(1)
    units = samples.values[:, 1] * samples.fields[1].scale + samples.fields[1].mean
    assert np.abs(units[1] - x[0, 1, 16:32]).max() < 1e-4
    held = data.held_out()
    assert len(held) == 4  # two windows each of signals 9 and 19
    assert np.abs(held.values[0, 0] * held.fields[0].scale + held.fields[0].mean - x[9, 0, :16]).max() < 1e-5
    np.save("last.npy", x.transpose(0, 2, 1))
    assert (signals_of("dataset.path=last.npy", "dataset.length=16").load().values.shape) == (40, 2, 16)
    one = signals_of("dataset.path=x.npy", "dataset.length=16", "dataset.channels=1", "dataset.cut=centre").load()
    assert one.values.shape == (20, 1, 16)


def test_labels_of_signals_are_what_those_of_any_array_are():
    x, slopes = waves(20, 40), np.linspace(-2, 2, 20)
    np.savez("x.npz", x=x, y=np.stack([slopes, np.arange(20) % 2], axis=1))
    samples = signals_of("dataset.path=x.npz", "dataset.length=16").load()
    assert [(c.name, c.kind) for c in samples.conditions] == [("label0", "number"), ("label1", "attribute")]
    assert samples.labels[:, 1].tolist() == [float(i // 2 % 2) for i in range(40)]  # two windows each
    assert samples.conditions[0].value(samples.labels[-1, 0]) == pytest.approx(2)
    assert len(signals_of("dataset.path=x.npz", "dataset.length=16", "dataset.limit=7").load()) == 7
    np.savez("x.npz", x=x, y=np.array([f"kind {i % 3}" for i in range(20)]))
    assert signals_of("dataset.path=x.npz", "dataset.length=16").load().names == ("kind 0", "kind 1", "kind 2")


def test_folders_of_sounds_are_classes(caplog):
    caplog.set_level("INFO")
    for i in range(6):
        write_wav(Path("sounds") / "ab"[i % 2] / f"{i}.wav", np.sin(np.arange(40 + i) / (i + 1))[None])
    Path("sounds/a/torn.wav").write_bytes(b"RIFF\0\0\0\0WAVE")
    samples = signals_of("dataset.path=sounds", "dataset.length=16").load()
    assert samples.names == ("a", "b")
    assert np.bincount(samples.labels).tolist() == [6, 6]
    assert samples.fields[0].rate == 8000
    assert "1 files cannot be read, such as torn.wav" in caplog.messages[-1]


BAD = {
    "longer than all": (lambda: np.save("x.npy", waves(4, 8)), "dataset.length=16: the longest of 4 signals has 8"),
    "pictures": (lambda: np.save("x.npy", np.zeros((4, 2, 3, 8))), "holds (4, 2, 3, 8): give signals"),
    "not finite": (lambda: np.save("x.npy", np.full((4, 16), np.nan)), "holds numbers that are not finite"),
    "objects": (
        lambda: np.save("x.npy", np.array([{}]), allow_pickle=True),
        "holds Python objects, which are not read",
    ),
    "texts": (lambda: np.save("x.npy", np.array(["a"])), "holds <U1, and no numbers"),
    "torn": (lambda: Path("x.npy").write_bytes(b"\x93NUMPY"), "cannot be read"),
    "nothing": (lambda: None, "does not exist"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_signals_are_answered_in_one_line(case):
    make, said = BAD[case]
    make()
    with pytest.raises(UserError) as error:
        signals_of("dataset.path=x.npy", "dataset.length=16").load()
    (line,) = error.value.problems
    assert said in line


@pytest.mark.parametrize("model", ["nice", "rbm", "made", "maf"])
def test_models_of_pixels_refuse_signals_and_categories(model):
    from gan_cli.data.columns import Column
    from gan_cli.data.samples import Samples
    from gan_cli.training.outline import require_kind

    config = config_of(f"model={model}")
    signals = Samples(np.zeros((4, 2, 16), np.float32))
    rows = Samples(np.eye(2, dtype=np.float32), fields=(Column(name="city", kind="category", values=["a", "b"]),))
    refused = "dataset.leave_out=[city]" if model in ("nice", "maf") else "dataset=digits: holds points, and "
    for samples, said in ((signals, "holds signals: use model=gan or vae"), (rows, refused)):
        with pytest.raises(UserError) as error:
            require_kind(config, samples)
        assert said in error.value.problems[0]
    require_kind(config_of("model=vae"), signals)
    with pytest.raises(UserError, match=r"model\.likelihood=bernoulli: is of pixels, and dataset=digits holds signals"):
        require_kind(config_of("model=vae", "model.likelihood=bernoulli"), signals)


def test_noise_of_signals_has_a_scale():
    np.save("x.npy", waves())
    keys = ("experiment=signals", "dataset.path=x.npy", "model.sigma=0.1")
    assert config_of("model=vae", *keys, "penalty=[]", "architecture.width=4").model.sigma == 0.1


def test_names_of_arrays_are_not_for_sounds():
    Path("sounds").mkdir()
    for key in ("key", "labels_key"):
        with pytest.raises(UserError, match=f"dataset.{key}=x: is for arrays, and sounds holds sounds: leave it out"):
            signals_of("dataset.path=sounds", f"dataset.{key}=x").load()


def test_no_extractor_tells_classes_of_signals(gan_train, gan_sample):
    np.savez("x.npz", signals=waves().astype(np.float32), y=np.arange(40) % 2)
    assert gan_train(*TINY, "dataset.path=x.npz", "conditional=false", "hydra.run.dir=run").code == 0
    result = gan_sample("checkpoint=run", "directions=0:1", "out=strips.png")
    assert result.code == 2
    assert "directions=0:1: an extractor tells classes of pictures, and these samples are none" in result.err


def test_signals_from_the_file_to_samples(gan_train, gan_sample, gan_eval):
    np.savez("x.npz", signals=waves().astype(np.float32), y=np.arange(40) % 2 + 7)
    keys = (*TINY, "dataset.path=x.npz", "dataset.split=train", "dataset.rate=8000", "hydra.run.dir=run")
    assert gan_train(*keys, "conditional=true", "dry_run=true").code == 0
    assert gan_train(*keys, "conditional=true").code == 0
    assert gan_train("resume=run", "steps=5").code == 0
    with Image.open("run/samples/step-000000005.png") as image:
        assert image.width > 2 * 128
    assert gan_sample("checkpoint=run", "format=npy", "n=6", "label=7", "out=x.npy").code == 0
    assert gan_sample("checkpoint=run", "format=csv", "n=6", "label=7", "out=x.csv").code == 0
    result = gan_sample("checkpoint=run", "format=wav", "n=2", "label=8", "out=sounds")
    assert result.code == 0
    assert "the data go to ±99.999, and a sound to ±1: all is divided by that" in result.err
    assert gan_sample("checkpoint=run", "format=npy", "n=2", "label=8", "out=heard.npy").code == 0
    found, model = np.load("x.npy"), gan_cli.load("run")
    assert found.shape == (6, 2, 16)
    scale = np.array([column.scale for column in model.fields])[:, None]
    assert scale.ravel() == pytest.approx([2, 100], rel=0.05)
    with Path("x.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [*rows[0]] == ["seed", "step", "label", "channel 0", "channel 1"]
    assert float(rows[16 + 3]["channel 1"]) == pytest.approx(found[1, 1, 3], rel=1e-5)
    assert rows[16 + 3]["label"] == "7"
    with wave.open("sounds/seed-0000001-label-8.wav") as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 16)
        heard = np.frombuffer(file.readframes(16), "<i2").reshape(16, 2).T / 32767
    most = max(abs(column.mean) + column.scale for column in model.fields)
    np.testing.assert_allclose(heard * most, np.load("heard.npy")[1], atol=most / 32767)
    for form in ("grid", "png"):
        assert gan_sample("checkpoint=run", f"format={form}", "n=2", f"out={form}/").code == 0
    assert gan_sample("checkpoint=run", "interpolation=linear", "seeds=0,1", "label=7", "out=strip.png").code == 0
    result = gan_eval("checkpoint=run", "metrics=[sliced_wasserstein,two_sample]", "count=30", "out=found.json")
    assert result.code == 0, result.err
    for metric in ("swd", "marginals"):
        assert f"metrics={metric}: " in gan_eval("checkpoint=run", f"metrics={metric}", "count=30").err
    result = gan_train(*keys, "dataset.length=34", "hydra.run.dir=other")
    assert "dataset.length=34: architecture=dcgan1d needs 4 to 15 values doubled once or more, such as" in result.err
    result = gan_train("architecture=dcgan", "dataset=signals", "dataset.path=x.npz", "hydra.run.dir=other")
    assert "holds signals: use architecture=dcgan1d" in result.err
    result = gan_train("architecture=dcgan1d", "hydra.run.dir=other")
    assert "makes signals, but dataset=digits holds pictures: use dcgan" in result.err
