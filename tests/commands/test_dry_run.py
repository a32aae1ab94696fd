"""What ``dry_run`` says of a run is what the run will be."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from conftest import TINY_MLP, TINY_POINTS, TINY_PROGRESSIVE, config_of, setup_of, state_in
from PIL import Image

from gan_cli.commands.dry_run import command, pace
from gan_cli.config.library import Library
from gan_cli.config.pictures import PICTURES
from gan_cli.data.knows import DATASET
from gan_cli.data.sources import Digits
from gan_cli.games.growing import growth_of
from gan_cli.output.amounts import in_words


def said(result) -> dict[str, str]:
    """Each line of the summary by the word that it begins with; a terminal has broken them."""
    assert result.code == 0, result.err
    words = "data|game|length|time|memory|disk"
    found = re.split(rf"^({words}): ", result.out, flags=re.MULTILINE)[1:]
    return {word: " ".join(line.split()) for word, line in zip(found[::2], found[1::2], strict=True)}


def test_the_whole_config_is_shown_on_request_and_a_resumed_run_says_what_is_left(gan_train):
    assert gan_train(*TINY_POINTS, "steps=3", "ensemble=2", "hydra.run.dir=run").code == 0
    result = gan_train("resume=run/seed-0", "steps=13", "dry_run=full")
    lines = said(result)
    classes = "of 8 classes that no player is told of (conditional=true)"
    assert lines["data"] == f"200 samples of ring, 2, {classes}; 200 held out"
    assert lines["length"] == "10 steps of 8 samples after the first 3: 80 seen, 0.4 epochs"
    assert " steps timed now, " in lines["time"]
    shown = yaml.safe_load(result.out[result.out.index("\nsteps:") :].partition("\ndevice: cpu,")[0])
    assert shown == {**state_in(Path("run/seed-0"))["config"], "steps": 13}
    ensemble = said(gan_train(*TINY_POINTS, "ensemble=2", "dry_run=true", "schedule=linear"))
    assert ensemble["time"].startswith("about ")
    assert gan_train("-m", "seed=1,2", "dry_run=full").errors == [
        "gan-train: error: dry_run=full: shows one run: leave out --multirun"
    ]
    assert gan_train("dry_run=yes").errors == ["gan-train: error: dry_run=yes: must be one of true, false or 'full'"]


def test_the_disk_is_that_of_the_run_folder(gan_train, monkeypatch):
    Path("small").mkdir()
    sizes = {Path("small").absolute(): 2**14}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=sizes.get(Path(path), 2**40)))
    keys = (*TINY_POINTS, "keep_checkpoints=9", "dry_run=true")
    assert "; 1,024 GiB are free there" in said(gan_train(*keys))["disk"]
    result = gan_train(*keys, "hydra.run.dir=small/a/run")
    assert (result.code, len(result.errors)) == (2, 1)
    assert "do not fit on the disk of small/a/run, where 16 KiB are free" in result.errors[0]
    assert "16 KiB are free there" in " ".join(result.out.split())
    assert not list(Path("small").iterdir())


def test_what_does_not_fit_is_refused(gan_train, monkeypatch):
    monkeypatch.setattr(command, "available", lambda device: 1e4)
    result = gan_train(*TINY_MLP, "dry_run=true")
    assert result.code == 2
    assert re.fullmatch(
        r"gan-train: error: batch_size=8: training takes about \S+ [KM]iB at its peak \(measured in a step of 8\), and "
        r"10 KiB are free here: use accumulate=2, .*",
        result.err.strip(),
    ), result.err
    assert "memory: about" in result.out
    assert "time: " not in result.out


@pytest.mark.parametrize("start", [0, 37])
@pytest.mark.parametrize(
    "keys",
    [
        (*TINY_MLP, "penalty=r1", "penalty.r1.interval=4", "batch_size={0:8,200:16}"),
        (*TINY_MLP, "discriminator.steps=2"),
        TINY_PROGRESSIVE,
    ],
)
def test_time_is_that_of_all_steps(keys, start, monkeypatch):
    """Each step takes a millisecond for each sample, thrice as long with a penalty, longer as pictures grow."""
    setup, clock = setup_of(*keys, "steps=97", "device=cpu"), [0.0]
    growth = growth_of(setup.game.networks.values())

    def seconds(step: int, sizes) -> float:
        weight = 3 if setup.config.penalty and step % 4 == 1 else 1
        if growth:
            weight *= growth.at(sizes.images_seen(step - 1)).resolution
        return 0.001 * sizes.at(step) * weight

    def play(setup, steps, *rest):
        clock[0] += sum(seconds(step, setup.batch_sizes) for step in steps)

    monkeypatch.setattr(pace, "play", play)
    monkeypatch.setattr(pace.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(pace, "_drawing", lambda setup, start: 0.0)
    whole = sum(seconds(step, setup.batch_sizes) for step in range(start + 1, 98))
    found = pace.pace_of(setup, start, 16)
    assert found.steps == pytest.approx(whole, rel=1e-9)
    assert found.count == 97 - start
    assert pace.pace_of(setup, start, 4).steps == pytest.approx(whole, rel=0.05)  # in a few samples, carried on
    monkeypatch.setattr(pace, "PLACES", 24)
    assert pace.pace_of(setup, start, 16).steps == pytest.approx(whole, rel=0.25)


def test_samples_are_counted_before_they_are_read(gan_train):
    for split, count in PICTURES["digits"].items():
        digits = Digits(size=28, channels=1, limit=0, flip=False, split=split)
        assert digits.count() == len(digits.load()) == count
    for i in range(23):
        Path(f"some/{'ab'[i % 2]}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), i, np.uint8)).save(f"some/{'ab'[i % 2]}/{i:02}.png")
    folder = ("dataset=image_folder", "dataset.path=some", "dataset.size=8")
    for keys in ((), ("dataset.split=train",), ("dataset.limit=7",), ("dataset.split=train", "dataset.classes=[b]")):
        config = config_of(*folder, *keys)
        dataset = Library().build(DATASET, config.dataset)
        assert dataset.count() == len(dataset.load())
        held_out = dataset.held_out()
        assert dataset.held_out_count() == (len(held_out) if held_out else 0)


def test_numbers_are_told_as_an_estimate_has_them():
    told = {
        0.2: "1 second",
        59.6: "60 seconds",
        119: "119 seconds",
        120: "2.0 minutes",
        700: "12 minutes",
        7100: "118 minutes",
        7300: "2.0 hours",
        40_000: "11 hours",
        300_000: "3.5 days",
    }
    assert {seconds: in_words(seconds) for seconds in told} == told


def test_too_few_samples_for_a_metric_are_refused_as_the_run_refuses_them(gan_train):
    few = (*TINY_MLP, "metrics=frechet", "extractor=pixels", "steps=2")  # 64 samples of 64 pixels
    dry, real = (gan_train(*few, f"dry_run={value}") for value in ("true", "false"))
    assert (dry.code, dry.err) == (2, real.err)
    assert "needs 65 real and as many generated samples, and there are 64" in dry.err


@pytest.mark.parametrize("columns", ["smile,age", "age", "hat,smile"])
def test_conditions_beside_pictures_are_known_before_these_are_read(gan_train, unmeasured, columns):
    Path("faces").mkdir()
    values = {"smile": lambda i: i % 2, "hat": lambda i: i // 2 % 2, "age": lambda i: 20.5 + i}
    rows = [",".join([f"{i}.png", *(str(values[name](i)) for name in columns.split(","))]) for i in range(12)]
    Path("faces/labels.csv").write_text("\n".join([f"file,{columns}", *rows]))
    for i in range(12):
        Image.fromarray(np.full((8, 8), 20 * i, np.uint8)).save(f"faces/{i}.png")
    own = ("dataset=image_folder", "dataset.path=faces", "dataset.limit=0", "conditional=true", "dry_run=true")
    result = gan_train(*TINY_MLP, *own)
    assert result.code == 0, result.err
    asked = columns.count(",") + 1
    assert said(result)["data"].startswith(f"12 samples of image_folder, 3×8×8, with {asked} condition")


@pytest.mark.parametrize(("labels", "asked"), [("[Smiling,Eyeglasses]", 2), ("all", 40), ("none", 0)])
def test_attributes_that_are_asked_for_are_known_before_pictures_are_read(labels, asked):
    config = config_of(*TINY_MLP[:4], "dataset=celeba", "dataset.size=8", f"dataset.labels={labels}")
    samples = command._blank(Library().build(DATASET, config.dataset), 0)
    assert samples.columns == asked


def test_what_is_left_out_is_told_before_pictures_are_read(gan_train, unmeasured):
    Path("pics").mkdir()
    for i in range(12):
        Image.fromarray(np.full((8, 8), 20 * i, np.uint8)).save(f"pics/{i}.png")
    Path("pics/notes.txt").write_text("no picture")
    Path("pics/labels.csv").write_text("\n".join(["file,age", *(f"{i}.png,{i / 2}" for i in range(10))]))
    own = ("dataset=image_folder", "dataset.path=pics", "dataset.limit=0", "conditional=true", "dry_run=true")
    out = " ".join(gan_train(*TINY_MLP, *own).out.split())
    assert "pics: left aside: 1 other file (notes.txt)" in out
    assert "pics: its labels: 2 of 12 pictures" in out
    assert "pics: no picture has been opened yet: one that cannot be read will be left out" in out
    assert "data: 10 samples" in out
