"""Which files of a folder are pictures, which label is which folder, and what a limit or a split leaves of them."""

from __future__ import annotations

import os
import sys
import zipfile
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY_MLP, config_of, state_in
from PIL import Image

from gan_cli.config.library import Library
from gan_cli.config.schema import completed
from gan_cli.data import Samples, finding, listing
from gan_cli.data.finding import listed
from gan_cli.data.first_listing import listed as first_listed
from gan_cli.data.sources import Digits
from gan_cli.data.spreading import hashes_of_names, hashes_of_rows, spread
from gan_cli.errors import UserError

FOLDER = ("dataset=image_folder", "dataset.channels=1", "dataset.size=8")
TRAIN = (*FOLDER, *(key for key in TINY_MLP if "limit" not in key), "steps=2", "sample_every=0", "log_every=0")


def picture(path: Path | str, grey: int = 100) -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8), grey).save(path)
    return path


def classes(root: str = "p", **counts: int) -> Path:
    """Folders of so many pictures, all of a grey that is the folder's."""
    for i, (name, count) in enumerate(counts.items()):
        for j in range(count):
            picture(f"{root}/{name.lstrip('n')}/{j:03d}.png", 100 * i + 20)
    return Path(root)


def dataset_of(path: str = "p", **options):
    return Library().build_by_name("dataset", "image_folder", path=path, channels=1, size=8, **options)


def packed(folder: str, *, inside: str = "", separator: str = "/") -> str:
    with zipfile.ZipFile(f"{folder}.zip", "w") as archive:
        for path in sorted(Path(folder).rglob("*.*")):
            name = f"{inside}{path.relative_to(folder).as_posix()}".replace("/", separator)
            archive.write(path, name)
    return f"{folder}.zip"


# --- class numbers belong to the source ------------------------------------------------------------------------------
@pytest.mark.parametrize("keys", [{"split": "train"}, {"split": "test"}, {"limit": 7}, {}])
def test_a_class_keeps_its_number_in_every_split_and_subset(keys):
    classes(ant=4, bee=60, cow=60)
    samples = dataset_of(**keys).load()
    assert (samples.classes, samples.names) == (3, ("ant", "bee", "cow"))
    assert (samples.values[:, 0, 0, 0] // 100 == samples.labels).all()


def test_held_out_and_unused_pictures_have_the_labels_of_the_training_ones():
    classes(ant=4, bee=60, cow=60)
    dataset = dataset_of(split="train", limit=50)
    parts = dataset.load(), dataset.unused(), dataset.held_out()
    assert [len(part) for part in parts] == [50, 62, 12]
    for part in parts:
        assert part.classes == 3
        assert (part.values[:, 0, 0, 0] // 100 == part.labels).all()


def test_held_out_accuracy_is_right_where_the_test_split_lacks_a_class(gan_train, tmp_path):
    from gan_cli.metrics.extractors.classifier import Classifier

    classes(ant=4, bee=60, cow=60)
    dataset = dataset_of(split="train")
    classifier = Classifier(str(tmp_path), 0, 40)
    classifier.prepare(dataset.load(), dataset.held_out, torch.device("cpu"))
    assert classifier.accuracy == 1.0


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (("dataset=digits", "dataset.limit=3"), 10),
        (("dataset=stacked_mnist", "dataset.source=digits", "dataset.stacks=5"), 1000),
        (("dataset=ring", "dataset.points=3"), 8),
        (("dataset=mixture", "dataset.points=2", "dataset.means=[[0],[1],[2]]"), 3),
        (("dataset=gaussian", "dataset.points=3"), 0),
    ],
)
def test_a_few_samples_have_all_the_classes_of_their_source(keys, expected):
    samples = Library().build("dataset", config_of("architecture=mlp", *keys).dataset).load()
    assert samples.classes == expected
    assert samples.take(slice(1)).classes == expected


