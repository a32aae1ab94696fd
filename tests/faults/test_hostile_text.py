"""Text that somebody typed or called something: it is a config or one line, moves no cursor, reveals nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
import torch
from conftest import TINY_MLP, TINY_POINTS, metrics_in
from fuzz_configs import FINE
from fuzz_configs import fuzz as fuzz_configs
from fuzz_overrides import SECRET, fuzz
from PIL import Image

from gan_cli.output import sealed
from gan_cli.output.text import printable
from gan_cli.runs import checkpoint

ENVIRONMENT = "${oc.env:…} is for hydra.run.dir, hydra.sweep.dir, resume alone"
TYPED = {
    "L-O=${now:%Y}": "L-O=${now:%Y}: ${now:…} is for the folders of",
    "steps=${loss.name}": "steps=non_saturating: must be a whole number",
    "steps=${oc.env:SECRET}": ENVIRONMENT,
    "dataset.root=${oc.env:SECRET}": ENVIRONMENT,
    "augment=[${oc.env:SECRET}]": ENVIRONMENT,
    "loss=${oc.env:SECRET}": ENVIRONMENT,
    "hydra.job.name=${oc.env:SECRET}": ENVIRONMENT,
    "name=${oc.decode:${oc.env:SECRET}}": "${oc.decode:…} looks nothing up here",
    "name=${oc.${loss.name}:SECRET}": "${${…}:…} looks nothing up here",
    "resume=${oc.env:SECRET}/x": "resume=${oc.env:SECRET}/x: no such file or folder",
    "steps=" + "[" * 900: "has 900 brackets within brackets: 30 at most",
    "steps=" + "{a:" * 300: "brackets within brackets",
    "steps=" + "9" * 5000: "cannot be read",
    "steps=" + "9" * 50_000: "has 50,006 characters",
    "name=\udcff": "is not UTF-8",
    "name=\x1b[31mred": "name=\\x1b[31mred: must be letters",
    "dataset=a\nb": "dataset=a\\nb: ",
    "loss=\u202ehinge": "loss=\\u202ehinge: no such option",
    "--\x1b[2J": "--\\x1b[2J: no such flag",
    "hydra/output=-5.5": "hydra/output=-5.5: ",
    "=t@rue": "overrides are written key=value",
    "prior..size=3": "overrides are written key=value",
    "hydra.callbacks.x._target_=os.system": "names code to run",
    "seed=[range(1,3)]": "stands alone, not within others",
}
SWEPT = {
    "penalty.target=range(0,1000000000)": "has more than 1,000 values",
    "seed=shuffle(range(0,1000000000))": "has more than 1,000 values",
    "optimizer.lr=range(0,1,1e-12)": "has more than 1,000 values",
    "seed=range(1,10,0)": "has no end",
    "seed=range(0,inf)": "has no end",
    "seed=range(nan,1)": "has no end",
    "seed=range(9,1)": "has no values",
    "dataset.modes=${now:%Y}": "${now:…} is for the folders of",
    "name=${oc.env:SECRET}": ENVIRONMENT,
    "penalty.target=range(0,40)": "(and so 37 more values of penalty.target)",
}


def shows_nothing(text: str) -> bool:
    return SECRET not in text and text.replace("\n", "").isprintable()


@pytest.mark.parametrize(("word", "message"), TYPED.items(), ids=[ascii(word)[:40] for word in TYPED])
def test_what_is_typed_is_one_line_that_shows_no_more_than_was_typed(gan_train, monkeypatch, word, message):
    monkeypatch.setenv("SECRET", SECRET)
    for also in (["dry_run=true"], ["--cfg", "all", "--resolve"]):
        result = gan_train(word, *also)
        if also[0] == "dry_run=true":
            assert (result.code, len(result.err.splitlines()), len(result.errors)) == (2, 1, 1), result.err
            assert message in result.err
        assert shows_nothing(result.out + result.err)
    assert not list(Path().iterdir())


@pytest.mark.parametrize(("word", "message"), SWEPT.items(), ids=SWEPT)
def test_a_sweep_is_bounded_before_it_is_laid_out(gan_train, monkeypatch, word, message):
    monkeypatch.setenv("SECRET", SECRET)
    result = gan_train("-m", word)
    assert result.code == 2
    assert result.err.splitlines() == result.errors
    assert 1 <= len(result.errors) <= 3
    assert message in result.err
    assert shows_nothing(result.err)


@pytest.mark.parametrize("shows", ["job", "hydra", "all"])
def test_a_config_that_is_shown_turns_no_letters_around(gan_train, shows):
    result = gan_train("+architecture.name=a\u202eb", "--cfg", shows)
    assert result.code == 0
    assert shows_nothing(result.out + result.err)
    assert "a\\u202eb" in result.out


def test_the_runs_of_a_grid_are_counted_together(gan_train):
    result = gan_train("-m", "seed=range(0,100)", "optimizer.lr=range(1,100)")
    assert (result.code, len(result.errors)) == (2, 1)
    assert "are 9,900 runs: 1,000 at most" in result.err


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("dataset/x.yaml", "name: x\nclass: gan_cli.data.densities.Ring\nmodes: ${oc.env:SECRET}\n", ["dataset=x"]),
        ("experiment/x.yaml", "# @package _global_\nname: ${oc.env:SECRET}\n", ["experiment=x"]),
        (
            "experiment/x.yaml",
            "# @package _global_\ndefaults:\n  - override /loss: ${oc.env:SECRET}\n",
            ["experiment=x"],
        ),
        ("experiment/x.yaml", "# @package _global_\nhydra: {job: {name: '${oc.env:SECRET}'}}\n", ["experiment=x"]),
        ("experiment/x.yaml", "# @package _global_\nwatch: ${now:%Y}\n", ["experiment=x"]),
        ("experiment/x.yaml", "a: " + "[" * 3000, ["experiment=x"]),
    ],
)
def test_a_yaml_file_of_ones_own_looks_nothing_up_but_keys(gan_train, monkeypatch, file, text, words):
    monkeypatch.setenv("SECRET", SECRET)
    path = Path("mine", file)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    for also in (["dry_run=true"], ["--cfg", "all", "--resolve"]):
        result = gan_train("--config-dir", "mine", *words, *also)
        assert (result.code, len(result.err.splitlines())) == (2, 1), result.err
        assert shows_nothing(result.out + result.err)


def test_a_checkpoints_config_looks_nothing_up(gan_train, gan_eval, gan_sample, trained, monkeypatch):
    monkeypatch.setenv("SECRET", SECRET)
    shutil.copytree(trained(*TINY_POINTS), "run")
    path = max(Path("run/checkpoints").iterdir())
    state = torch.load(path, weights_only=True)
    for key, value in {"watch": "${oc.env:SECRET}", "figure": "${oc.env:SECRET}", "steps": "${oc.env:SECRET}"}.items():
        checkpoint.save({**state, "config": {**state["config"], key: value}}, path)
        for result in (
            gan_train("resume=run", "optimizer=sgd"),
            gan_train("resume=run", "steps=9", "dry_run=true"),
            gan_sample("checkpoint=run", "n=1"),
            gan_eval("checkpoint=run", "count=4"),
        ):
            assert shows_nothing(result.out + result.err)
            assert result.code in (0, 2)
        assert not any(SECRET.encode() in file.read_bytes() for file in Path("run").rglob("*") if file.is_file())


def test_names_of_folders_move_no_cursor_on_a_screen_or_in_a_log(gan_train):
    names = ("\x1b[31mred", "a\u202eb", "two\nlines")
    for i, name in enumerate(names):
        Path("pictures", name).mkdir(parents=True)
        for j in range(3):
            Image.new("L", (8, 8), 60 * i + j).save(Path("pictures", name, f"{j}.png"))
        Path("pictures", name, "torn\x1b[2J.png").write_bytes(b"torn")
    keys = [key for key in TINY_MLP if "limit" not in key]
    result = gan_train(*keys, "dataset=image_folder", "dataset.path=pictures", "steps=1", "hydra.run.dir=run\x1b[5m")
    assert result.code == 0, result.err
    folder = Path("run\x1b[5m")
    for text in (result.out, result.err, (folder / "train.log").read_text(encoding="utf-8")):
        assert shows_nothing(text)
    assert "\\x1b[31mred" in result.err
    assert "torn\\x1b[2J.png" in result.err
    assert json.loads((folder / "status.json").read_text())["classes"] == sorted(map(printable, names))
    assert len(metrics_in(folder)) == 1


@pytest.mark.parametrize("name", ["pics\u00a0a", "a\u3000b", "zero\u200dwidth", "tab\tbed", "two\nlines", "\x1b[5mred"])
def test_a_checkpoint_of_any_path_is_read_again(gan_train, gan_sample, name):
    Path(name, "kind").mkdir(parents=True)
    for j in range(8):
        Image.new("L", (8, 8), 20 * j).save(Path(name, "kind", f"{j}.png"))
    keys = [key for key in TINY_MLP if "limit" not in key]
    begun = gan_train(*keys, "dataset=image_folder", f"dataset.path='{name}'", "steps=1", "hydra.run.dir=run")
    gone_on = gan_train("resume=run", "steps=2")
    drawn = gan_sample("checkpoint=run", "n=2")
    shown = gan_train("resume=run", "steps=3", "dry_run=full")
    for result in (begun, gone_on, drawn, shown):
        assert result.code == 0, result.err
        assert shows_nothing(result.out + result.err)


def test_a_path_that_looks_like_a_reference_is_refused_before_a_folder_is_made(gan_train):
    result = gan_train(*TINY_MLP, "dataset=image_folder", "dataset.path='a\\${b}'", "steps=1")
    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert "dataset.path=a${b}: holds ${" in result.err
    assert not list(Path().iterdir())


def test_nothing_is_trained_whose_checkpoints_could_not_be_read_again(gan_train, monkeypatch):
    monkeypatch.setattr(sealed, "LONGEST", 4)
    result = gan_train(*TINY_MLP, "steps=1", "hydra.run.dir=run")
    assert (result.code, len(result.errors)) == (2, 1)
    assert "checkpoints of this run could not be read again" in result.err
    assert not Path("run").exists()


def test_the_columns_of_a_wide_table_are_read_again():
    wide = {"fields": [{"at": [0.5] * 257, "low": [0.5] * 257, "high": [0.5] * 257} for _ in range(2000)]}
    assert sealed.plain(wide) == wide
    with pytest.raises(sealed.Damaged, match="more than 10,000,000 numbers in lists"):
        sealed.plain([[0.5] * 257] * 40_000)


def test_random_commands_are_configs_or_lines(monkeypatch):
    told: list[str] = []
    counts = fuzz(120, 16, told.append)
    assert not told
    assert counts == Counter({how: counts[how] for how in ("accepted", "refused in a line")})
    assert counts["accepted"] > 0
    assert SECRET not in os.environ.values()


def test_random_configs_train_or_say_why_not():
    """Of 12; ``fuzz_configs.py`` trains as many as one likes."""
    told: list[str] = []
    counts = fuzz_configs(12, 4, told.append)
    assert not told
    assert set(counts) <= set(FINE)
    assert counts["trains"] > 1
