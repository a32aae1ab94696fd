"""Labels from a table beside pictures: classes, attributes, numbers; and what is missing is told with counts."""

from __future__ import annotations

import json
import tracemalloc
import zipfile
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
import torch
from conftest import TINY_MLP, config_of
from PIL import Image

from gan_cli.config.library import Library
from gan_cli.data.conditions import Condition, Conditions
from gan_cli.data.folder import ImageFolder
from gan_cli.data.knows import DATASET
from gan_cli.data.label_tables import Unreadable, table_of
from gan_cli.data.picture_labels import Misfit, meaning_of, picture_labels
from gan_cli.errors import UserError
from gan_cli.games.labels import conditions_of
from gan_cli.games.labels import labels_of as by_name

FILES = ["a/1.png", "a/2.png", "b/3.png"]


def folder(place: Path = Path("pics"), count: int = 12) -> Path:
    for i in range(count):
        path = place / ("odd" if i % 2 else "even") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 20 * i).save(path)
    return place


def dataset(path: Path | str = "pics", labels: object = "auto", **more: object) -> ImageFolder:
    keys = [f"dataset.path={path}", "dataset.size=8", "dataset.channels=1", "dataset.root=kept"]
    keys += [f"dataset.{key}={value}" for key, value in {"labels": labels, **more}.items()]
    return Library().build(DATASET, config_of("experiment=lecture", "dataset=image_folder", *keys).dataset)


def labels_of(text: str, *wanted: str, kind: str = ".csv"):
    return picture_labels(table_of(text.encode(), kind), FILES, wanted)


@pytest.mark.parametrize(
    ("values", "meaning"),
    [
        (("cat", "dog"), "class"),
        (("0", "1", "1"), "attribute"),
        (("-1", "1"), "attribute"),
        (("-1.0", "1.0"), "attribute"),
        (("true", "No", "YES"), "attribute"),
        (("0", "1", "2"), "class"),
        (("1", "2", "3"), "class"),
        (("0", "2", "5"), "number"),
        (("0.5", "1e2"), "number"),
        (("17", "64"), "number"),
        (tuple(map(str, range(30))), "number"),
    ],
)
def test_a_column_is_what_its_values_say(values, meaning):
    assert meaning_of(values) == meaning


def test_one_column_of_names_is_one_class_each_in_natural_order():
    found = labels_of("file,kind\na/1.png,10\na/2.png,9\nb/3.png,x\n")
    assert found.names == ("9", "10", "x")
    assert found.of == {"a/1.png": 1, "a/2.png": 0, "b/3.png": 2}


def test_attributes_numbers_and_classes_together_are_conditions():
    text = "file;smiling;angle;colour\r\n1.png;yes;0;red\r\n.\\a\\2.png;no;30;blue\r\n3;1;60;red\r\n"
    found = labels_of(text)
    assert [(c.name, c.kind) for c in found.conditions] == [
        ("smiling", "attribute"),
        ("angle", "number"),
        ("blue", "attribute"),
        ("red", "attribute"),
    ]
    angle = found.conditions[1]
    assert (angle.mean, angle.scale) == (pytest.approx(30), pytest.approx(np.std([0, 30, 60])))
    np.testing.assert_allclose(
        np.array([found.of[file] for file in FILES])[:, [0, 2, 3]], [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
    )
    chosen = labels_of(text, "colour:class")
    assert chosen.names == ("blue", "red")
    assert not chosen.conditions
    assert [c.name for c in labels_of("file,a,b\n1.png,1,x\n2.png,2,y\n3.png,3,x\n").conditions] == [
        *("a_1", "a_2", "a_3", "x", "y"),
    ]


@pytest.mark.parametrize(
    "value",
    [
        {"a/1.png": "cat", "a/2.png": "dog", "b/3.png": "dog"},
        {"labels": [["a/1.png", "cat"], ["a/2.png", "dog"], ["b/3.png", "dog"]]},
        [{"file": "a/1.png", "x": "cat"}, {"file": "a/2.png", "x": "dog"}, {"file": "b/3.png", "x": "dog"}],
        {"a/1.png": {"x": "cat"}, "a/2.png": {"x": "dog"}, "b/3.png": {"x": "dog"}},
    ],
)
def test_json_is_read_in_each_of_its_forms(value):
    found = labels_of(json.dumps(value), kind=".json")
    assert (found.names, [*found.of.values()]) == (("cat", "dog"), [0, 1, 1])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"labels": [["1.png", 3], ["2.png"]]}', 'has an entry in "labels" that is no pair'),
        ('{"labels": [["1.png", 3], {"2.png": 4}]}', 'has an entry in "labels" that is no pair'),
        ('{"labels": [["1.png", 3], ["1.png", 4]]}', "names 1.png again with other labels"),
        ('[{"file": "1.png", "x": 3}, {"file": "1.png", "x": 4}]', "names 1.png again with other labels"),
        ('[{"file": "1.png", "x": 3}, {"x": 4}]', "has an entry without the name of a file"),
        ('{"1.png": 3, "1.png": 4}', "names 1.png again with other labels"),
        ('{"1.png": {"x": 3, "x": 4}}', "gives 1.png two values of one column"),
        ('{"labels": [["1.png", [0.5, 1]]]}', "holds lists of labels"),
    ],
)
def test_json_in_which_something_would_be_lost_is_refused(text, line):
    with pytest.raises((Unreadable, Misfit), match=line):
        labels_of(text, kind=".json")


