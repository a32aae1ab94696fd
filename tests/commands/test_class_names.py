"""A class has a name from the folder to the report, and the label of that name everywhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import TINY_MLP, state_in
from PIL import Image

import gan_cli
from gan_cli.commands.report.collect import collect
from gan_cli.commands.report.page import as_html
from gan_cli.data.sources import CIFAR10, KMNIST, MNIST, STL10, FashionMNIST
from gan_cli.games.labels import file_words, labels_of
from gan_cli.metrics.classes import Modes
from gan_cli.output.titles import HEIGHT, titled, titles
from gan_cli.runs.records import record_of

KEYS = ("dataset=image_folder", "dataset.channels=1", "conditional=true", "steps=1")
FOLDERS = ("2", "10", "1")


@pytest.fixture(scope="session")
def named(trained, tmp_path_factory):
    """A conditional run on class folders, once for all tests of this process."""

    def call(*names: str) -> Path:
        root = tmp_path_factory.getbasetemp() / "-".join(names)
        for i, name in enumerate(names):
            for j in range(3):
                path = root / name / f"{j}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                if not path.exists():
                    Image.new("L", (8, 8), 50 * i + j).save(path)
        keys = [key for key in TINY_MLP if "limit" not in key]
        return trained(*KEYS, *keys, f"dataset.path={root}", f"dataset.root={root}-data")

    return call


def test_log_status_checkpoint_and_report_say_which_label_is_which_folder(named):
    folder = named(*FOLDERS)
    assert json.loads((folder / "status.json").read_text())["classes"] == ["1", "2", "10"]
    assert state_in(folder)["data"]["names"] == ["1", "2", "10"]
    page = as_html(collect([str(folder)]), folder)
    (data,) = re.findall(r'<script type="application/json" id="data">(.*)</script>', page)
    assert json.loads(data)["runs"][0]["classes"] == ["1", "2", "10"]
    assert gan_cli.load(folder).names == ("1", "2", "10")


def test_the_log_names_classes_with_labels_and_counts(gan_train, named):
    folder = named("cat", "dog")
    keys = [key for key in TINY_MLP if "limit" not in key]
    result = gan_train(*KEYS, *keys, f"dataset.path={folder.parents[1] / 'cat-dog'}", "dataset.limit=3")
    assert re.search(r"classes: 0 cat \(2\), 1 dog \(1\)|classes: 0 cat \(1\), 1 dog \(2\)", result.err), result.err


@pytest.mark.parametrize(("typed", "labels"), [("dog", [1]), ("dog,cat", [1, 0]), ("0-1", [0, 1]), ("[dog,0]", [1, 0])])
def test_a_label_is_typed_by_name_or_number(gan_sample, named, typed, labels):
    folder = named("cat", "dog")
    assert gan_sample(f"checkpoint={folder}", "n=1", f"label={typed}", "format=npz", "out=a.npz").code == 0
    arrays = np.load("a.npz")
    assert arrays["labels"].tolist() == labels
    assert arrays["names"].tolist() == ["cat", "dog"]


def test_a_folder_called_10_is_label_10(gan_sample, named):
    folder = named(*FOLDERS)
    result = gan_sample(f"checkpoint={folder}", "n=1", "label=10", "format=png", "out=ten")
    assert result.code == 0, result.err
    (file,) = Path("ten").iterdir()
    assert file.name == "seed-0000000-label-10.png"
    sampler = gan_cli.load(folder)
    latents = sampler.latents_of([0])
    drawn = sampler.decode_apart(latents, [0], torch.tensor([2]))
    assert (np.asarray(Image.open(file)) == ((drawn[0, 0].clamp(-1, 1) + 1) * 127.5).round().byte().numpy()).all()


@pytest.mark.parametrize(
    ("names", "typed", "said"),
    [
        (("cat", "dog"), "dig", "label=dig: no class is called dig (did you mean 'dog'?): the classes are cat, dog"),
        (("cat", "dog"), "2", "label=2: 2 is out of range: the labels are 0 to 1: the classes are cat, dog"),
        (("cat", "dog"), "cat,0", "label=cat,0: names a class twice: name each once"),
        (("2", "10", "1"), "0", "label=0: no class is called 0, and numbers are names here: the classes are 1, 2, 10"),
    ],
)
def test_a_label_that_is_no_class_is_refused_in_one_line(gan_sample, named, names, typed, said):
    result = gan_sample(f"checkpoint={named(*names)}", f"label={typed}")
    assert (result.code, result.lines) == (2, [said])


def test_an_interpolation_takes_the_name_of_its_one_class(gan_sample, named):
    folder = named("cat", "dog")
    result = gan_sample(f"checkpoint={folder}", "interpolation=linear", "n=2")
    assert result.lines == ["label: is missing: the pictures of interpolation=… share one, such as label=cat"]
    result = gan_sample(f"checkpoint={folder}", "interpolation=linear", "n=2", "label=dog,cat")
    assert result.lines == ["label=dog,cat: the pictures of interpolation=… share one label, such as label=dog"]
    assert gan_sample(f"checkpoint={folder}", "interpolation=linear", "n=2", "label=dog", "out=a.png").code == 0


def test_names_with_commas_ranges_and_spaces_are_names():
    names = ["a", "a, b", "3-7", "T-shirt/top"]
    assert labels_of("a, b,3-7", names, 4) == [1, 2]
    assert labels_of("T-shirt/top,a", names, 4) == [3, 0]
    assert labels_of("all", names, 4) == labels_of("all", (), 4) == [0, 1, 2, 3]
    assert labels_of("all", ["cat", "all"], 2) == [1]
    assert labels_of("1-2", ["01", "2", "x"], 3) == [0, 1]
    assert file_words(names, 4) == ["a", "a,_b", "3-7", "T-shirt_top"]
    assert file_words(["a b", "A/B", "c"], 3) == ["0-a_b", "1-A_B", "c"]
    assert file_words((), 2) == ["0", "1"]


def test_columns_of_one_class_have_its_name_above_them(named):
    assert titles([0, 1, 0, 1], 2, ("cat", "dog")) == ["cat", "dog"]
    assert titles([0, 1, 0, 1], 3, ("cat", "dog")) == []
    assert titles([0, 1], 2, ("犬", "dog")) == ["0", "dog"]
    sheet = Image.new("L", (132, 66))
    above = np.asarray(titled(sheet, ["cat", "a name that is much too long for its column"]))
    assert above.shape == (66 + HEIGHT, 132)
    assert above[:HEIGHT, :66].max() > 200
    assert above[:HEIGHT, 64:68].max() == 0
    assert titled(sheet, []) is sheet
    folder = named("cat", "dog")
    for name in ("real.png", "step-000000001.png"):
        assert np.asarray(Image.open(folder / "samples" / name))[:HEIGHT].max() > 200


def test_an_export_says_which_label_is_which_class(gan_sample, named, monkeypatch):
    folder, names = named("cat", "dog"), ["cat", "dog"]
    program = SimpleNamespace(model=SimpleNamespace(metadata_props={}), save=lambda path: path.touch())
    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: program)  # which takes seconds
    for kind, ending in (("safetensors", "safetensors"), ("torch", "pt2"), ("onnx", "onnx")):
        assert gan_sample(f"checkpoint={folder}", f"export={kind}", f"out=g.{ending}").code == 0
    assert json.loads(Path("g.json").read_text())["names"] == names
    assert gan_cli.load("g.safetensors").names == ("cat", "dog")
    extra = {"classes.json": ""}
    torch.export.load("g.pt2", extra_files=extra)
    assert json.loads(extra["classes.json"]) == names
    assert json.loads(program.model.metadata_props["classes"]) == names


def test_shares_of_classes_have_their_names():
    cat = 1000 * "c"
    training = gan_cli.data.Samples(np.zeros((2, 1, 8, 8), np.uint8), np.array([0, 1]), (cat, "dog"))
    sure = SimpleNamespace(probabilities=lambda values: np.array([[0.0, 1.0], [1.0, 0.0], [0.1, 0.9], [0.2, 0.8]]))
    drawn = gan_cli.data.Samples(np.zeros((4, 1, 8, 8), np.uint8))
    evidence = SimpleNamespace(is_image=True, extractor=sure, training=training, drawn=drawn, dataset=None)
    values = Modes()(evidence)
    assert (values[f"class_share/{cat}"], values["class_share/dog"]) == (0.25, 0.75)
    record = {"step": 1, **{f"metric/{name}": value for name, value in values.items()}}
    assert record_of(json.dumps(record).encode()) == record


def test_well_known_datasets_have_the_names_torchvision_knows():
    options = {"size": 8, "channels": 1, "limit": 0, "flip": False, "split": "train", "root": "data"}
    opened = {"classes": ["a", "b"]}
    for kind in (FashionMNIST, KMNIST, CIFAR10, STL10):
        assert kind(**options).names(SimpleNamespace(**opened)) == ["a", "b"]
    assert MNIST(**options).names(SimpleNamespace(**opened)) == ()  # the digits are their numbers


def test_classes_are_called_by_their_names_in_a_locale_of_ascii_too(spawn_cold):
    for name in ("ünï cøde", "b"):
        Path("odd", name).mkdir(parents=True)
        for i in range(8):
            Image.new("L", (8, 8), 20 * i).save(Path("odd", name, f"{i}.png"))
    ascii_alone = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    keys = [key for key in TINY_MLP if "limit" not in key]
    run = spawn_cold(*KEYS, *keys, "dataset.path=odd", "hydra.run.dir=run", "device=cpu", env=ascii_alone)
    assert run.wait() == 0, run.stderr.read()
    assert state_in(Path("run"))["data"]["names"] == ["b", "ünï cøde"]
    program = "import sys; from gan_cli.cli import sample; sys.argv[0] = 'gan-sample'; sample()"
    words = [sys.executable, "-c", program, "checkpoint=run", "n=2", "label=ünï cøde", "out=some.png"]
    assert subprocess.run(words, env=ascii_alone, check=False).returncode == 0