def test_samples_of_ones_own_may_say_how_many_classes_there_are():
    values = np.zeros((3, 2), np.float32)
    assert Samples(values, np.array([0, 2, 0])).classes == 3
    assert Samples(values, np.array([0, 2, 0]), classes=5).classes == 5
    assert Samples(values, np.array([0, 2, 0]), ("a", "b", "c", "d")).take(np.array([0])).classes == 4
    with pytest.raises(ValueError, match="a label is 2, and there are 2 classes"):
        Samples(values, np.array([0, 2, 0]), classes=2)


def test_a_dry_run_refuses_labels_where_the_split_has_none(gan_train):
    result = gan_train("dry_run=true", "dataset=stl10", "dataset.size=32", "architecture=mlp", "conditional=true")
    assert (result.code, len(result.errors)) == (2, 1)
    assert "dataset=stl10 has no labels here" in result.err


def test_a_conditional_run_leaves_the_place_of_a_class_without_pictures_empty(gan_train):
    classes(ant=4, bee=60, cow=60)
    keys = ("dataset.path=p", "dataset.split=test", "conditional=true", "sample_count=6")
    assert gan_train(*TRAIN, *keys, "hydra.run.dir=run").code == 0
    assert state_in(Path("run"))["classes"] == 3
    real = np.asarray(Image.open("run/samples/real.png"))
    bottom = real[-80:]  # the rows of pictures, whatever stands above them
    column = bottom.shape[1] // 3
    assert bottom[:, :column].max() == 0
    assert bottom[:, column + 20 : 2 * column - 20].max() == 120


# --- a limit is a sample ---------------------------------------------------------------------------------------------
def test_a_limit_of_sorted_classes_is_a_sample_of_all_of_them():
    classes(**{f"n{i}": 60 for i in range(10)})
    samples = dataset_of(limit=100).load()
    assert np.bincount(samples.labels).tolist() == [10] * 10
    assert np.bincount(dataset_of(limit=10).load().labels).tolist() == [1] * 10
    assert len(dataset_of(limit=100).unused()) == 500


def test_a_limit_draws_the_same_few_pictures_whatever_the_seed_and_not_the_first():
    for i in range(40):
        picture(f"p/{i:02d}.png", i)
    greys = sorted(dataset_of(limit=10).load().values[:, 0, 0, 0].tolist())
    assert greys != list(range(10))
    assert max(greys) > 20
    picture("p/zz.png", 255)
    again = dataset_of(limit=10).load().values[:, 0, 0, 0].tolist()
    assert len(set(greys) & set(again)) >= 9


def test_which_samples_a_limit_draws_is_the_same_in_every_version():
    """Checkpoints know their data by it."""
    names = [f"{i % 7}/ü{i}.png" for i in range(10_000)]
    labels = np.arange(10_000) % 7 - 1  # -1: of no class
    of_names = [spread(hashes_of_names(names), of, 1000) for of in (labels, None)]
    of_rows = [spread(hashes_of_rows(np.arange(10_000)), of, 1000) for of in (labels, None)]
    found = [blake2b(places.astype("<i8").tobytes(), digest_size=4).hexdigest() for places in (*of_names, *of_rows)]
    assert found == ["abd2e37f", "586398e4", "69b4e564", "db21b1f2"]


def test_a_limit_beyond_unreadable_pictures_leaves_the_others_unused():
    for i in range(20):
        picture(f"p/{i:02d}.png", i)
    dataset = dataset_of(limit=10)
    Path("p", dataset.chosen[0].name).write_bytes(b"torn")
    dataset = dataset_of(limit=10)
    used, unused = dataset.load().values[:, 0, 0, 0], dataset.unused().values[:, 0, 0, 0]
    assert (len(used), len(unused)) == (9, 10)
    assert not set(used.tolist()) & set(unused.tolist())


def test_the_head_of_the_shipped_digits_is_a_fair_sample():
    labels = Library().build("dataset", config_of("dataset=digits", "dataset.limit=1000").dataset).load().labels
    counts = np.bincount(labels)
    assert ((counts - 100) ** 2 / 100).sum() < 21.7  # the 99 % point of chi-squared with 9 degrees of freedom