def test_what_stylegans_tools_write_are_classes_or_none_whatever_the_folders(caplog):
    caplog.set_level("INFO")
    folder()
    names = sorted(path.relative_to("pics").as_posix() for path in Path("pics").rglob("*.png"))
    written = Path("pics/dataset.json")
    written.write_text(json.dumps({"labels": [[name, 2 * i] for i, name in enumerate(names)]}))
    samples = dataset().load()
    assert samples.names == tuple(str(2 * i) for i in range(len(names)))  # as numbers they are no condition
    written.write_text('{"labels": null}')
    none = dataset().load()
    assert (len(none), none.classes) == (len(names), 1)
    assert not none.conditions
    written.write_text('{"name": "anything", "version": 2}')
    assert dataset().load().names == ("even", "odd")
    assert "dataset.json in the pictures is not about them" in caplog.text


@pytest.mark.parametrize("text", ['{"name": "anything"}', "[]", "no JSON", '{"nobody.png": "cat"}'])
@pytest.mark.parametrize("place", ["pics", ".", "pics.zip"])
@pytest.mark.parametrize("table", ["labels.csv", "pics.csv"])
@pytest.mark.parametrize("wanted", ["auto", "[age]"])
def test_a_dataset_json_about_something_else_stands_in_no_tables_way(caplog, text, place, table, wanted):
    caplog.set_level("INFO")
    folder()
    rows = "".join(f"{i}.png,{10 * i}.5\n" for i in range(12))
    inside = place != "." and table == "labels.csv"
    (Path("pics" if inside else ".") / table).write_text(f"file,age\n{rows}")
    (Path("." if place == "." else "pics") / "dataset.json").write_text(text)
    if place == "pics.zip":
        with zipfile.ZipFile(place, "w") as packed:
            for path in sorted(Path("pics").rglob("*.*")):
                packed.write(path, path.relative_to("pics"))
    found = dataset(place if place == "pics.zip" else "pics", wanted).load()
    assert [condition.name for condition in found.conditions] == ["age"]
    beside_its_own = place == "." and table == "pics.csv"  # is looked at first
    assert ("dataset.json" in caplog.text) == (not beside_its_own)


def test_two_tables_of_the_same_pictures_are_refused(caplog):
    folder()
    Path("pics/labels.csv").write_text("file,kind\n" + "".join(f"{i}.png,x{i}\n" for i in range(12)))
    Path("pics/dataset.json").write_text(json.dumps({"labels": [[f"{i}.png", i] for i in range(12)]}))
    with pytest.raises(UserError, match=r"labels\.csv and dataset\.json lie there both: keep one"):
        dataset().load()


