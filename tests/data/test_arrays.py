"""Arrays of NumPy and torch: told apart, read from the disk as needed, and nothing in them runs."""

from __future__ import annotations

import io
import pickle
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY_MLP, config_of, metrics_in, setup_of, state_in, tensors
from PIL import Image

from gan_cli.config.library import Library
from gan_cli.data.coding import restored
from gan_cli.data.samples import Samples
from gan_cli.errors import UserError
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.extractors.pixels import Pixels

MLP = tuple(key for key in TINY_MLP if not key.startswith("dataset."))


def arrays_of(*keys: str):
    return Library().build("dataset", config_of("architecture=mlp", "dataset=arrays", *keys).dataset)


def signals_of(*keys: str):
    return Library().build("dataset", config_of("architecture=mlp", "dataset=signals", *keys).dataset)


def loaded(array: np.ndarray, *keys: str) -> Samples:
    np.save("x.npy", array)
    return arrays_of("dataset.path=x.npy", *keys).load()


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape)


@pytest.mark.parametrize(
    ("shape", "dtype", "found", "said"),
    [
        ((20, 8, 8), "uint8", (1, 8, 8), "20 of 20 pictures of 1 × 8 × 8"),
        ((20, 3, 8, 8), "uint8", (3, 8, 8), "read as uint8 (20, 3, 8, 8)"),
        ((20, 8, 8, 3), "uint8", (3, 8, 8), "read as uint8 (20, 8, 8, 3)"),
        ((20, 8, 12, 3), "uint8", (3, 8, 12), "3 × 8 × 12"),
        ((20, 6, 8, 8), "uint8", (6, 8, 8), "6 × 8 × 8"),
        ((20, 8, 8, 6), "uint8", (6, 8, 8), "6 × 8 × 8"),
        ((20, 4, 9, 13), "float32", (4, 9, 13), "black and white are 0 and 255"),
        ((20, 8, 8), "int64", (1, 8, 8), "black and white are 0 and 255"),
        ((20, 2, 16), "float32", (2, 16), "signals of 2 × 16"),
        ((20, 16, 2), "float32", (2, 16), "signals of 2 × 16"),
        ((20, 5), "float64", (5,), "points of 5"),
        ((20, 7), "int32", (7,), "points of 7"),
    ],
)
def test_what_an_array_holds_is_told_apart(shape, dtype, found, said, caplog):
    caplog.set_level("INFO")
    x = numbers(*shape).astype(dtype)
    samples = loaded(x)
    assert samples.shape == found
    assert said in caplog.messages[-1]
    if samples.is_image:
        last = shape[-1] == found[0] and len(shape) == 4 and shape[1] != found[0]
        there = np.moveaxis(x, -1, 1) if last else x.reshape(20, *found)
        seen = samples.values if samples.values.dtype == np.uint8 else (samples.values + 1) * 127.5
        assert np.abs(seen - there).max() < 1e-3
    else:
        at = np.array([field.mean for field in samples.fields]).reshape(-1, *[1] * (len(found) - 1))
        by = np.array([field.scale for field in samples.fields]).reshape(at.shape)
        there = x.reshape(20, *found) if x.shape[1:] == found else np.moveaxis(x, -1, 1)
        assert np.abs(samples.values * by + at - there).max() < 1e-3


def test_ranges_of_pictures_are_guessed_or_typed():
    x = np.linspace(0, 1, 4 * 3 * 8 * 8).reshape(4, 3, 8, 8)
    for low, high in ((0, 1), (-1, 1), (0, 255), (0, 65535)):
        values = loaded(low + (high - low) * x).values
        assert values.dtype == np.float32
        assert np.abs(values - (2 * x - 1)).max() < 1e-6
    assert np.abs(loaded(7 + 90000 * x, "dataset.range=[7,90007]").values - (2 * x - 1)).max() < 1e-6
    assert loaded(x > 0.5).values.max() == 255
    with pytest.raises(UserError, match=r"hold 7 to 90007: say dataset.range=\[black,white\]"):
        loaded(7 + 90000 * x)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("size", ["8", "[8,12]", "[32,16]"])