# --- whole data ------------------------------------------------------------------------------------------------------
def test_links_to_folders_and_files_are_followed():
    classes("else", cat=20, dog=20)
    classes("p", cow=20)
    for name in ("cat", "dog"):
        Path("p", name).symlink_to(Path("else", name).absolute())
    Path("p/cow/linked.png").symlink_to(picture("else/one.png").absolute())
    Path("link").symlink_to("p")
    samples = dataset_of("link").load()
    assert np.bincount(samples.labels).tolist() == [20, 21, 20]
    assert samples.names == ("cat", "cow", "dog")


def test_a_link_leads_nowhere_twice():
    classes(cat=3, dog=3)
    Path("p/cat/round").symlink_to(Path("p").absolute())
    Path("p/above").symlink_to(Path().absolute())
    Path("p/again").symlink_to("cat")
    Path("p/dog/same.png").symlink_to("000.png")
    Path("p/self.png").symlink_to("self.png")
    found = listed(Path("p"))
    assert [file.name for file in found.pictures] == [f"{n}/00{i}.png" for n in ("cat", "dog") for i in range(3)]
    assert found.passed == {listing.TWICE: ["above", "again", "cat/round", "dog/same.png"]}
    assert found.missing == {listing.LOST: ["self.png"]}


def test_a_folder_without_anything_in_it_is_named_and_no_class():
    classes(cat=2, dog=2)
    for name in ("p/owl", "p/cat/old/er", "p/junk"):
        Path(name).mkdir(parents=True)
    Path("p/junk/.DS_Store").write_bytes(b"")
    archive = packed("p")
    with zipfile.ZipFile(archive, "a") as more:
        for name in ("cat/", "cat/old/", "cat/old/er/", "junk/", "owl/", "__MACOSX/", "__MACOSX/x/"):
            more.writestr(name, "")
    for source in ("p", archive):
        found = listed(Path(source))
        assert found.passed[listing.EMPTY] == ["cat/old/er", "junk", "owl"]
        assert found.told() == "left aside: 3 empty folders (cat/old/er and 2 more)"
        assert found.class_names == ["cat", "dog"]


def test_most_pictures_left_out_is_refused_in_one_line_unless_allowed(gan_train):
    for i in range(5):
        picture(f"p/{i}.png", 10 * i)
    for i in range(95):
        Path(f"p/gone {i}.png").symlink_to("nothing")
    for keys in ((), ("dry_run=true",)):
        result = gan_train(*TRAIN, "dataset.path=p", *keys)
        assert (result.code, len(result.errors)) == (2, 1)
        assert "95 of 100 pictures are links to nothing: gone 0.png" in result.err
        assert "dataset.allow_missing=true" in result.err
        assert not list(Path().glob("outputs/*/*/checkpoints"))
    result = gan_train(*TRAIN, "dataset.path=p", "dataset.allow_missing=true")
    assert result.code == 0
    assert result.err.count("95 of 100 pictures are links to nothing") == 1


def test_most_pictures_unreadable_is_refused():
    for i in range(3):
        picture(f"p/{i}.png")
    for i in range(4):
        Path(f"p/torn {i}.png").write_bytes(b"torn")
    with pytest.raises(UserError, match=r"4 of 7 pictures cannot be read: torn 0\.png.*dataset\.allow_missing=true"):
        dataset_of().load()
    assert len(dataset_of(allow_missing=True).load()) == 3


def test_heic_is_read_with_its_package_and_named_without(monkeypatch):
    pillow_heif = pytest.importorskip("pillow_heif")
    picture("p/a.png")
    pillow_heif.from_pillow(Image.new("RGB", (64, 64), (200, 200, 200))).save("p/b.heic")
    Image.new("RGB", (64, 64), (200, 200, 200)).save("p/c.avif")
    values = dataset_of().load().values[:, 0, 4, 4]
    assert values == pytest.approx([100, 200, 200], abs=3)
    without = {ending: kind for ending, kind in Image.registered_extensions().items() if kind != "HEIF"}
    monkeypatch.setattr(Image, "registered_extensions", lambda: without)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    listing.readable.cache_clear()
    try:
        found = listed(Path("p"))
    finally:
        listing.readable.cache_clear()
    assert found.missing == {listing.HEIC: ["b.heic"]}
    assert "1 of 3 pictures need pip install 'gan-cli[heif]': b.heic" in found.told()


