"""Conditions instead of classes, several attributes or numbers for each sample: from the dataset to every command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY_DCGAN, TINY_MLP, TINY_POINTS, assert_same_run, state_in

import gan_cli
from gan_cli.commands.sampling.draw import Shot
from gan_cli.commands.sampling.values import arranged
from gan_cli.data.columns import Column
from gan_cli.data.conditions import Condition, Conditions, standardised, standing_for
from gan_cli.data.identity import identity_of, trained_on
from gan_cli.data.label_tables import Table
from gan_cli.data.picture_labels import Misfit, picture_labels
from gan_cli.data.samples import Samples
from gan_cli.errors import UserError
from gan_cli.games.labels import conditions_of, file_words

TOLD = """
import numpy as np
from gan_cli.data import Samples
from gan_cli.data.conditions import standardised

class Told:
    def __init__(self, size: int = 8, points: bool = False, limit: int = 0):
        self.size, self.points = size, points
    def load(self):
        generator = np.random.default_rng(0)
        labels = np.stack([np.arange(60) % 2, np.arange(60) % 3 == 0, generator.normal(10, 4, 60)], axis=1)
        labels, conditions = standardised(labels, ("bright", "wide", "angle"), ("attribute", "attribute", "number"))
        values = generator.integers(0, 256, (60, 1, self.size, self.size)).astype(np.uint8)
        if self.points:
            values = generator.normal(size=(60, 2)).astype(np.float32)
        return Samples(values, labels, conditions=conditions)