def test_pictures_are_brought_to_a_size_as_picture_files_are(channels, fit, size):
    x = numbers(12, 20, 14, channels).astype(np.uint8)
    Path("files").mkdir()
    for i, picture in enumerate(x):
        Image.fromarray(picture.squeeze()).save(f"files/{i:02d}.png")
    keys = (f"dataset.size={size}", f"dataset.fit={fit}")
    of_files = ("dataset=image_folder", "dataset.path=files", f"dataset.channels={channels}", "dataset.root=kept")

    def read(*more: str) -> np.ndarray:
        config = config_of("architecture=mlp", *of_files, "dataset.background=black", *keys, *more)
        return Library().build("dataset", config.dataset).load().values

    found = loaded(x, *keys)
    assert found.values.dtype == np.uint8
    np.testing.assert_array_equal(found.values, read())
    deep = loaded(x / 255, *keys).values
    assert deep.dtype == np.float32
    np.testing.assert_allclose(deep, read("dataset.depth=full"), atol=1e-5)
    six = loaded(np.moveaxis(np.concatenate([x, x[:, ::-1]], axis=3), 3, 1), *keys, "dataset.limit=5").values
    np.testing.assert_array_equal(six[:, :channels], loaded(x, *keys, "dataset.limit=5").values)


def test_a_size_is_of_pictures_alone():
    for array in (numbers(20, 5), numbers(20, 2, 16).astype(np.float32)):
        with pytest.raises(UserError, match=r"dataset\.size=\[8,12\]: is for pictures, and x\.npy holds"):
            loaded(array, "dataset.size=[8,12]")
    same = loaded(numbers(20, 3, 8, 12).astype(np.uint8), "dataset.size=[8,12]")
    assert isinstance(same.values, np.memmap)  # nothing is to be done


@pytest.mark.parametrize(
    ("shape", "dtype", "typed", "line"),
    [
        (
            (20, 8, 8),
            "uint8",
            "range=[0,4095]",
            "is for pictures that are no bytes, and x.npy holds pictures, uint8 (20",
        ),
        ((20, 8, 8), "uint8", "fit=pad", "is for pictures that are brought to another size (dataset.size)"),
        ((20, 8, 8), "uint8", "layout=last", "is for arrays that have an axis of channels"),
        ((20, 8, 8), "uint8", "standardise=false", "is for points, and x.npy holds pictures"),
        ((20, 8), "float32", "layout=first", "is for arrays that have an axis of channels"),
        ((20, 8), "float32", "range=[0,1]", "is for pictures, and x.npy holds points"),
        ((20, 8), "float32", "binarise=fixed", "is for pictures, and x.npy holds points"),
        ((20, 2, 8), "float32", "fit=stretch", "is for pictures, and x.npy holds signals"),
        ((20, 2, 8), "float32", "standardise=false", "is for points, and x.npy holds signals"),
    ],
)
def test_keys_that_would_change_nothing_are_refused(shape, dtype, typed, line):
    with pytest.raises(UserError) as error:
        loaded(numbers(*shape).astype(dtype), f"dataset.{typed}")
    assert line in error.value.problems[0]
    assert error.value.problems[0].endswith(": leave it out")


def test_whole_numbers_of_three_dimensions_may_be_signals():
    sound = ((numbers(20, 1, 16) - 128) * 256).astype(np.int16)
    with pytest.raises(UserError, match=r"say dataset.range=\[black,white\], or dataset.kind=signals"):
        loaded(sound)
    assert loaded(sound, "dataset.kind=signals").shape == (1, 16)