def test_a_folder_that_cannot_be_opened_is_named_and_no_class(monkeypatch):
    classes(ant=5, bee=5, cow=5)
    real = os.scandir

    def closed(path):
        if Path(path).name == "bee":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", closed)
    dataset = dataset_of()
    assert dataset.load().labels.tolist() == [0] * 5 + [1] * 5
    assert dataset.listing.told() == "1 of 11 pictures cannot be opened: bee/*"


def test_names_with_an_underscore_are_pictures_and_classes_and_only_junk_is_not():
    for name in ("_x/_DSC0001.JPG", "_x/a.png", "y/_b.png", "y/._b.png", ".hidden/c.png", "__MACOSX/y/_b.png"):
        picture(f"p/{name}")
    Path("p/y/notes.txt").touch()
    Path("p/y/Thumbs.db").touch()
    found = listed(Path("p"))
    assert [file.name for file in found.pictures] == ["_x/_DSC0001.JPG", "_x/a.png", "y/_b.png"]
    assert found.class_names == ["_x", "y"]
    assert found.told() == "left aside: 2 other files (y/Thumbs.db and 1 more)"
    assert [file.name for file in listed(Path(packed("p"))).pictures] == [file.name for file in found.pictures]


@pytest.mark.parametrize(
    ("inside", "separator"), [("", "/"), ("pets/", "/"), ("a/b/", "/"), ("", "\\"), ("pets/", "\\")]
)
def test_a_zip_has_the_labels_of_its_folder(inside, separator):
    classes(cat=3, dog=2)
    path = packed("p", inside=inside, separator=separator)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{inside}empty/", b"")
    samples = dataset_of(path).load()
    assert samples.names == ("cat", "dog")
    assert samples.labels.tolist() == [0, 0, 0, 1, 1]
    assert (samples.values == dataset_of().load().values).all()


def test_a_folder_around_the_classes_is_looked_through_and_a_picture_beside_them_is_named():
    classes("p/around", cat=3, dog=2)
    assert listed(Path("p")).class_names == ["cat", "dog"]
    picture("p/around/cover.png")
    found = listed(Path("p"))
    assert found.class_names == []
    assert found.told() == "the folders are no classes, for pictures lie beside them: around/cover.png"


def test_names_of_members_are_utf_8_where_a_zip_does_not_say_so():
    info = zipfile.ZipInfo("Käse/1.png".encode().decode("cp437"))
    info.flag_bits = 0
    assert finding._name_of(info) == "Käse/1.png"


def test_what_is_left_out_is_said_once_however_many_parts_are_read(caplog):
    for i in range(30):
        picture(f"p/{i:02d}.png", i)
    Path("p/09.png").write_bytes(b"torn")  # of the test split
    Path("p/gone.png").symlink_to("nothing")
    dataset = dataset_of(split="train", limit=20)
    with caplog.at_level("INFO"):
        parts = dataset.load(), dataset.held_out(), dataset.unused()
    assert [len(part) for part in parts] == [20, 2, 7]
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "p: 1 of 31 pictures are links to nothing: gone.png"
    assert len(lines) == 2
    assert lines[1].startswith("1 of 3 pictures to compare with cannot be read, such as 09.png")


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("closed/p", "cannot be opened (Permission denied): give a folder or .zip of pictures"),
        ("a" * 300, "no file can be called so: File name too long"),
    ],
)
def test_a_path_that_cannot_be_looked_at_is_refused_in_one_line(gan_train, monkeypatch, path, what):
    real = os.stat

    def closed(path, **options):
        if str(path).startswith("closed"):
            raise PermissionError(13, "Permission denied")
        return real(path, **options)

    monkeypatch.setattr(os, "stat", closed)
    result = gan_train(*TRAIN, f"dataset.path={path}")
    assert (result.code, len(result.errors)) == (2, 1)
    assert f"dataset.path={path}: {what}" in result.err


def test_most_pictures_unreadable_ends_no_run_of_the_first_rules():
    picture("p/0.png")
    for i in range(4):
        Path(f"p/torn {i}.png").write_bytes(b"torn")
    assert len(dataset_of(rules=1).load()) == 1