"""
CASES = {"points": ("dataset.points=true", TINY_POINTS), "mlp": ("", TINY_MLP), "dcgan": ("", TINY_DCGAN)}


@pytest.fixture
def told(tmp_path):
    """The keys of a run on conditions, of an architecture."""
    (tmp_path / "told.py").write_text(TOLD)
    (tmp_path / "own" / "dataset").mkdir(parents=True)
    (tmp_path / "own/dataset/told.yaml").write_text("name: told\nclass: told.Told\nsize: 8\npoints: false\nlimit: 0\n")

    def keys(case: str) -> list[str]:
        own, tiny = CASES[case]
        kept = [key for key in tiny if not key.startswith("dataset")]
        return ["--config-dir", "own", "dataset=told", "conditional=true", *filter(None, [own]), *kept]

    return keys


@pytest.mark.parametrize("case", ["points", "dcgan"])
def test_a_game_on_conditions_trains_resumes_samples_and_is_measured(gan_train, gan_sample, gan_eval, told, case):
    keys = [*told(case), "sample_every=3", "log_every=1"]
    assert gan_train(*keys, "steps=6", "hydra.run.dir=whole", "checkpoint_every=3").code == 0
    result = gan_train(*keys, "steps=3", "hydra.run.dir=parts")
    assert result.code == 0, result.err
    assert "conditions: bright (50.0%), wide (33.3%), angle (" in result.err
    assert gan_train("--config-dir", "own", "resume=parts", "steps=6").code == 0
    assert_same_run(Path("whole"), Path("parts"))
    data = state_in(Path("whole"))["data"]
    assert [column["name"] for column in data["conditions"]] == ["bright", "wide", "angle"]
    own = ("--config-dir", "own", "checkpoint=whole")
    asked = gan_sample(*own, "label=bright+angle:12,angle:2..16", "format=npz", "seeds=0-1", "out=asked.npz")
    assert asked.code == 0, asked.err
    with np.load("asked.npz") as found:
        assert found["conditions"].shape == (18, 3)
        np.testing.assert_allclose(found["conditions"][0], [1, 0, 12], atol=1e-5)
        np.testing.assert_allclose(found["conditions"][1:9, 2], np.linspace(2, 16, 8), atol=1e-5)
        drawn = found["points" if case == "points" else "images"]
    model = gan_cli.load("whole", config_dir="own")
    seen = torch.tensor([[1.0, 0.0, model.conditions.columns[2].seen(12)]] * 2)
    again = model.sample(2, labels=seen)
    same = again if case == "points" else ((again.clamp(-1, 1) + 1) * 127.5).round().byte()
    np.testing.assert_array_equal(same.numpy(), drawn[[0, 9]])
    assert not torch.equal(model.sample(1, labels=seen[:1]), model.sample(1, labels=-seen[:1]))
    measured = gan_eval(*own, "metrics=[two_sample]", "count=40", "out=found.json", "extractor=pixels")
    assert measured.code == 0, measured.err
    assert 0 <= json.loads(Path("found.json").read_text())["metrics"]["two_sample"] <= 1


def test_a_grid_shows_each_combination_or_a_sweep_and_gan_sample_draws_it_again(gan_train, gan_sample, told):
    keys = [*told("mlp"), "sample_count=16", "steps=1", "hydra.run.dir=run"]
    assert gan_train(*keys).code == 0
    status = json.loads(Path("run/status.json").read_text())
    assert (status["sample_seeds"], status["sample_label"]) == ("0-1", "all")
    own = ("--config-dir", "own", "checkpoint=run")
    assert gan_sample(*own, "seeds=0-1", "label=all", "out=again.png").code == 0
    assert Path("again.png").read_bytes()[-2000:] == next(Path("run/samples").glob("step*.png")).read_bytes()[-2000:]
    for label, line in {
        "brigt": "no condition is called brigt (did you mean 'bright'?): the conditions are bright, wide, angle:NUMBER",
        "bright:3": "bright is an attribute, there or not: write bright, or leave it out",
        "angle": "angle is a number: write one, angle:",
        "angle:x": "angle:x is no number: write one, angle:",
        "bright+bright": "names bright twice in bright+bright: name it once",
        "bright,bright": "names the same twice: name each once",
    }.items():
        result = gan_sample(*own, f"label={label}")
        assert result.code == 2
        assert result.lines[0].startswith(f"label={label}: {line}")


def test_rows_stand_for_all_in_their_shares_and_each_combination_is_there():
    many = np.repeat(np.float32([[0, 0], [1, 0], [1, 1]]), (7000, 2990, 10), axis=0)
    rows = standing_for(many)
    assert len(rows) <= 256
    shares = {tuple(row): float((rows == row).all(axis=1).mean()) for row in np.unique(rows, axis=0)}
    assert shares[0, 0] == pytest.approx(0.7, abs=0.01)
    assert shares[1, 0] == pytest.approx(0.3, abs=0.01)
    assert shares[1, 1] > 0
    np.testing.assert_array_equal(rows, standing_for(many[::-1]))
    normal = np.random.default_rng(0).normal(size=(5000, 1)).astype(np.float32)
    assert np.quantile(standing_for(normal), 0.9) == pytest.approx(np.quantile(normal, 0.9), abs=0.02)
    labels, (angle,) = standardised(np.linspace(-90, 90, 1001)[:, None], ("angle",))
    assert (labels.mean(), labels.std()) == (pytest.approx(0, abs=1e-6), pytest.approx(1, abs=1e-6))
    known = Conditions((angle,), standing_for(labels))
    seeds = range(2**63 - 1, 2**63 + 2)  # of a run whose seed is the time in nanoseconds, times as many samples
    np.testing.assert_array_equal(known.of(seeds), known.of([seed % len(known.rows) for seed in seeds]))
    np.testing.assert_allclose([angle.value(row[0]) for row in known.sweep(4)], [-67.5, -22.5, 22.5, 67.5], atol=1)


def test_labels_are_read_by_name_in_their_own_units():
    columns = Condition("smiling", "attribute"), Condition("a+b", "attribute"), Condition("angle", "number", 10, 5)
    known = Conditions(columns, np.zeros((2, 3), np.float32))
    assert conditions_of("smiling+angle:20", known) == [(1, 0, 2)]
    assert conditions_of("a+b+smiling,none", known) == [(1, 1, 0), (0, 0, 0)]
    assert conditions_of("[angle:-5..30]", known) == [(0, 0, -3 + i) for i in range(8)]
    assert known.said((1, 0, 2)) == "smiling+angle:20"


ODD = ("a,b", "c+d", "e:f", "[g]", "none", "no c", "h..i", "1-2", " j ")


@pytest.mark.parametrize("kind", ["attribute", "number"])
def test_whatever_conditions_are_called_what_is_said_of_them_can_be_typed(kind):
    """Alone, beside each other, in lists and brackets; of numbers such as 3.5e+06 too."""
    known = Conditions(tuple(Condition(name, kind, 3e6, 5e5) for name in ODD), np.zeros((2, len(ODD)), np.float32))
    rows = [tuple(float(i == k or i == k + 1) for i in range(len(ODD))) for k in range(len(ODD))]
    for row in rows:
        assert conditions_of(known.said(row), known) == [row], known.said(row)
    every = ",".join(known.said(row) for row in rows)
    assert conditions_of(every, known) == conditions_of(f"[{every}]", known) == rows
    assert ["+".join(known.words(row)) for row in rows] == [known.said(row) for row in rows]


def test_numbers_of_every_form_are_read_and_those_that_no_network_can_see_are_refused():
    known = Conditions(
        (Condition("x+y", "number", 10, 1e-3), Condition("on", "attribute")), np.zeros((2, 2), np.float32)
    )
    assert conditions_of("x+y:+1e+1+on", known) == [(0, 1)]
    ends = [conditions_of("on+x+y:+1e+1..+1.0007e+1", known)[i] for i in (0, 7)]
    np.testing.assert_allclose(ends, [(0, 1), (7, 1)], rtol=1e-9)
    assert conditions_of("x+y:10..10", known) == [(0, 0)]
    with pytest.raises(ValueError, match=r"x\+y:1e\+36 is too large: its mean in the data is 10"):
        conditions_of("x+y:1e+36", known)


@pytest.mark.parametrize("names", [("1-x", "x", "X"), ("0-a", "a", "A", "1-a"), ("é/", "é:", "0-é_")])
def test_no_two_labels_have_files_of_the_same_name(names):
    assert len({word.casefold() for word in file_words(names, len(names))}) == len(names)


def test_what_is_cut_off_a_long_label_still_tells_its_file_from_others():
    (one,), (other,) = (file_words(["a" * 70 + end], 1) for end in "xy")
    assert one != other
    assert len(one) == len(other) == 60


def test_two_conditions_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two conditions are called x: give each a name of its own"):
        Samples(np.zeros((4, 2), np.float32), np.zeros((4, 2), np.float32), conditions=(Condition("x"),) * 2)
    rows = {f"{i}.png": ("ab"[i % 2], "12"[i % 2], "01"[i // 2]) for i in range(4)}
    table = Table(("hair", "hair_a", "a"), rows)
    with pytest.raises(Misfit, match="two columns, or classes in them, that are called hair_a"):
        picture_labels(table, list(rows), ["hair:class", "hair_a:number", "a"])


@pytest.mark.parametrize("fields", [(), ("seed", "label"), ("x0", "angle")])
@pytest.mark.parametrize("shape", [(2,), (2, 3)], ids=["points", "signals"])
def test_rows_say_what_was_asked_for_whatever_their_columns_are_called(fields, shape):
    columns = Condition("angle", "number", 10, 2), Condition("seed", "attribute")
    rows = [(0.0, 1.0), (1.5, 0.0)]

    class Drawn:
        """What a sampler knows."""

        conditions, classes, names, game = Conditions(columns, np.array(rows, np.float32)), 2, (), None

    sampler = Drawn()
    sampler.fields = tuple(Column(name=name) for name in fields)
    values = torch.arange(2.0 * np.prod(shape)).reshape(2, *shape)
    found = arranged(sampler, values, [Shot(7, rows[0]), Shot(8, rows[1])])
    each, names = 3 if len(shape) == 2 else 1, fields or ("x0", "x1")
    taken = {*names, *(("seed", "step") if each == 3 else ())}
    asked = [f"label {name}" if name in taken else name for name in ("angle", "seed")]
    assert {*found} == taken | {*asked}
    np.testing.assert_allclose(found[asked[0]][1], np.repeat([10, 13], each))
    np.testing.assert_allclose(found[asked[1]][1], np.repeat([1, 0], each))
    np.testing.assert_allclose(found[names[1]][1], values[:, 1].reshape(-1))
    assert all(column.name == name for name, (column, _) in found.items())


def test_another_unit_is_other_data_and_another_name_is_told(caplog):
    values = np.zeros((4, 2), np.float32)

    def told(name: str, scale: float) -> Samples:
        labels, conditions = standardised(np.arange(4.0)[:, None] * scale, [name])
        return Samples(values, labels, conditions=conditions)

    class Data:
        def __init__(self, name: str, scale: float) -> None:
            self.load = lambda: told(name, scale)

    saved = identity_of(told("celsius", 1.0))
    assert trained_on(Data("celsius", 1 + 1e-12), "data", saved).conditions[0].name == "celsius"
    assert not caplog.records
    assert trained_on(Data("warmth", 1.0), "data", saved).conditions[0].name == "celsius"
    assert caplog.messages == [
        "dataset=data: has conditions warmth (1.5 ± 1.118), and had conditions celsius (1.5 ± 1.118), as they go on "
        "being called"
    ]
    with pytest.raises(UserError, match=r"labels are not those .*: now conditions celsius \(2.7 ± .*, then .*1.5"):
        trained_on(Data("celsius", 1.8), "data", saved)


@pytest.mark.parametrize(
    ("labels", "conditions", "line"),
    [
        (np.zeros((4, 2), np.float64), 2, "must be float32"),
        (np.zeros((4, 2), np.float32), 1, "must be float32"),
        (np.zeros((3, 2), np.float32), 2, "must be float32"),
        (np.full((4, 1), np.nan, np.float32), 1, "not finite"),
        (None, 1, "must be float32"),
        (np.zeros(4, np.int64), 1, "must be float32"),
    ],
)
def test_conditions_that_do_not_fit_their_labels_are_refused(labels, conditions, line):
    with pytest.raises(ValueError, match=line):
        Samples(np.zeros((4, 2), np.float32), labels, conditions=(Condition("x"),) * conditions)


def test_titles_say_what_tells_one_column_from_another():
    columns = (Condition("a:b", "number", 50.0, 10.0), Condition("red", "attribute"), Condition("big", "attribute"))
    known = Conditions(columns, np.zeros((2, 3), np.float32))
    assert known.titles([[0, 1, 0], [0, 0, 1]]) == ["red", "big"]
    assert known.titles([[0, 1, 0], [1.5, 1, 1]]) == ["a:b\n50", "a:b\n65\nbig"]
    assert known.titles([[0, 1, 0], [0, 1, 1]]) == ["a:b\n50\nred", "a:b\n50\nred\nbig"]  # the first has no more
    assert known.titles([[0, 1, 0]]) == ["a:b\n50\nred"]
    assert known.titles([]) == []
    alike = Conditions((Condition("a", "number"), Condition("a:b", "attribute")), np.zeros((2, 2), np.float32))
    assert alike.titles([[1, 1], [2, 0]]) == ["a\n1\na:b", "a\n2"]  # the name of an attribute stays whole


def test_numbers_far_from_all_that_was_learnt_are_told():
    columns = (Condition("height", "number", 50.0, 10.0), Condition("red", "attribute"))
    known = Conditions(columns, np.array([[-5, 0], [5, 1]], np.float32))  # 0 to 100
    assert known.beyond([6, 1]) == known.beyond([-5.9, 0]) == []  # 110 and −9
    assert known.beyond([45, 1]) == ["height:500 (the data have 0 to 100)"]
