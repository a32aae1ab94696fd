"""Rows of tables: columns by name and in their units, from the file to ``gan-sample format=csv``."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import config_of, state_in

import gan_cli
from gan_cli.config.library import Library
from gan_cli.data.coding import decoded, encoded, in_units, named, number_column
from gan_cli.data.rows import of_split
from gan_cli.data.samples import Samples
from gan_cli.data.spreading import hashes_of_rows, spread
from gan_cli.errors import UserError
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.extractors.pixels import Pixels
from gan_cli.metrics.marginals import Marginals
from gan_cli.models.choices import ALONE, Choices

TINY = (
    *("experiment=table", "steps=3", "batch_size=16", "discriminator.steps=1", "prior.size=4", "sample_count=4"),
    *("architecture.generator.hidden=[8]", "architecture.discriminator.hidden=[8]", "metrics=[]", "log_every=1"),
)


def people(path: str = "people.csv", count: int = 200, **cells: list[str]) -> Path:
    """A table of whole numbers, numbers of two decimals, categories, dates and texts."""
    draws = np.random.default_rng(0)
    z = draws.standard_normal(count)
    table = {
        "id": [f"person {i}" for i in range(count)],
        "age": [str(round(40 + 10 * x)) for x in z],
        "income": [f"{np.exp(7 + 0.5 * x):.2f}" for x in z + draws.standard_normal(count)],
        "born": [f"19{i % 90 + 10}-02-03" for i in range(count)],
        "city": [["Bern", "Genf", "São Paulo, north"][i % 3] for i in range(count)],
        **cells,
    }
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
    return Path(path)


def table_of(*keys: str):
    return Library().build("dataset", config_of("experiment=table", "dataset.path=people.csv", *keys).dataset)


def cells_in(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- numbers and back ------------------------------------------------------------
@pytest.mark.parametrize("ranked", [True, False], ids=["ranks", "standard"])
def test_every_number_comes_back_as_it_was(ranked):
    draws = np.random.default_rng(0)
    for x, decimals in (
        (draws.integers(0, 5, 300).astype(float), 0),
        (np.round(np.exp(draws.standard_normal(3000)), 2), 2),
        (np.where(draws.random(3000) < 0.6, 0.0, draws.normal(50, 1, 3000)), None),
        (np.where(draws.random(300) < 0.2, np.nan, draws.standard_normal(300)), None),
    ):
        column = number_column("x", x, decimals, ranked)
        stored = encoded([column], {"x": x}, np.random.default_rng(1))
        assert stored.shape == (len(x), 3 if np.isnan(x).any() else 1)
        back = decoded((column,), stored)["x"]
        assert (np.isnan(back) == np.isnan(x)).all()
        there = ~np.isnan(x)
        inside = there & (x > np.nanquantile(x, 0.002)) & (x < np.nanquantile(x, 0.998))  # ranks end there
        assert np.abs(back - x)[inside].max() < 2e-3 * np.nanstd(x)
        if ranked:  # whatever the distribution was, networks see a normal one
            seen = np.sort(stored[there, 0].astype(float))
            from scipy.stats import kstest

            assert kstest(seen, "norm").statistic < 0.05
            assert np.nanmin(x) <= np.nanmin(back) <= np.nanmax(back) <= np.nanmax(x)


def test_what_is_rounded_to_0_is_0_and_not_minus_0():
    for decimals in (0, 2):
        column = number_column("x", np.array([-0.5, 0.5]), decimals, ranked=False)
        assert not np.signbit(in_units(column, np.array([-1e-6, 0.0]))).any()


@pytest.mark.parametrize("huge", [1e20, -(2.0**63), 7.0])
def test_whole_numbers_that_no_integer_holds_stay_what_they_are(huge, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    from gan_cli.commands.sampling.values import write_parquet

    column = number_column("x", np.array([3.0, huge]), 0, ranked=True)
    stored = encoded([column], {"x": np.array([3.0, huge])}, np.random.default_rng(0))
    assert named((column,), stored)["x"].tolist() == [3, huge]
    write_parquet(tmp_path / "x.parquet", {"x": (column, np.array([3.0, huge, np.nan]))})
    assert parquet.read_table(tmp_path / "x.parquet")["x"].to_pylist() == [3, huge, None]


def test_splits_and_limits_are_those_of_folders():
    assert of_split(25, "test").tolist() == [9, 19]
    assert sorted([*of_split(25, "train"), *of_split(25, "test")]) == list(range(25))

    def drawn(labels, limit):
        return spread(hashes_of_rows(np.arange(len(labels))), labels, limit)

    labels = np.repeat([0, 1], [900, 100])
    few = drawn(labels, 50)
    assert np.bincount(labels[few]).tolist() == [45, 5]
    more = drawn(np.append(labels, 1), 50)
    assert len(set(few) - set(more)) <= 2
    assert spread(hashes_of_rows(np.arange(5)), None, 0).tolist() == [0, 1, 2, 3, 4]
    labels = np.random.default_rng(0).integers(0, 40, 500)
    every = [np.count_nonzero(labels[drawn(labels, n)] == 7) for n in (40, 80)]
    assert every == [1, 2]  # of each class its share


# --- files ------------------------------------------------------------
def test_a_table_says_what_its_columns_are(caplog):
    caplog.set_level("INFO")
    gaps = ["" if i % 4 == 0 else str(i % 7) for i in range(200)]
    people(score=gaps)
    samples = table_of().load()
    assert samples.values.shape == (180, 1 + 1 + 3 + 3)
    said = caplog.messages[-1]
    assert "180 of 200 rows; numbers: age, income, score; categories: city" in said
    assert "left out: id (200 different texts), born (dates or times)" in said
    assert "no value: score in 50: which is a value of its own" in said
    assert len(table_of("dataset.missing=drop", "dataset.split=all").load()) == 150
    assert len(table_of().held_out()) == 20
    assert {c.name: c.decimals for c in samples.fields if c.kind == "number"} == {"age": 0, "income": 2, "score": 0}
    only = table_of("dataset.columns=[age,city]", "dataset.categories=[age]", "dataset.most_values=200").load()
    assert [column.kind for column in only.fields] == ["category", "category"]


def test_commas_of_other_countries_are_numbers():
    Path("people.csv").write_text("a;b\n1,5;x\n2,25;y\n3;x\n" * 1 + "4,125;y\n" * 20, encoding="utf-8")
    samples = table_of("dataset.split=all").load()
    assert [(column.name, column.kind, column.decimals) for column in samples.fields] == [
        ("a", "number", 3),
        ("b", "category", None),
    ]


CODES = ["01234", "1234", "00501", "12345678901234567", "12345678901234568"]


@pytest.mark.parametrize("key", ["dataset.categories=[zip]", "dataset.label=zip"])
def test_codes_that_are_numbers_are_the_categories_that_are_written(key):
    people(zip=[CODES[i % 5] for i in range(200)])
    fields = table_of(key).load().fields
    assert fields[-1].values == ["00501", "01234", "1234", *CODES[3:]]
    Path("people.csv").write_text("zip;age\n" + "1,50;3\n2,5;4\n" * 20)
    assert table_of(key).load().fields[0].values == ["1.50", "2.5"]
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    codes = [None if i % 5 == 0 else int(CODES[i % 5]) for i in range(200)]
    parquet.write_table(arrow.table({"age": list(range(200)), "zip": codes}), "x.parquet")
    found = table_of(key, "dataset.path=x.parquet").load().fields[-1].values
    assert [value for value in found if value] == ["501", "1234", *CODES[3:]]


def test_a_run_whose_codes_had_lost_their_zeros_goes_on(gan_train):
    """As they had in earlier versions, which wrote the numbers anew."""
    people(zip=[[CODES[0], CODES[2], CODES[3]][i % 3] for i in range(200)])
    keys = (*TINY, "dataset.path=people.csv", "dataset.columns=[age,zip]", "dataset.categories=[zip]")
    assert gan_train(*keys, "hydra.run.dir=run").code == 0
    path = max(Path("run/checkpoints").glob("step-*.pt"))
    state = torch.load(path, weights_only=True)
    assert state["data"]["fields"][1]["values"] == ["00501", "01234", CODES[3]]
    state["data"]["fields"][1]["values"][:2] = ["501", "1234"]
    torch.save(state, path)
    assert gan_train("resume=run", "steps=5").code == 0
    assert state_in(Path("run"))["data"]["fields"][1]["values"] == ["501", "1234", CODES[3]]
    people(zip=[[CODES[0], "9", CODES[3]][i % 3] for i in range(200)])
    assert "its columns are not those" in gan_train("resume=run", "steps=6").err


BAD = {
    "empty": (b"", "holds no rows below a line of names"),
    "names alone": (b"a,b\n", "holds no rows below a line of names"),
    "ragged": (b"a,b\n1,2\n3\n", "line 3 has 1 cells and the first has 2"),
    "no names": (b"1,2\n3,4\n", "its first line is all numbers"),
    "twice": (b"a,a\n1,2\n", "two columns called 'a'"),
    "binary": (b"PK\x03\x04\0\0\0\0\n1\n", "is no text"),
    "latin": (b"a,b\nz\xfcrich,1\n", "is not UTF-8"),
    "endless quote": (b'a,b\n"1,2\n', "cannot be read as CSV near row 2"),
    "huge cell": (b"a,b\n" + b"x" * 200_000 + b",1\n", "field larger than field limit"),
    "infinite": (b"a,b\n1,2\ninf,3\n", "its column a holds numbers that are not finite"),
    "overflow": (b"a,b\n1,2\n1e999,3\n", "its column a holds numbers that are not finite"),
    "texts alone": (
        b"a\n" + b"".join(b"text %d\n" % i for i in range(99)),
        "has no column of numbers or of categories",
    ),
    "hostile name": (b"a\x1b[31m,b\n1,2\n", "a column whose name cannot be shown"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tables_are_answered_in_one_line(case):
    content, said = BAD[case]
    Path("people.csv").write_bytes(content)
    with pytest.raises(UserError) as error:
        table_of().load()
    (line,) = error.value.problems
    assert said in line
    assert line.startswith("dataset.path=people.csv: ")


def test_what_stands_between_cells_is_not_said_of_parquet():
    Path("x.parquet").touch()
    with pytest.raises(UserError, match=r"dataset.delimiter=;: is for CSV, and x.parquet is Parquet: leave it out"):
        table_of("dataset.path=x.parquet", "dataset.delimiter=;").load()


def test_dates_of_nanoseconds_are_left_out_and_refuse_no_table():
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {kind: arrow.array([1, None, 3], kind) for kind in (arrow.timestamp("ns"), arrow.duration("ns"))}
    table = {f"{i}": column for i, column in enumerate(columns.values())} | {"x": [1.0, 2.0, 3.0]}
    parquet.write_table(arrow.table(table), "x.parquet")
    keys = ("experiment=table", "dataset.path=x.parquet", "dataset.split=all")
    samples = Library().build("dataset", config_of(*keys).dataset).load()
    assert [column.name for column in samples.fields] == ["x"]


def test_a_label_of_few_numbers_is_a_class_though_cells_lack_one():
    people(score=["" if i % 21 == 20 else str(i % 21) for i in range(200)])
    assert table_of("dataset.label=score").load().classes == 20


def test_columns_of_parquet_are_those_of_a_csv(caplog):
    import datetime

    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    caplog.set_level("INFO")
    columns = {
        "age": arrow.array([i % 50 for i in range(40)], arrow.int32()),
        "score": arrow.array([None if i % 4 == 0 else float(i % 7) for i in range(40)]),
        "price": arrow.array([i / 7 for i in range(40)]),
        "city": arrow.array(["Bern", "Genf"] * 20).dictionary_encode(),
        "owner": arrow.array([True, None] * 20),
        "born": arrow.array([datetime.date(2000, 1, 1)] * 40),
        "tags": arrow.array([[1, 2]] * 40),
    }
    parquet.write_table(arrow.table(columns), "x.parquet")
    samples = table_of("dataset.path=x.parquet", "dataset.split=all").load()
    assert [(field.name, field.kind, field.decimals, field.gaps) for field in samples.fields] == [
        ("age", "number", 0, False),
        ("score", "number", 0, True),
        ("price", "number", None, False),
        ("city", "category", None, False),
        ("owner", "category", None, False),
    ]
    assert samples.fields[-1].values == ["", "True"]
    assert "born (dates or times), tags (lists or other values that are no cells)" in caplog.messages[-1]
    whole = Path("x.parquet").read_bytes()
    for torn in (whole[:100], whole[:4] + b"x" * 200, whole[:-8] + b"\xff" * 4 + whole[-4:], b""):
        Path("x.parquet").write_bytes(torn)
        with pytest.raises(UserError, match="cannot be read as Parquet"):
            table_of("dataset.path=x.parquet").load()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (("dataset.columns=[agee]",), "dataset.columns=agee: there is no such column (did you mean 'age'?)"),
        (("dataset.columns=[id,age]",), "dataset.columns=id: 200 different texts, which no category and no number is"),
        (("dataset.categories=[id]",), "dataset.categories=id: 200 different texts: use dataset.most_values=200"),
        (("dataset.label=score", "dataset.most_values=2"), "dataset.label=score: 3 different values: use dataset.most"),
        (("dataset.label=born",), "dataset.label=born: dates or times"),
        (("dataset.missing=refuse",), "dataset.missing=refuse: of 200 rows cells have no value: score in 50"),
        (("dataset.leave_out=[age,income,city,score]",), "has no column of numbers or of categories to learn"),
    ],
)
def test_columns_that_are_not_there_are_named(keys, said):
    people(score=["" if i % 4 == 0 else f"{i % 3}" for i in range(200)])
    with pytest.raises(UserError, match="dataset") as error:
        table_of(*keys).load()
    assert said in error.value.problems[0]


def test_keys_that_contradict_each_other(gan_train):
    people()
    for keys, said in (
        (("conditional=true",), "conditional=true: on which column? add dataset.label=COLUMN"),
        (("conditional=false", "dataset.label=city"), "nobody is asked for it with conditional=false"),
        (("architecture=dcgan",), "makes pictures, but dataset=table holds rows of a table: use architecture=mlp"),
        (("augment=[color]",), "is for pictures, and dataset=table holds rows of a table"),
        (("model=made",), "holds points"),
        (
            ("dataset.columns=[age]", "dataset.categories=[income]"),
            "dataset.categories=['income']: income is left out: add it to dataset.columns",
        ),
        (("dataset.leave_out=[age]", "dataset.categories=[age]"), "dataset.categories=['age']: age is left out"),
        (("metrics=[swd]",), "metrics=swd: is for pictures"),
    ):
        result = gan_train("experiment=lecture", "architecture=mlp", "dataset=table", "dataset.path=people.csv", *keys)
        assert result.code == 2
        assert len(result.errors) == 1
        assert said in result.errors[0]
    assert not Path("outputs").exists()


# --- from the file to samples ------------------------------------------------------------
def test_a_table_from_the_file_to_samples(gan_train, gan_sample, gan_eval):
    """Trained, resumed, asked for by a column, sampled as CSV and Parquet, judged, exported; without the data, too."""
    people(score=["NA" if i % 4 == 0 else str(i % 7) for i in range(200)])
    keys = (*TINY, "dataset.path=people.csv", "dataset.label=city", "hydra.run.dir=run")
    assert gan_train(*keys, "dry_run=true").code == 0
    assert gan_train(*keys).code == 0
    assert gan_train("resume=run", "steps=5", "metrics=[marginals]", "evaluate_count=60").code == 0
    records = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    assert any(
        {"metric/ks", "metric/tv", "metric/correlation", "metric/ks_floor"} <= record.keys() for record in records
    )
    result = gan_eval("checkpoint=run", "metrics=[marginals,frechet]", "count=60", "out=found.json")
    assert result.code == 0, result.err
    whole = json.loads(Path("found.json").read_text())
    found = whole["metrics"]
    assert {whole["notes"][name] for name in ("ks", "tv_worst", "correlation_floor")} == {
        "compared with 20 held-out rows"
    }
    assert 0 <= found["ks"] <= found["ks_worst"] <= 1
    assert gan_sample("checkpoint=run", "export=safetensors", "out=made.safetensors").code == 0

    Path("people.csv").unlink()
    for source, out in (("run", "run.csv"), ("made.safetensors", "made.csv")):
        result = gan_sample(f"checkpoint={source}", "format=csv", "n=50", f"out={out}")
        assert result.code == 0, result.err
    assert Path("run.csv").read_bytes() == Path("made.csv").read_bytes()
    rows = cells_in(Path("run.csv"))
    assert [*rows[0]] == ["age", "income", "city", "score"]
    assert all(row["age"].isdigit() for row in rows)
    assert all(len(row["income"].partition(".")[2]) == 2 for row in rows)
    assert {row["score"] for row in rows} <= {"", *"0123456"}
    assert {row["city"] for row in rows} == {"Bern", "Genf", "São Paulo, north"}
    assert gan_sample("checkpoint=run", "format=csv", "n=9", "label=São Paulo, north", "out=one.csv").code == 0
    assert {row["city"] for row in cells_in(Path("one.csv"))} == {"São Paulo, north"}

    parquet = pytest.importorskip("pyarrow.parquet")
    assert gan_sample("checkpoint=run", "format=parquet", "n=50", "out=run.parquet").code == 0
    table = parquet.read_table("run.parquet")
    assert table.column_names == [*rows[0]]
    assert [str(row["age"]) for row in table.to_pylist()] == [row["age"] for row in rows]
    assert [row["score"] is None for row in table.to_pylist()] == [row["score"] == "" for row in rows]
    again = Library().build(
        "dataset", config_of("experiment=table", "dataset.path=run.parquet", "dataset.split=all").dataset
    )
    assert [column.name for column in again.load().fields] == [*rows[0]]

    model = gan_cli.load("run")
    shares = model.sample(20)[:, 2:]  # whether there is a score
    assert (shares.sum(dim=1) - model.sample(20)[:, 2]).allclose(shares[:, 1:].sum(dim=1))
    assert [column.name for column in model.fields] == [*rows[0]]
    cells = model.in_units(model.sample(50), model.labels_of(range(50)))
    assert cells["age"].tolist() == [int(row["age"]) for row in rows]
    assert cells["city"].tolist() == [row["city"] for row in rows]
    assert "city" not in model.in_units(model.sample(50))
    for keys, said in ((("format=wav",), "holds sounds"), (("format=npy",), "this table has categories")):
        assert said in gan_sample("checkpoint=run", *keys).err


def test_rows_are_asked_for_by_a_number(trained, gan_sample):
    people()
    run = trained(*TINY, f"dataset.path={Path('people.csv').absolute()}", "dataset.label=income")
    result = gan_sample(f"checkpoint={run}", "format=csv", "n=30", "label=income:1000..2000", "out=made.csv")
    assert result.code == 0, result.err
    rows = cells_in(Path("made.csv"))
    assert [*rows[0]] == ["age", "income", "city"]
    asked = [float(row["income"]) for row in rows]
    assert min(asked) >= 999.99
    assert max(asked) <= 2000.01
    assert len(set(asked)) > 4


@pytest.mark.parametrize("label", ["city", "price"])
def test_an_array_of_a_table_holds_its_numbers_without_what_is_asked_for(trained, gan_sample, label):
    people(price=[f"{i / 7:.3f}" for i in range(200)])
    keys = (f"dataset.columns=[age,income,{label}]", f"dataset.label={label}")
    run = trained(*TINY, f"dataset.path={Path('people.csv').absolute()}", *keys)
    for form in ("npy", "csv"):
        assert gan_sample(f"checkpoint={run}", f"format={form}", "n=5", f"out=made.{form}").code == 0
    rows = [[float(row["age"]), float(row["income"])] for row in cells_in(Path("made.csv"))]
    np.testing.assert_allclose(np.load("made.npy"), rows, rtol=1e-6)


def test_columns_of_a_checkpoint_are_checked(trained, gan_sample):
    import torch

    people()
    run = trained(*TINY, f"dataset.path={Path('people.csv').absolute()}")
    state = state_in(run)
    path = max((run / "checkpoints").glob("step-*.pt"))
    good = state["data"]["fields"]
    for bad in (good[:-1], [{**good[0], "at": [2.0, 1.0]}, *good[1:]], [{**good[0], "name": "\x1b[2J"}, *good[1:]]):
        torch.save({**state, "data": {**state["data"], "fields": bad}}, path)
        result = gan_sample(f"checkpoint={path}", "format=csv", "out=none.csv")
        assert result.code == 2
        assert not Path("none.csv").exists()


def test_marginals_are_those_of_scipy():
    from scipy.stats import ks_2samp

    from gan_cli.metrics.marginals import correlation_gaps, kolmogorov_smirnov, total_variation

    draws = np.random.default_rng(0)
    x, y = draws.integers(0, 9, 200) / 3, draws.integers(1, 9, 300) / 3
    assert kolmogorov_smirnov(x, y) == pytest.approx(ks_2samp(x, y).statistic)
    assert total_variation(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), 3) == pytest.approx(0.5)
    a, b = draws.standard_normal((2, 400))
    columns = tuple(number_column(name, a, None, True) for name in "ab")
    (gap,) = correlation_gaps(columns, {"a": a, "b": b}, {"a": a, "b": a + b})
    assert gap == pytest.approx(abs(np.corrcoef(a, b)[0, 1] - np.corrcoef(a, a + b)[0, 1]))


def test_a_label_that_nobody_was_asked_for_has_no_correlations():
    """As of ``model=semi_supervised``: its place is empty in samples."""
    draws = np.random.default_rng(0)
    people(count=400, city=[["Bern", "Genf"][int(x)] for x in draws.random(400) < 0.5])
    rows = table_of("dataset.columns=[age,income]", "dataset.label=city", "dataset.split=all").load()
    for labels in (None, np.arange(400) % 10 // 9):
        fake = Samples(rows.values, labels, fields=rows.fields)
        asked = []
        evidence = Evidence(training=rows, real=rows, source=Pixels(), fake=fake)
        evidence.held_out = rows
        evidence.some_samples = lambda samples, count, purpose, asked=asked: asked.append(count) or samples
        found = Marginals()(evidence)
        assert found["correlation_floor"] == 0
        assert (found["correlation"] == 0) is (labels is None)
        assert asked == [400]  # the rows that are compared


def test_without_held_out_rows_nothing_is_called_what_perfect_samples_score():
    people(count=60)
    rows = table_of("dataset.split=all").load()
    evidence = Evidence(training=rows, real=rows, source=Pixels(), fake=rows.take(slice(30)))
    found = Marginals()(evidence)
    assert found["ks"] > 0
    assert not [name for name in found if name.endswith("_floor")]
    assert "for a floor too" in evidence.notes["ks"]


def mixed(count: int, seed: int) -> dict[str, np.ndarray]:
    """A skewed number, one of two modes, two whole ones, one of them mostly 0, and two categories, all correlated."""
    draws = np.random.default_rng(seed)
    z = draws.standard_normal((count, 4)) @ np.array(
        [[1, 0.7, 0.3, 0], [0, 0.7, 0, 0], [0, 0, 0.9, -0.6], [0, 0, 0, 0.8]]
    )
    return {
        "age": np.clip(np.round(42 + 14 * z[:, 0]), 18, 90),
        "income": np.round(np.exp(7.6 + 0.5 * z[:, 1]), 2),
        "height": np.round(np.where(draws.random(count) < 0.5, 165, 182) + 6 * z[:, 2], 1),
        "visits": np.where(draws.random(count) < 0.4, 0, np.round(np.exp(1 + 0.6 * z[:, 3]))),
        "city": np.digitize(z[:, 0] + 0.8 * draws.standard_normal(count), [-0.5, 0.8]),
        "owner": (draws.random(count) < 1 / (1 + np.exp(-2 * z[:, 1]))).astype(int),
    }


@pytest.mark.slow
def test_marginals_and_correlations_of_2000_rows_come_back_within_bounds(tmp_path):
    """After 300 steps, against 20,000 other rows of the same distribution: by SciPy and NumPy alone."""
    from scipy.stats import ks_2samp

    table, other = mixed(2000, 0), mixed(20_000, 1)
    texts = {"city": ["Bern", "Genf", "Basel"], "owner": ["no", "yes"]}
    cells = {n: [texts[n][k] for k in x] if n in texts else [f"{v:g}" for v in x] for n, x in table.items()}
    with Path("people.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[*cells], *zip(*cells.values(), strict=True)])
    run = gan_cli.train("experiment=table", "dataset.path=people.csv", "steps=300", "metrics=[]")
    model = run.load()
    found = model.in_units(model.sample(4000))
    found = {n: np.array([texts[n].index(v) for v in x]) if n in texts else x for n, x in found.items()}
    numbers = [name for name in table if name not in texts]
    distances = {name: ks_2samp(found[name].astype(float), other[name]).statistic for name in numbers}
    assert max(distances.values()) < 0.1, distances
    shares = {name: [np.bincount(t[name]) / len(t[name]) for t in (found, other)] for name in texts}
    assert max(np.abs(p - q).sum() / 2 for p, q in shares.values()) < 0.08, shares
    r, true = (np.corrcoef([t[name] for name in (*numbers, "owner")]) for t in (found, other))
    gaps = np.abs(r - true)[np.triu_indices(5, 1)]
    assert np.abs(true)[np.triu_indices(5, 1)].max() > 0.5
    assert gaps.mean() < 0.08, gaps
    assert gaps.max() < 0.2, gaps


def test_shares_of_categories_are_softmaxes_of_their_features():
    from torch.nn.functional import softmax

    class Same(torch.nn.Module):
        def forward(self, z, labels=None):
            return z

    generator = torch.Generator().manual_seed(0)
    x = 3 * torch.randn(5, 7, generator=generator, dtype=torch.float64)
    made = Choices(Same(), 7)
    assert torch.equal(made(x), x)
    made.choose([ALONE, 0, 0, 0, ALONE, 2, 2])
    again = Choices(Same(), 7)
    again.load_state_dict(made.state_dict())
    logits = 15 * (x / 15).tanh()
    want = torch.cat([x[:, :1], softmax(logits[:, 1:4], 1), x[:, 4:5], softmax(logits[:, 5:], 1)], 1)
    for each in (made, again):
        torch.testing.assert_close(each(x), want)
    extreme = torch.full((2, 7), 1e4, dtype=torch.float64, requires_grad=True)
    made(extreme).sum().backward()
    assert extreme.grad.isfinite().all()