def test_an_unreadable_half_of_a_limit_is_refused():
    for i in range(30):
        picture(f"p/{i:02d}.png", i)
    for file in dataset_of(limit=5).chosen[:3]:
        Path("p", file.name).write_bytes(b"torn")
    with pytest.raises(UserError, match=r"3 of 30 pictures cannot be read"):
        dataset_of(limit=5).load()


COMPARE = ("extractor=pixels", "size=8", "channels=1", "metrics=sliced_wasserstein")


def test_a_folder_that_lacks_most_pictures_is_compared_only_if_allowed(gan_eval, caplog):
    classes("real", cat=3)
    classes("samples", cat=3)
    for i in range(4):
        Path(f"real/gone {i}.png").symlink_to("nothing")
    result = gan_eval("real=real", "samples=samples", *COMPARE)
    assert result.code == 2
    (line,) = result.err.splitlines()
    assert line.startswith("gan-eval: error: real=real: most of its pictures cannot be used (4 of 7 pictures are links")
    assert line.endswith(": allow_missing=true")
    result = gan_eval("real=real", "samples=samples", "allow_missing=true", *COMPARE)
    assert result.code == 0, result.err
    assert caplog.text.count("4 of 7 pictures are links to nothing") == 1


def test_both_folders_are_looked_for_before_a_picture_is_decoded(gan_eval):
    classes("real", cat=3)
    result = gan_eval("real=real", "samples=gone", *COMPARE)
    assert result.code == 2
    assert result.err.startswith("gan-eval: error: samples=gone: does not exist")
    assert [path.name for path in Path().iterdir()] == ["real"]


def test_samples_are_no_real_pictures_where_one_folder_lies_in_the_other(gan_eval, caplog):
    classes(".", cat=4, made=4)
    result = gan_eval("real=.", "samples=made", *COMPARE)
    assert result.code == 2
    assert "samples=made: lies in real=., which would hold its pictures too: move one out" in result.err
    Path("outputs/run/.hydra").mkdir(parents=True)
    Path("outputs/run/status.json").touch()
    Path("made").rename("outputs/run/generated")
    caplog.set_level("INFO")
    result = gan_eval("real=.", "samples=outputs/run/generated", *COMPARE)
    assert result.code == 0, result.err
    assert ".: left aside: 1 output of gan-train (outputs/run)" in caplog.text


# --- output is never input -------------------------------------------------------------------------------------------
def test_runs_and_results_in_a_folder_are_no_pictures_of_it(gan_train):
    classes(".", cat=4, dog=4)
    first = gan_train(*TRAIN, "dataset.path=.", "conditional=true", "hydra.run.dir=outputs/a")
    assert first.code == 0, first.err
    assert gan_train(*TRAIN, "dataset.path=.", "conditional=true", "hydra.run.dir=outputs/b").code == 0
    assert state_in(Path("outputs/b"))["classes"] == 2
    result = gan_train("resume=outputs/a", "steps=4")
    assert result.code == 0, result.err
    picture("s-evaluation-012345-memorisation.png")
    Path("s-evaluation-012345.json").write_text("{}")
    found = listed(Path())
    assert len(found.pictures) == 8
    outputs = ["outputs/a", "outputs/b", "s-evaluation-012345-memorisation.png"]
    assert found.passed[listing.RUNS] == outputs
    assert "3 outputs of gan-train (outputs/a and 2 more)" in found.told()
    zipped = listed(Path(packed(".")))
    assert [file.name for file in zipped.pictures] == [file.name for file in found.pictures]
    assert zipped.passed[listing.RUNS] == outputs


def test_a_run_folder_is_no_folder_of_pictures_and_what_was_generated_from_it_is(gan_train):
    classes(cat=4, dog=4)
    assert gan_train(*TRAIN, "dataset.path=p", "hydra.run.dir=run").code == 0
    with pytest.raises(UserError, match=r"holds no pictures .*outputs of gan-train"):
        dataset_of("run").load()
    picture("run/generated/one.png")
    assert len(dataset_of("run/generated").load()) == 1