def test_splits_limits_and_labels():
    np.savez("x.npz", images=numbers(40, 1, 8, 8).astype(np.uint8), y=np.arange(40) % 2 + 5, notes=np.array(["a"]))
    data = arrays_of("dataset.path=x.npz", "dataset.split=train", "dataset.limit=10")
    samples = data.load()
    assert samples.names == ("5", "6")
    assert np.bincount(samples.labels).tolist() == [6, 4]  # of 20 and 16
    assert len(data.held_out()) == data.held_out_count() == 4
    assert len(data.unused()) == 26
    torch.save({"data": torch.rand(30, 4), "label": torch.rand(30, 2), "rest": 3}, "x.pt")
    samples = arrays_of("dataset.path=x.pt").load()
    assert samples.values.shape == (30, 4)
    assert [condition.name for condition in samples.conditions] == ["label0", "label1"]
    assert arrays_of("dataset.path=x.pt", "dataset.key=label", "dataset.standardise=false").load().fields == ()


@pytest.mark.parametrize("kind", ["pictures", "points", "signals", "windows"])
def test_the_classes_are_those_of_the_whole_source_in_every_part(kind):
    labels = np.where(np.arange(40) % 10 == 9, 3, np.arange(40) % 3)  # the last one in rows that are held out alone
    shape, dtype = {"pictures": ((8, 8), np.uint8), "points": ((5,), np.float32)}.get(kind, ((1, 16), np.float32))
    np.savez("x.npz", x=numbers(40, *shape).astype(dtype), y=labels)
    keys = ("dataset.path=x.npz", "dataset.split=train", "dataset.limit=20")
    data = signals_of(*keys, "dataset.length=16") if kind == "windows" else arrays_of(*keys)
    parts = (data.load(), data.held_out(), data.unused())
    assert [part.classes for part in parts] == [4, 4, 4]
    assert not any(part.names for part in parts)
    assert parts[0].as_in({"fingerprint": "", "shape": [], "classes": 3, "names": []}).classes == 3  # a run of before


def test_texts_are_classes_and_labels_can_be_left_out(caplog):
    caplog.set_level("INFO")
    names = np.array(["dog", "cat", "cäsium", "cat"] * 10)
    for labels in (names, names[:, None], np.char.encode(names, "utf-8")):
        np.savez("x.npz", x=numbers(40, 5), labels=labels, notes=np.array(["a"]))
        samples = arrays_of("dataset.path=x.npz").load()
        assert samples.names == ("cat", "cäsium", "dog")
        assert samples.labels[:4].tolist() == [2, 0, 1, 0]
        assert "labels: 3 classes; left out: the arrays notes" in caplog.messages[-1]
        assert arrays_of("dataset.path=x.npz", "dataset.labels_key=none").load().labels is None
    np.savez("x.npz", x=numbers(40, 1, 16).astype(np.float32), y=names)
    assert signals_of("dataset.path=x.npz", "dataset.length=16").load().names == ("cat", "cäsium", "dog")
    np.savez("x.npz", x=numbers(40, 5), labels=np.array(["cat", "dog"]), y=np.arange(40) % 2)  # names of classes
    assert arrays_of("dataset.path=x.npz").load().classes == 2
    np.savez("x.npz", x=numbers(40, 5), y=np.arange(7))
    with pytest.raises(UserError, match=r"not one for each of 40 samples: .* dataset\.labels_key=NAME or none"):
        arrays_of("dataset.path=x.npz").load()
    assert len(arrays_of("dataset.path=x.npz", "dataset.key=x", "dataset.labels_key=none").load()) == 40
    np.savez("x.npz", x=numbers(40, 1, 16).astype(np.float32), y=np.append(np.linspace(0, 1, 39), np.inf))
    with pytest.raises(UserError, match=r"leave them out: dataset\.labels_key=none"):
        signals_of("dataset.path=x.npz", "dataset.length=16").load()
    assert signals_of("dataset.path=x.npz", "dataset.length=16", "dataset.labels_key=none").load().labels is None
    np.savez("x.npz", x=numbers(2, 5), labels=np.array(["", "a"]))
    with pytest.raises(UserError, match="some of its labels are empty"):
        arrays_of("dataset.path=x.npz").load()


