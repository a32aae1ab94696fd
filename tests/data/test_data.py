"""Real files in their real formats, through the real loading code."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import shutil
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY_DCGAN, TINY_MLP, config_of, minibatch_of, run_folder, state_in
from PIL import Image

from gan_cli.config.library import Library
from gan_cli.data.canvas import Canvas
from gan_cli.data.images import resized
from gan_cli.data.minibatches import Minibatches
from gan_cli.data.samples import Samples
from gan_cli.errors import UserError


def dataset_of(*overrides: str):
    return Library().build("dataset", config_of("architecture=mlp", *overrides).dataset)


def load(*overrides: str) -> Samples:
    return dataset_of(*overrides).load()


def pictures(n: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


# --- shipped ---------------------------------------------------------------------------------------------------------
def test_digits_are_the_real_ones_with_labels():
    train, test = load("dataset=digits", "dataset.size=28"), load("dataset.split=test", "dataset.size=28")
    assert train.values.shape == (10000, 1, 28, 28)
    assert test.values.shape == (2000, 1, 28, 28)
    assert np.bincount(train.labels).tolist() == [1000] * 10
    assert np.bincount(test.labels).tolist() == [200] * 10
    assert train.values[0].sum() == 27525  # MNIST's first training picture, a five
    assert train.labels[0] == 5


def test_every_image_dataset_takes_size_channels_and_limit():
    samples = load("dataset=digits", "dataset.size=16", "dataset.channels=3", "dataset.limit=7")
    assert samples.values.shape == (7, 3, 16, 16)
    assert (samples.values[:, 0] == samples.values[:, 2]).all()
    assert len(samples.labels) == 7


# --- files as torchvision reads them ---------------------------------------------------------------------------------
def write_idx(path: Path, array: np.ndarray, kind: int = 8) -> None:
    head = struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape)
    path.write_bytes(head + array.tobytes())


@pytest.mark.parametrize(
    ("name", "folder"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST"), ("kmnist", "KMNIST")]
)
def test_idx_files(name, folder):
    raw = Path("data") / folder / "raw"
    raw.mkdir(parents=True)
    for split, n in (("train", 20), ("t10k", 10)):
        write_idx(raw / f"{split}-images-idx3-ubyte", pictures(n, 28, 28, seed=n))
        write_idx(raw / f"{split}-labels-idx1-ubyte", np.arange(n, dtype=np.uint8) % 10)
    samples = load(f"dataset={name}", "dataset.size=28")
    assert (samples.values[:, 0] == pictures(20, 28, 28, seed=20)).all()
    assert samples.labels.tolist() == [i % 10 for i in range(20)]
    assert len(load(f"dataset={name}", "dataset.split=test")) == 10


def test_qmnist_files(monkeypatch):
    from torchvision.datasets import QMNIST

    raw = Path("data/QMNIST/raw")
    raw.mkdir(parents=True)
    labels = np.stack([np.arange(12) % 10] + [np.zeros(12)] * 7, axis=1).astype(">i4")
    write_idx(raw / "qmnist-train-images-idx3-ubyte", pictures(12, 28, 28))
    write_idx(raw / "qmnist-train-labels-idx2-int", labels, kind=12)
    for name in ("images-idx3-ubyte", "labels-idx2-int"):
        plain = raw / f"qmnist-train-{name}"
        plain.with_name(f"{plain.name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    entries = [
        (f"unused/qmnist-train-{name}.gz", md5(raw / f"qmnist-train-{name}.gz"))
        for name in ("images-idx3-ubyte", "labels-idx2-int")
    ]
    monkeypatch.setitem(QMNIST.resources, "train", entries)
    samples = load("dataset=qmnist", "dataset.size=28")
    assert (samples.values[:, 0] == pictures(12, 28, 28)).all()
    assert samples.labels.tolist() == [i % 10 for i in range(12)]


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def test_cifar10_files(monkeypatch):
    from torchvision.datasets import CIFAR10

    folder = Path("data") / CIFAR10.base_folder
    folder.mkdir(parents=True)
    data = pictures(10, 3, 32, 32)
    for i, (name, _) in enumerate(CIFAR10.train_list):
        part = data[2 * i : 2 * i + 2].reshape(2, -1)
        (folder / name).write_bytes(pickle.dumps({"data": part, "labels": [i, i + 1]}))
    names = [f"class {i}" for i in range(10)]
    (folder / CIFAR10.meta["filename"]).write_bytes(pickle.dumps({"label_names": names}))
    monkeypatch.setattr(CIFAR10, "train_list", [(n, md5(folder / n)) for n, _ in CIFAR10.train_list])
    monkeypatch.setattr(CIFAR10, "test_list", [])
    monkeypatch.setitem(CIFAR10.meta, "md5", md5(folder / CIFAR10.meta["filename"]))
    archive = Path("data") / CIFAR10.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, CIFAR10.base_folder)
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(archive))
    shutil.rmtree(folder)  # torchvision unpacks the archive that the error message asks for
    samples = load("dataset=cifar10")
    assert (samples.values == data).all()
    assert samples.labels.tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]


def test_svhn_files(monkeypatch):
    io = pytest.importorskip("scipy.io")
    from torchvision.datasets import SVHN

    data = pictures(6, 32, 32, 3)
    Path("data").mkdir()
    io.savemat(
        "data/train_32x32.mat", {"X": data.transpose(1, 2, 3, 0), "y": np.array([[1], [2], [10], [4], [5], [6]])}
    )
    url, name, _ = SVHN.split_list["train"]
    monkeypatch.setitem(SVHN.split_list, "train", [url, name, md5(Path("data/train_32x32.mat"))])
    samples = load("dataset=svhn")
    assert (samples.values == data.transpose(0, 3, 1, 2)).all()
    assert samples.labels.tolist() == [1, 2, 0, 4, 5, 6]


def test_stl10_files(monkeypatch):
    from torchvision.datasets import STL10

    folder = Path("data") / STL10.base_folder
    folder.mkdir(parents=True)
    data = pictures(4, 3, 96, 96)
    (folder / "unlabeled_X.bin").write_bytes(data.transpose(0, 1, 3, 2).tobytes())  # column by column
    (folder / "train_X.bin").write_bytes(data[:2].transpose(0, 1, 3, 2).tobytes())
    (folder / "train_y.bin").write_bytes(bytes([3, 10]))
    (folder / "class_names.txt").write_text("\n".join(f"class {i}" for i in range(10)))
    for attribute in ("train_list", "test_list"):
        there = [[name, md5(folder / name)] for name, _ in getattr(STL10, attribute) if (folder / name).exists()]
        monkeypatch.setattr(STL10, attribute, there)
    samples = load("dataset=stl10", "dataset.size=96")
    assert (samples.values == data).all()
    assert samples.labels is None
    monkeypatch.setattr(STL10, "train_list", [[n, md5(folder / n)] for n in ("train_X.bin", "train_y.bin")])
    assert load("dataset=stl10", "dataset.split=train").labels.tolist() == [2, 9]
    every = [[n, md5(folder / n)] for n in ("train_X.bin", "train_y.bin", "unlabeled_X.bin")]
    monkeypatch.setattr(STL10, "train_list", every)
    some = load("dataset=stl10", "dataset.split=train+unlabeled", "model=semi_supervised")
    assert (some.labels.tolist(), some.classes) == ([2, 9, -1, -1, -1, -1], 10)
    assert load("dataset=stl10", "dataset.split=train+unlabeled").labels is None


def test_celeba_files(monkeypatch):
    from torchvision.datasets import CelebA

    folder = Path("data/celeba")
    (folder / "img_align_celeba").mkdir(parents=True)
    for i in range(3):
        Image.fromarray(np.full((218, 178, 3), 60 * i + 40, np.uint8)).save(folder / f"img_align_celeba/{i}.jpg")
    rows = [f"{i}.jpg" for i in range(3)]
    (folder / "list_eval_partition.txt").write_text("".join(f"{r} {i % 2}\n" for i, r in enumerate(rows)))
    (folder / "identity_CelebA.txt").write_text("".join(f"{r} 1\n" for r in rows))
    for name, columns in (
        ("list_bbox_celeba", "x y w h"),
        ("list_landmarks_align_celeba", "a b"),
        ("list_attr_celeba", "Old Smiling"),
    ):
        signs = [["-1", "1"][i % 2] for i in range(3)]
        body = "".join(
            f"{r} {' '.join([sign] + ['1'] * (columns.count(' ')))}\n" for r, sign in zip(rows, signs, strict=True)
        )
        (folder / f"{name}.txt").write_text(f"3\n{columns}\n{body}")
    there = [("", md5(folder / n), n) for _, _, n in CelebA.file_list if (folder / n).is_file()]
    monkeypatch.setattr(CelebA, "file_list", there)
    samples = load("dataset=celeba", "dataset.size=32")
    assert samples.values.shape == (3, 3, 32, 32)
    assert samples.values.mean(axis=(1, 2, 3)).round().tolist() == [40, 100, 160]
    assert len(load("dataset=celeba", "dataset.split=train", "dataset.size=32")) == 2
    told = load("dataset=celeba", "dataset.labels=[Smiling,Old]", "dataset.size=32")
    assert [(c.name, c.kind) for c in told.conditions] == [("Smiling", "attribute"), ("Old", "attribute")]
    assert told.labels.tolist() == [[1, 0], [1, 1], [1, 0]]
    with pytest.raises(UserError, match=r"no attribute of CelebA is called so \(did you mean 'Smiling'\?\)"):
        load("dataset=celeba", "dataset.labels=Smilin", "dataset.size=32")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # torchvision leaves its index open
def test_lsun_files():
    lmdb = pytest.importorskip("lmdb")
    import io

    Path("data").mkdir()
    with lmdb.open("data/church_outdoor_train_lmdb", map_size=2**20) as store, store.begin(write=True) as change:
        for i in range(3):
            buffer = io.BytesIO()
            Image.new("RGB", (70, 50), (i * 50, 0, 0)).save(buffer, "PNG")
            change.put(f"{i}".encode(), buffer.getvalue())
    samples = load("dataset=lsun", "dataset.category=church_outdoor", "dataset.size=16")
    assert samples.values[:, 0].mean(axis=(1, 2)).tolist() == [0, 50, 100]
    assert [path.name for path in Path().iterdir()] == ["data"]


@pytest.mark.parametrize("name", ["mnist", "cifar10", "svhn", "stl10", "qmnist", "celeba", "lsun"])
def test_without_network_or_files_the_error_says_which_files_go_where(gan_train, name, monkeypatch):
    import socket

    def unreachable(*args):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", unreachable)
    result = gan_train(f"dataset={name}", "dataset.size=32", "architecture=mlp")
    assert result.code == 2
    assert len(result.errors) == 1
    assert "put " in result.err
    assert str(Path("data").absolute()) in result.err
    assert not [*Path().iterdir()]


# --- any folder of pictures ------------------------------------------------------------------------------------------
@pytest.fixture
def odd_pictures() -> Path:
    """Red on the left, blue on the right, in every mode and shape a folder may hold."""
    folder = Path("odd")
    (folder / "deep/er").mkdir(parents=True)
    base = np.zeros((40, 40, 3), np.uint8)
    base[:, :20], base[:, 20:] = (255, 0, 0), (0, 0, 255)
    rgb = Image.fromarray(base)
    rgb.save(folder / "rgb.png")
    rgb.save(folder / "photo.JPG", quality=95)
    rgb.convert("L").save(folder / "grey.png")
    rgb.quantize(4).save(folder / "palette.gif")
    rgb.convert("P").save(folder / "palette.png", transparency=0)
    rgb.resize((80, 80)).crop((0, 20, 80, 60)).save(folder / "wide.webp", lossless=True)
    rgb.resize((3, 3)).save(folder / "deep/er/tiny.bmp")
    rgb.convert("CMYK").save(folder / "deep/cmyk.tif")
    clear = rgb.convert("RGBA")
    clear.putalpha(Image.fromarray(np.where(np.arange(40)[:, None] < 20, 0, 255).repeat(40, 1).astype(np.uint8)))
    clear.save(folder / "transparent.png")
    Image.fromarray((np.linspace(0, 65535, 1600).reshape(40, 40)).astype(np.uint16)).save(folder / "sixteen.png")
    turned = rgb.rotate(90, expand=True)  # stored lying on its side, with the note that says so
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(folder / "turned.jpg", exif=exif, quality=95)
    rgb.convert("1").save(folder / "bilevel.png")
    (folder / "torn.jpg").write_bytes((folder / "photo.JPG").read_bytes()[:300])
    (folder / "empty.png").touch()
    (folder / "notes.txt").write_text("no picture")
    (folder / "._rgb.png").write_bytes(b"the shadow some systems leave")
    return folder


def test_a_folder_of_odd_pictures(gan_train, odd_pictures):
    samples = load("dataset=image_folder", f"dataset.path={odd_pictures}", "dataset.size=32")
    names = sorted(
        p.relative_to(odd_pictures).as_posix()
        for p in odd_pictures.rglob("*.*")
        if p.is_file() and p.name not in ("torn.jpg", "empty.png", "notes.txt", "._rgb.png")
    )
    assert samples.values.shape == (len(names), 3, 32, 32)
    of = dict(zip(names, samples.values, strict=True))
    for name in ("rgb.png", "photo.JPG", "palette.gif", "wide.webp", "deep/cmyk.tif", "turned.jpg"):
        left, right = of[name][:, :, 4:12].mean(axis=(1, 2)), of[name][:, :, 20:28].mean(axis=(1, 2))
        assert left[0] > 200, name
        assert left[2] < 60, name
        assert right[2] > 200, name
        assert right[0] < 60, name
    assert (of["transparent.png"][:, :14] == 255).all()  # nothing over white
    assert of["transparent.png"][0, 20:, :12].min() > 240
    assert of["sixteen.png"][0, 0].mean() < 8
    assert of["sixteen.png"][0, -1].mean() > 247
    assert (of["grey.png"][0] == of["grey.png"][2]).all()

    result = gan_train(
        "dataset=image_folder", f"dataset.path={odd_pictures}", *TINY_DCGAN, "steps=2", "dataset.limit=0"
    )
    assert result.code == 0, result.err
    assert "2 of 14 pictures cannot be read: empty.png, torn.jpg" in result.err


def test_folders_are_classes_and_a_zip_is_a_folder(gan_train):
    for name, grey in (("cat", 10), ("dog", 200)):
        Path("pets", name).mkdir(parents=True)
        for i in range(5):
            Image.new("L", (9 + i, 9), grey + i).save(f"pets/{name}/{i}.png")
    with zipfile.ZipFile("pets.zip", "w") as archive:
        for path in sorted(Path("pets").rglob("*.png")):
            archive.write(path, path.relative_to("pets"))
    grey = ("dataset.channels=1", "dataset.size=8", "dataset=image_folder")
    folder, packed = load("dataset.path=pets", *grey), load("dataset.path=pets.zip", *grey)
    assert folder.labels.tolist() == packed.labels.tolist() == [0] * 5 + [1] * 5
    assert (folder.values == packed.values).all()
    assert folder.values[:, 0, 0, 0].tolist() == [10, 11, 12, 13, 14, 200, 201, 202, 203, 204]
    assert len(load("dataset.path=pets", *grey, "dataset.split=test")) == 1
    assert len(load("dataset.path=pets", *grey, "dataset.split=train")) == 9
    assert gan_train(*grey, "dataset.path=pets", *TINY_MLP, "dataset.limit=0", "conditional=true", "steps=2").code == 0
    assert state_in(run_folder())["classes"] == 2


def test_a_folder_is_decoded_once_and_again_when_it_changes(odd_pictures):
    options = ("dataset=image_folder", f"dataset.path={odd_pictures}", "dataset.size=16")
    first = load(*options)
    (cache,) = Path("data/cache").glob("*.u8")
    stamp = cache.stat().st_mtime_ns
    again = load(*options)
    assert cache.stat().st_mtime_ns == stamp
    assert again.fingerprint() == first.fingerprint()
    Image.new("RGB", (5, 5)).save(odd_pictures / "zz new.png")
    assert len(load(*options)) == len(first) + 1


def test_a_run_whose_pictures_changed_is_not_continued(gan_train):
    Path("p").mkdir()
    for i in range(8):
        Image.new("L", (8, 8), 30 * i).save(f"p/{i}.png")
    start = ("dataset=image_folder", "dataset.path=p", *TINY_DCGAN, "dataset.channels=1", "dataset.limit=0")
    assert gan_train(*start, "steps=2", "hydra.run.dir=run").code == 0
    Image.new("L", (8, 8), 255).save("p/0.png")
    result = gan_train("resume=run", "steps=4")
    assert result.code == 2
    assert "its pictures are not those the checkpoint was trained on" in result.err


# --- densities -------------------------------------------------------------------------------------------------------
def test_densities_have_the_moments_and_modes_they_say():
    ring = load("dataset=ring", "dataset.modes=5", "dataset.radius=3", "dataset.sigma=0.1", "dataset.points=50000")
    assert np.bincount(ring.labels).min() > 9500
    assert np.hypot(*ring.values.T).mean() == pytest.approx(3, abs=0.01)
    grid = load("dataset=grid")
    centres = np.stack([grid.values[grid.labels == i].mean(axis=0) for i in range(25)])
    assert sorted({round(v) for v in centres[:, 0]}) == [-4, -2, 0, 2, 4]
    normal = load("dataset=gaussian", "dataset.dimension=3", "dataset.mean=2", "dataset.sigma=0.5")
    assert normal.values.shape == (100000, 3)
    assert normal.values.mean(axis=0) == pytest.approx([2, 2, 2], abs=0.01)
    assert normal.values.std(axis=0) == pytest.approx([0.5] * 3, abs=0.01)
    uneven = load("dataset=mixture", "dataset.means=[[0,0,5],[9,9,9]]", "dataset.weights=[1,3]")
    assert uneven.values.shape == (100000, 3)
    assert uneven.labels.mean() == pytest.approx(0.75, abs=0.01)
    roll = load("dataset=swiss_roll", "dataset.noise=0")
    assert np.hypot(*roll.values.T).max() <= 1.0001


def test_the_densities_of_mixtures_integrate_to_one():
    for choice in ("ring", "grid", "gaussian", "mixture"):
        options = ["dataset.weights=[1,3]"] if choice == "mixture" else []
        dataset = dataset_of(f"dataset={choice}", "dataset.sigma=0.3", *options)
        ticks = np.linspace(-7, 7, 701)
        x = np.stack(np.meshgrid(ticks, ticks), axis=2).reshape(-1, 2) if dataset.shape == (2,) else ticks[:, None]
        step = ticks[1] - ticks[0]
        assert np.exp(dataset.log_density(x)).sum() * step ** x.shape[1] == pytest.approx(1, abs=1e-6)


# --- minibatches -----------------------------------------------------------------------------------------------------
def test_an_epoch_holds_every_sample_once_whatever_the_batch_size():
    samples = Samples(np.arange(10, dtype=np.float32)[:, None])
    batches = Minibatches(samples, torch.device("cpu"), seed=0)
    for size in (1, 3, 4, 10, 25):
        seen = torch.cat([minibatch_of(batches, "generator", i * size, size)[0] for i in range(20 // size + 2)])[:, 0]
        assert sorted(seen[:10].tolist()) == sorted(seen[10:20].tolist()) == list(range(10))
    one, other = (minibatch_of(batches, player, 0, 10)[0] for player in ("generator", "discriminator"))
    assert not torch.equal(one, other)


def test_pixels_are_scaled_to_minus_one_and_one_and_half_are_flipped():
    ramp = np.broadcast_to(np.array([0, 255], np.uint8), (400, 1, 2, 2))
    samples = Samples(np.ascontiguousarray(ramp))
    x, _ = minibatch_of(Minibatches(samples, torch.device("cpu"), seed=0), "discriminator", 0, 400)
    assert x.unique().tolist() == [-1, 1]
    assert (x[:, 0, 0, 0] == -1).all()
    x, _ = minibatch_of(Minibatches(samples, torch.device("cpu"), seed=0, flip=True), "discriminator", 0, 400)
    assert 150 < (x[:, 0, 0, 0] == 1).sum() < 250
    assert (x[:, 0, 0, 0] == -x[:, 0, 0, 1]).all()


def test_resizing_crops_the_middle_and_keeps_flat_colours():
    flat = np.full((2, 50, 90, 3), (10, 120, 250), np.uint8)
    flat[:, :, :20], flat[:, :, 70:] = 0, 0
    out = resized(flat, Canvas(25, 25, 3))
    assert out.shape == (2, 3, 25, 25)
    assert [np.unique(out[:, c]).tolist() for c in range(3)] == [[10], [120], [250]]


# --- the originals, where they are at hand ---------------------------------------------------------------------------
ORIGINALS = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.mark.skipif(not ORIGINALS.is_dir(), reason="the original files are not beside this checkout")
@pytest.mark.parametrize(("option", "where", "total"), [("mnist", "mnist", 27525), ("fashion_mnist", "fashion", 76247)])
def test_the_original_files(gan_train, option, where, total):
    shutil.copytree(ORIGINALS / where, "data", copy_function=shutil.copyfile)
    for path in [Path("data"), *Path("data").rglob("*")]:
        path.chmod(0o755)
    samples = load(f"dataset={option}", "dataset.size=28")
    assert samples.values.shape == (60000, 1, 28, 28)
    assert np.bincount(samples.labels).min() > 5000
    assert samples.values[0].sum() == total
    assert gan_train(f"dataset={option}", *TINY_DCGAN, "steps=2").code == 0