def test_the_cache_below_a_folder_is_not_of_it():
    classes(".", cat=2, dog=2)
    first = dataset_of(".")
    first.load()
    picture("data/cache/strange.png")
    assert listed(Path(), (Path("data/cache"),)).pictures == first.listing.pictures


# --- which label is which folder -------------------------------------------------------------------------------------
def test_folders_are_numbered_in_natural_order():
    classes(n1=1, n2=1, n10=1)
    assert listed(Path("p")).class_names == ["1", "2", "10"]
    names = ["b10", "b9", "a", "A", "10", "9", "2x3", "2x12", "1.5", "ä1"]
    assert sorted(names, key=listing.natural) == ["1.5", "2x3", "2x12", "9", "10", "A", "a", "b9", "b10", "ä1"]


# --- runs that began under the first rules ---------------------------------------------------------------------------
def test_a_run_of_the_first_rules_keeps_its_pictures_its_numbers_and_its_limit(gan_train):
    classes(n1=5, n2=5, n10=5)
    picture("p/2/_new.png")
    keys = ("dataset.path=p", "conditional=true", "dataset.limit=12")
    assert gan_train(*TRAIN, *keys, "dataset.rules=1", "hydra.run.dir=run").code == 0
    path = Path("run/checkpoints/step-000000002.pt")
    state = torch.load(path, weights_only=True)
    del state["config"]["dataset"]["rules"], state["config"]["dataset"]["allow_missing"]  # as they wrote it
    del state["data"]["names"], state["data"]["classes"]
    torch.save(state, path)
    assert gan_train("resume=run", "steps=4").code == 0
    assert gan_train("resume=run", "steps=6").code == 0
    later = state_in(Path("run"))
    assert later["config"]["dataset"]["rules"] == 1
    assert later["classes"] == 3
    assert later["data"]["names"] == ["1", "10", "2"]
    assert dataset_of(limit=12, rules=1).load().values[:, 0, 0, 0].tolist() == [20] * 5 + [220] * 5 + [120] * 2
    assert [file.name for file in first_listed(Path("p")).pictures if "_" in file.name] == []


def test_the_first_rules_refuse_what_they_do_not_know(gan_train):
    typed = {"classes": "[a]", "range": "[0,4095]", "detail": "1", "labels": "[age]"}
    for key, value in typed.items():
        result = gan_train(*TRAIN, "dataset.path=p", "dataset.rules=1", f"dataset.{key}={value}")
        assert result.code == 2
        assert f": dataset.rules=1 knows no {key}: leave one of them out" in result.errors[0]


def test_an_option_of_ones_own_for_folders_goes_on_by_the_first_rules_too():
    Path("mine/dataset").mkdir(parents=True)
    text = "name: mine\nclass: gan_cli.data.folder.ImageFolder\npath: p\nroot: data\nsize: 8\nchannels: 1\nlimit: 0\n"
    Path("mine/dataset/mine.yaml").write_text(f"{text}flip: false\nsplit: all\n")
    library = Library("mine")
    assert library.choice("dataset", "mine").keywords()["rules"] == 2
    saved = {**config_of().saved(), "dataset": library.values("dataset", "mine")}
    assert completed(saved, library)["dataset"]["rules"] == 1


def test_a_conditional_run_that_counted_fewer_classes_than_its_source_has_goes_on_with_those(gan_train, monkeypatch):
    keys = [key for key in TRAIN if "dataset" not in key]
    with monkeypatch.context() as patch:
        patch.setattr(Digits, "classes", 6)  # the labels of the first two are 5 and 0
        digits = ("dataset.size=8", "dataset.limit=2", "conditional=true")
        assert gan_train(*keys, *digits, "hydra.run.dir=run").code == 0
    path = Path("run/checkpoints/step-000000002.pt")
    state = torch.load(path, weights_only=True)
    assert state["classes"] == 6
    del state["data"]["names"], state["data"]["classes"]
    torch.save(state, path)
    for steps in (4, 6):
        result = gan_train("resume=run", f"steps={steps}")
        assert result.code == 0, result.err
    assert state_in(Path("run"))["classes"] == 6