@pytest.mark.parametrize(
    ("text", "wanted", "line"),
    [
        ("", (), "has no labels"),
        ("file,a\n1.png,1,2\n", (), "has 3 cells in row 2, and 2 columns"),
        ("file,a,a\n1.png,1,2\n", (), "columns of the same name"),
        ("file,age\n1.png,3\n", ("agee",), "has no column agee"),
        ("file,age\n1.png,3\n", ("age:word",), "a column is a class, attribute or number"),
        ("file,age\n1.png,3\n1.png,4\n", (), "names 1.png again with other labels"),
        ("file,age\nx.png,3\n", (), "says nothing of these 3 pictures"),
        ("file,age\n1.png,3\n2.png,old\n", ("age:number",), "has 'old' in age, which is not a number"),
        ("file,a\n1.png,3\n2.png,0\n", ("a:attribute",), "has '3' in a, which is not 0 or 1"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_a_line(text, wanted, line):
    with pytest.raises((Unreadable, Misfit), match=line):
        labels_of(text, *wanted)


def test_what_is_missing_is_told_with_counts_and_left_out(caplog):
    folder()
    rows = [f"{i}.png,{i * 10}" for i in range(10)] + ["9.png,90", "11.png,", "gone.png,3"]
    Path("pics/labels.csv").write_text("file,angle\n" + "\n".join(rows))
    samples = dataset(labels="angle").load()
    told = "1 of 12 pictures have no row; 1 of 12 pictures lack a value; 1 of 12 rows name no picture: gone.png"
    assert told in caplog.text
    assert len(samples) == 10
    assert samples.told().startswith("conditions: angle (45 ± ")
    angles = samples.labels[:, 0] * samples.conditions[0].scale + samples.conditions[0].mean
    np.testing.assert_allclose(angles, samples.values[:, 0, 0, 0] / 2, atol=1e-3)
    assert dataset(labels="folders").load().names == ("even", "odd")
    split = [dataset(split=part).load() for part in ("train", "test")]
    assert split[0].conditions == split[1].conditions == samples.conditions
    Path("pics/labels.csv").write_text("file,angle\n1.png,3\n")
    with pytest.raises(UserError, match=r"most of its pictures have no label \(11 of 12 pictures have no row\)"):
        dataset().load()


def test_a_table_beside_a_folder_or_in_a_zip_is_found_and_one_about_others_is_left_alone(caplog):
    caplog.set_level("INFO")
    folder()
    Path("labels.csv").write_text("file,kind\nother.png,x\n")
    assert dataset().load().names == ("even", "odd")
    assert "labels.csv beside the pictures is not about them" in caplog.text
    Path("pics.json").write_text(json.dumps({f"{i}.png": "low" if i < 6 else "high" for i in range(12)}))
    assert dataset().load().names == ("high", "low")
    with zipfile.ZipFile("packed.zip", "w") as packed:
        for path in sorted(Path("pics").rglob("*.png")):
            packed.write(path)
        packed.writestr("pics/labels.csv", "file,dark\n" + "".join(f"{i}.png,{int(i < 6)}\n" for i in range(12)))
    samples = dataset("packed.zip").load()
    assert [c.name for c in samples.conditions] == ["dark"]
    np.testing.assert_array_equal(samples.labels[:, 0], samples.values[:, 0, 0, 0] < 120)
    Path("labels.csv").unlink()
    Path("pics.json").unlink()
    with pytest.raises(UserError, match=r"dataset.labels=age: there is no labels.csv or labels.json"):
        dataset(labels="age").load()


def test_words_for_nothing_are_classes_where_the_column_is_said_to_be_one():
    text = "file,hat\n1.png,none\n2.png,cap\n3.png,\n"
    found = labels_of(text)
    assert (found.names, len(found.of)) == (("cap",), 1)
    assert "2 of 3 pictures lack a value (none is none: if it is a class, say hat:class)" in found.told
    found = labels_of(text, "hat:class")
    assert (found.names, len(found.of)) == (("cap", "none"), 2)


def test_a_name_that_two_pictures_have_is_neithers_whatever_other_rows_say():
    table = table_of(b"file,kind\na/1.png,cat\n1.png,dog\n", ".csv")
    found = picture_labels(table, ["a/1.png", "b/1.png"], ())
    assert (found.names, [*found.of]) == (("cat",), ["a/1.png"])
    assert "1 of 2 rows name no picture: 1.png" in found.told


@pytest.mark.parametrize(("typed", "there"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_are_the_same_in_either_form_of_unicode(typed, there, tmp_path):
    files = [normalize(there, f"ä/Ä{i}.png") for i in range(2)]
    rows = "".join(f"Ä{i}.png,{i + 20}\n" for i in range(2))
    table = table_of(normalize(typed, f"file,größe\n{rows}").encode(), ".csv")
    found = picture_labels(table, files, [normalize(there, "größe:number")])
    assert [*found.of] == files
    names = [normalize(there, "Bär"), normalize(there, "Kuh")]
    assert by_name(normalize(typed, "Bär"), names, 2) == [0]
    known = Conditions((Condition(normalize(there, "größe")),), np.zeros((4, 1), np.float32))
    assert conditions_of(normalize(typed, "größe:3"), known) == [(3.0,)]
    for name in ("Bär", "Kuh"):
        path = tmp_path / "pics" / normalize(there, name) / "1.png"
        path.parent.mkdir(parents=True)
        Image.new("L", (8, 8)).save(path)
    assert len(dataset(classes=f'["{normalize(typed, "Bär")}"]').load()) == 1
    Path("x.csv").write_text(normalize(there, "größe,stadt\n1.5,a\n2.5,b\n3.5,a\n"), encoding="utf-8")
    keys = (
        "experiment=table",
        "dataset.path=x.csv",
        "dataset.split=all",
        normalize(typed, 'dataset.leave_out=["größe"]'),
    )
    assert [column.name for column in Library().build(DATASET, config_of(*keys).dataset).load().fields] == ["stadt"]


@pytest.mark.parametrize(
    ("compression", "old", "new"),
    [
        (zipfile.ZIP_STORED, b"1.png,cat", b"1.png,cow"),
        (zipfile.ZIP_DEFLATED, None, b"\xff\xff\xff"),
        (zipfile.ZIP_STORED, "flag", None),
    ],
    ids=["damaged", "torn", "locked"],
)
def test_a_table_that_cannot_be_unpacked_is_refused_in_a_line(compression, old, new):
    folder()
    with zipfile.ZipFile("packed.zip", "w") as packed:
        for path in sorted(Path("pics").rglob("*.png")):
            packed.write(path)
        start = packed.fp.tell() + 30 + len("labels.csv")
        packed.writestr("labels.csv", "file,kind\n1.png,cat\n" * 20, compression)
    content = bytearray(Path("packed.zip").read_bytes())
    if old == "flag":  # bit 0 of the member's flags, in the directory and before the member
        content[content.rindex(b"PK\1\2") + 8] |= 1
        content[start - 30 - len("labels.csv") + 6] |= 1
    else:
        at = start if old is None else content.index(old)
        content[at : at + len(new)] = new
    Path("packed.zip").write_bytes(content)
    with pytest.raises(UserError, match=r"dataset.labels=auto: a table of labels cannot be read \(.*: mend it"):
        dataset("packed.zip").load()


def test_a_run_on_attributes_draws_them_by_name(gan_train, gan_sample):
    folder()
    rows = [f"{i}.png,{i % 2},{int(i % 3 == 0)}" for i in range(12)]
    Path("pics/labels.csv").write_text("file,smiling,glasses\n" + "\n".join(rows))
    tiny = [key for key in TINY_MLP if not key.startswith("dataset")]
    keys = ("dataset=image_folder", "dataset.path=pics", "dataset.size=8", "dataset.root=kept", "conditional=true")
    result = gan_train(*tiny, *keys, "conditioning=projection", "steps=1", "batch_size=4", "hydra.run.dir=run")
    assert result.code == 0, result.err
    assert "conditions: smiling (50.0%), glasses (33.3%)" in result.err
    assert gan_sample("checkpoint=run", "label=smiling+glasses,none", "format=png", "n=1", "out=drawn").code == 0
    names = sorted(path.name for path in Path("drawn").iterdir())
    assert names == ["seed-0000000-label-none.png", "seed-0000000-label-smiling+glasses.png"]
    state = torch.load(max(Path("run/checkpoints").glob("*.pt")), weights_only=True)
    assert len(state["data"]["rows"]) == 12


def test_a_split_without_any_label_is_no_held_out_data_and_refused_as_training_data():
    place = folder()
    rows = "".join(f"{i}.png,{3 * i}\n" for i in range(12) if i != 5)  # the tenth by name
    (place / "labels.csv").write_text(f"file,age\n{rows}")
    assert dataset(split="train").held_out() is None
    assert dataset(split="train").held_out_count() == 0
    with pytest.raises(UserError, match=r"^dataset.split=test: none of its 1 pictures has a label \(1 of 12"):
        dataset(split="test").load()


def test_labels_take_little_more_memory_than_their_numbers():
    files = [f"{i}.png" for i in range(2000)]
    head = ",".join(f"a{place}" for place in range(40))
    lines = [
        f"{file},{','.join('1' if (i >> place % 8) & 1 else '-1' for place in range(40))}"
        for i, file in enumerate(files)
    ]
    table = table_of("\n".join([f"file,{head}", *lines]).encode(), ".csv")
    tracemalloc.start()
    found = picture_labels(table, files, ())
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.conditions) == 40
    numbers = 2000 * 40 * 4
    assert (kept < 3 * numbers, peak < 10 * numbers) == (True, True)