def test_a_mapped_array_is_trained_on_as_it_lies(gan_train):
    """Pictures with their channels first, read from the disk, train to the bytes of the same pictures in memory."""
    x = numbers(64, 3, 8, 8).astype(np.uint8)
    np.save("x.npy", x)
    np.savez("x.npz", x=x)
    mapped, held = (setup_of(*MLP, "dataset=arrays", f"dataset.path=x.{form}") for form in ("npy", "npz"))
    assert isinstance(mapped.samples.values, np.memmap)
    assert mapped.minibatches.values.untyped_storage().nbytes() == x.nbytes
    assert mapped.samples.fingerprint() == held.samples.fingerprint()
    for form in ("npy", "npz"):
        keys = (*MLP, "dataset=arrays", f"dataset.path=x.{form}", "steps=3", "log_every=1", f"hydra.run.dir={form}")
        assert gan_train(*keys).code == 0
    one, other = (tensors(state_in(Path(form))["networks"]) for form in ("npy", "npz"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert metrics_in(Path("npy")) == metrics_in(Path("npz"))
    assert gan_train("resume=npy", "steps=5").code == 0


def test_what_lies_there_now_is_not_taken_for_the_data_of_a_run(gan_train, gan_sample):
    y, draws = np.arange(40) % 2, np.random.default_rng(0)
    np.savez("x.npz", x=draws.standard_normal((40, 2)), y=y)
    keys = ("dataset=arrays", "dataset.path=x.npz", "conditional=false", "batch_size=8", "sample_count=4", "steps=1")
    assert gan_train("experiment=lecture", *MLP, *keys, "hydra.run.dir=run").code == 0
    assert "drawn without" not in gan_sample("checkpoint=run", "n=4", "out=a.png").err
    np.savez("x.npz", x=draws.standard_normal((40, 2)), y=y)
    said = "are not those the checkpoint was trained on"
    result = gan_sample("checkpoint=run", "n=4", "out=b.png")
    assert result.code == 0
    assert "drawn without the data: dataset=arrays: its " in result.err
    assert said in result.err
    np.savez("x.npz", x=numbers(40, 8, 8).astype(np.uint8), y=y)
    assert gan_train("experiment=lecture", *MLP, *keys, "hydra.run.dir=pictures").code == 0
    np.savez("x.npz", x=255 - numbers(40, 8, 8).astype(np.uint8), y=y)
    result = gan_sample("checkpoint=pictures", "directions=0:1", "out=c.png")
    assert result.code == 2
    assert said in result.err


def test_models_see_pictures_of_arrays_as_they_want_them(gan_train):
    np.save("x.npy", numbers(64, 8, 8).astype(np.uint8))
    for model in (("model=fvsbn",), ("model=nice", "model.hidden=[16]")):
        keys = ("dataset=arrays", "dataset.path=x.npy", "batch_size=8", "sample_count=4", "steps=2")
        result = gan_train(*model, *keys, f"hydra.run.dir={model[0]}")
        assert result.code == 0, result.err


def test_what_does_not_fit_into_memory_is_refused(monkeypatch):
    from gan_cli import memory

    np.save("x.npy", numbers(64, 3, 8, 8).astype(np.uint8))
    np.savez("x.npz", x=numbers(64, 3, 8, 8).astype(np.uint8))
    monkeypatch.setattr(memory, "GIB", 8.0)
    monkeypatch.setattr(memory, "available", lambda device=None: 100.0)
    assert len(arrays_of("dataset.path=x.npy").load()) == 64  # read as needed
    for keys in (("dataset.path=x.npz",), ("dataset.path=x.npy", "dataset.split=train")):
        with pytest.raises(UserError, match="needed at least"):
            arrays_of(*keys).load()


@pytest.mark.parametrize("shape", [(20_000, 50), (5000, 2, 100)])
def test_what_is_read_takes_no_more_memory_than_it_is(shape):
    np.save("x.npy", np.random.default_rng(0).normal(3, 10, shape).astype(np.float32))
    data = arrays_of("dataset.path=x.npy", "dataset.split=train")
    tracemalloc.start()
    samples, peak = data.load(), tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * samples.values.nbytes


@pytest.mark.parametrize("shape", [(1, 3), (1025, 1), (5000, 2), (3000, 300)])
def test_units_of_points_are_those_of_all_at_once(shape):
    """To the last bit: checkpoints know their data by them."""
    x = np.random.default_rng(0).normal(1e3, 1, shape).astype(np.float32)
    fields = loaded(x).fields
    x = x.astype(np.float64)
    assert [field.mean for field in fields] == x.mean(axis=0).tolist()
    assert [field.scale for field in fields] == [scale or 1.0 for scale in x.std(axis=0).tolist()]


class Touch:
    def __reduce__(self):
        return Path.touch, (Path("it-ran"),)


def packed(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, content in members.items():
            made.writestr(f"{name}.npy", content)
    return file.getvalue()


def head_of(shape: tuple[int, ...], dtype: str = "|u1") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()


HOSTILE = {
    "objects.npy": (lambda: saved(np.array([Touch()], object)), "holds Python objects, which are not read"),
    "objects.npz": (lambda: packed(x=saved(np.array([Touch()], object))), "holds Python objects, which are not read"),
    "pickle.npy": (lambda: pickle.dumps(Touch()), "cannot be read"),
    "pickle.pt": (lambda: pickle.dumps({"x": Touch()}), "cannot be read"),
    "module.pt": (lambda: torched({"x": Touch()}), "holds Python objects, which are not read"),
    "claims.npy": (lambda: head_of((2**40, 3, 8, 8)) + b"x" * 99, "cannot be read"),
    "claims.npz": (lambda: packed(x=head_of((2**40, 8, 8)) + b"x" * 99), "bytes and has"),
    "torn.npz": (lambda: packed(x=head_of((4, 8, 8)))[:40], "cannot be read"),
    "endless.pt": (lambda: torched(torch.zeros(1).expand(2**40, 4)), "are needed at least"),
    "texts.npy": (lambda: saved(np.array(["a", "b"])), "and no numbers"),
    "many.npz": (lambda: packed(a=saved(np.zeros((4, 2))), b=saved(np.zeros((4, 3)))), "which of its arrays is it?"),
    "labels.npz": (lambda: packed(x=saved(np.zeros((4, 2))), y=saved(np.zeros(3, int))), "not one for each of 4"),
    "empty.npy": (lambda: saved(np.zeros((0, 2))), "holds no samples"),
    "deep.npy": (lambda: saved(np.zeros((2, 2, 2, 2, 2))), "say dataset.kind="),
    "nan.npy": (lambda: saved(np.full((4, 2), np.nan)), "not finite"),
    "words.txt": (lambda: b"1 2", "give a .npy, .npz or .pt file"),
}


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def torched(what: object) -> bytes:
    file = io.BytesIO()
    torch.save(what, file)
    return file.getvalue()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_answered_in_one_line(name):
    make, said = HOSTILE[name]
    Path(name).write_bytes(make())
    with pytest.raises(UserError) as error:
        arrays_of(f"dataset.path={name}").load()
    (line,) = error.value.problems
    assert said in line
    assert not Path("it-ran").exists()


@pytest.mark.parametrize(
    ("keys", "row", "part"),
    [
        (("dataset=arrays", "dataset.split=train"), 9, "held_out"),
        (("dataset=signals", "dataset.length=8", "dataset.split=train"), 9, "held_out"),
        (("dataset=arrays", "dataset.limit=19"), None, "unused"),
    ],
)
def test_a_number_that_is_none_where_nobody_trains_is_a_line_and_no_end(keys, row, part, caplog):
    x = np.random.default_rng(0).standard_normal((20, 8))
    np.save("x.npy", x)
    made = Library().build("dataset", config_of("architecture=mlp", *keys, "dataset.path=x.npy").dataset)
    x[np.setdiff1d(range(20), made.chosen) if row is None else row] = np.nan
    np.save("x.npy", x)
    dataset = Library().build("dataset", config_of("architecture=mlp", *keys, "dataset.path=x.npy").dataset)
    samples = dataset.load()
    evidence = Evidence(samples, samples, Pixels(), dataset)
    assert getattr(evidence, part) is None
    assert "numbers that are not finite" in caplog.text


def test_keys_for_pictures_alone_are_refused(gan_train):
    np.save("x.npy", np.random.default_rng(0).standard_normal((20, 4)))
    for keys, said in (
        (("dataset.flip=true",), "dataset.flip=true: is for pictures, and x.npy holds points"),
        (("augment=[color]",), "augment=[color]: is for pictures, and dataset=arrays holds points"),
        (("conditional=true",), "conditional=true: dataset=arrays has no labels here"),
        (("dataset.key=z",), "dataset.key=z: no array is called so"),
        (("architecture=dcgan",), "makes pictures, and these samples are points"),
    ):
        result = gan_train("experiment=lecture", "architecture=mlp", "dataset=arrays", "dataset.path=x.npy", *keys)
        assert result.code == 2
        assert said in result.errors[0]
    for keys, said in (
        (("model=rbm",), "dataset=arrays: holds points, and binary units are pixels: use model.visible=gaussian"),
        (("model=made",), "dataset=arrays: holds points, and model=made is of the levels of pixels: use pictures"),
        (
            ("model=vae", "model.likelihood=logistic"),
            "model.likelihood=logistic: is of pixels, and dataset=arrays holds",
        ),
    ):
        result = gan_train("dataset=arrays", "dataset.path=x.npy", "steps=1", "batch_size=8", *keys)
        assert result.code == 2
        assert said in result.errors[0]
    assert not Path("outputs").exists()


def test_an_autoencoder_takes_points_for_points(gan_train):
    """``auto`` is Gaussian noise of them, which has a scale; nothing of them is binary."""
    np.save("x.npy", np.random.default_rng(0).standard_normal((40, 4)))
    keys = ("model=vae", "architecture=mlp", "dataset=arrays", "dataset.path=x.npy", "model.sigma=0.1", "prior.size=2")
    result = gan_train(*keys, "steps=1", "batch_size=8", "metrics=[frechet,likelihood]", "hydra.run.dir=run")
    assert result.code == 0, result.err
    status = Path("run/status.json").read_text()
    assert "binary" not in status
    assert "binarise=" not in status
    assert "density of points" in status


def test_a_scale_of_binary_pixels_is_refused_when_pictures_are_found(gan_train):
    np.save("x.npy", np.zeros((40, 8, 8), np.uint8))
    result = gan_train("model=vae", "architecture=mlp", "dataset=arrays", "dataset.path=x.npy", "model.sigma=0.1")
    assert result.code == 2
    assert "model.sigma=0.1: a Bernoulli pixel has no scale" in result.errors[0]
    assert not Path("outputs").exists()


@pytest.mark.parametrize("kind", ["points", "signals"])
def test_numbers_far_from_zero_keep_what_tells_them_apart(kind):
    """Such as times in seconds since 1970, which float32 rounds to multiples of 128; others keep their bits."""
    x = 1.7e9 + np.random.default_rng(0).uniform(-100, 100, (1000, 1))
    np.save("far.npy", x if kind == "points" else x.reshape(-1, 1, 20))
    data = {
        "points": lambda: arrays_of("dataset.path=far.npy"),
        "signals": lambda: arrays_of("dataset.path=far.npy", "dataset.kind=signals"),
        "windows": lambda: signals_of("dataset.path=far.npy", "dataset.length=20", "dataset.split=all"),
    }
    for name in ("points",) if kind == "points" else ("signals", "windows"):
        samples = data[name]().load()
        assert samples.values.dtype == np.float32
        assert np.abs(restored(samples.fields, samples.values).ravel() - x.ravel()).max() < 1e-3
    near = numbers(200, 3) + 2000.0
    found = loaded(near)
    means = np.array([field.mean for field in found.fields], np.float32)
    scales = np.array([field.scale for field in found.fields], np.float32)
    np.testing.assert_array_equal(found.values, (near.astype(np.float32) - means) / scales)
    assert restored(found.fields, found.values).dtype == np.float32
