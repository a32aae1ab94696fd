"""``gan-report``: what it says is what the runs say, in one file that needs nothing else."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from pathlib import Path
from statistics import fmean, stdev
from urllib.parse import unquote

import numpy as np
import pytest
import torch
from conftest import TINY_POINTS, Result, metrics_in
from PIL import Image

from gan_cli import cli
from gan_cli.commands.report.collect import RunRecord, collect, grouped
from gan_cli.commands.report.command import main
from gan_cli.commands.report.facts import chosen, curves
from gan_cli.commands.report.logged import Logged
from gan_cli.commands.report.page import as_html
from gan_cli.commands.report.tables import low_is_better
from gan_cli.runs import records
from gan_cli.runs.folder import RunFolder
from gan_cli.runs.records import record_of
from gan_cli.version import __version__


def content_of(page: str) -> dict:
    (data,) = re.findall(r'<script type="application/json" id="data">(.*)</script>', page)
    return json.loads(data)


SWEEP = ("-m", *TINY_POINTS, "steps=6", "sample_every=2", "log_every=2", "loss=minimax,hinge", "seed=0,1", "name=games")


@pytest.fixture
def gan_report(capfd):
    """Runs ``gan-report`` in this process, in the current folder."""

    def call(*arguments: str) -> Result:
        capfd.readouterr()
        code = cli._exit_code(lambda: main(arguments), "gan-report")
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return call


def test_the_page_needs_nothing_else_and_holds_what_the_runs_hold(gan_train, gan_report):
    assert gan_train(*SWEEP).code == 0
    result = gan_report("outputs/sweeps/games")
    assert result.code == 0, result.err
    page = Path("outputs/sweeps/games/report.html").read_text()
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:)""", page)
    assert set(re.findall(r"https?://[\w./]+", page)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    content = content_of(page)
    assert content["keys"] == ["loss", "seed"]
    names = [f"loss-{loss}_seed-{seed}" for loss in ("hinge", "minimax") for seed in (0, 1)]
    assert [run["name"] for run in content["runs"]] == names
    assert content["swept"] == ["loss", "seed"]
    assert len(content["reals"]) == 1  # whatever the seed
    for run in content["runs"]:
        assert run["real"] == 0
        clock = {key: run["clock"][key][1] for key in ("images", "seconds")}
        folder = Path("outputs/sweeps/games") / run["name"]
        assert (Path("outputs/sweeps/games") / unquote(run["link"])).is_dir()
        records = metrics_in(folder)
        steps, values = run["curves"]["loss/generator"]
        assert steps == [2, 4, 6]
        assert clock["images"] == [16, 32, 48]
        assert clock["seconds"] == pytest.approx([r["seconds"] for r in metrics_in(folder, clock=True)], abs=0.006)
        assert values == pytest.approx([record["loss/generator"] for record in records], rel=1e-4)
        assert list(run["grids"]) == ["2", "4", "6"]
        (command,) = run["commands"]
        assert command.startswith("gan-train ")
        assert f"loss={run['settings']['loss']}" in command
        assert run["environment"]["torch"] == torch.__version__


def test_training_samples_stand_once_for_each_data_set_and_filters_are_of_what_was_typed(tmp_path):
    for i, (data, seed) in enumerate([("ring", 0), ("grid", 0), ("ring", 1), ("lost", 0), ("ring", 0)]):
        folder = tmp_path / f"run-{i}"
        for part in ("samples", ".hydra"):
            (folder / part).mkdir(parents=True)
        config = {"seed": seed, "dataset": {"name": data, "size": len(data)}, "new": int(i == 4)}
        (folder / "status.json").write_text(json.dumps({"status": "finished", "config": config}))
        (folder / ".hydra/overrides.yaml").write_text(f"- dataset={data}\n- seed={seed}\n")
        if data != "lost":
            Image.new("L", (8, 8), 50 * i).save(folder / "samples/real.png")
    content = content_of(as_html(collect([str(tmp_path)]), tmp_path))
    assert [run["real"] for run in content["runs"]] == [0, 1, 0, None, 0]
    assert len(content["reals"]) == 2
    assert content["keys"] == ["dataset", "seed", "new"]
    assert content["swept"] == ["dataset", "seed"]


def test_it_says_which_data_runs_are_of_where_a_preset_chose_them(tmp_path):
    for name, data in {"a": {"name": "ring"}, "b": {"name": "image_folder", "path": "~/cats"}}.items():
        (tmp_path / name / ".hydra").mkdir(parents=True)
        config = {"seed": 0, "steps": 10 + len(data), "dataset": data}
        (tmp_path / name / "status.json").write_text(json.dumps({"status": "finished", "config": config}))
        (tmp_path / name / ".hydra/overrides.yaml").write_text(f"- experiment={name}\n- steps={10 + len(data)}\n")
    content = content_of(as_html(collect([str(tmp_path)]), tmp_path))
    assert content["keys"] == ["dataset", "dataset.path", "steps"]


def left(folder: Path, config: dict, typed: tuple[str, ...] = (), lines: tuple[dict, ...] = (), **facts) -> None:
    """Leaves in a folder what a finished run does."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / "status.json").write_text(json.dumps({"status": "finished", "config": config, **facts}))
    (folder / ".hydra/overrides.yaml").write_text(json.dumps(typed))
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def test_each_metric_says_which_way_its_values_are_better(gan_train):
    keys = ("metrics=[divergence,precision_recall,sliced_wasserstein]", "watch=recall", "steps=2", "evaluate_count=50")
    assert gan_train(*TINY_POINTS, *keys, "hydra.run.dir=run").code == 0
    status = json.loads(Path("run/status.json").read_text())
    low, high = ("jsd", "log_density_gap", "sliced_wasserstein"), ("precision", "recall")
    assert status["better"] == dict.fromkeys(low, "low") | dict.fromkeys(high, "high")
    assert status["best"]["better"] == "high"
    low = low_is_better(collect(["run"]))
    assert {"jsd", "sliced_wasserstein", "loss/generator", "seconds"} <= {*low}
    assert not {"best recall", "recall", "precision", "images_per_second"} & {*low}


@pytest.mark.parametrize("of_before", [False, True])
def test_the_report_takes_less_for_better_where_it_is(tmp_path, of_before):
    low = ("swd", "reconstruction", "errors", "error_rate", "errors_now", "ks", "ks_worst", "tv", "tv_worst", "mode_kl")
    low += ("correlation", "frechet", "frechet_by_label", "kernel", "jsd", "jsd_bound", "log_density_gap", "two_sample")
    low += ("conditional_jsd", "conditional_kl", "copied", "bits_per_dim", "label_error/angle")
    high = ("nats", "parzen", "modes", "high_quality", "recall", "coverage", "label_agreement", "inception_score")
    parts = {"swd/16": True, "reconstruction/training": True, "nats/training": False, "label_agreement/a": False}
    values = {f"metric/{key}": 1.0 for key in (*low, *high, *parts)}
    said = {} if of_before else {"better": dict.fromkeys(low, "low") | dict.fromkeys(high, "high")}
    left(tmp_path / "run", {"seed": 0}, lines=({"step": 1, **values},), **said)
    assert {*low_is_better(collect([str(tmp_path)]))} == {*low, *(key for key, less in parts.items() if less)}


def test_what_a_metric_of_ones_own_says_of_its_values_wins(tmp_path):
    left(tmp_path / "run", {"seed": 0}, lines=({"step": 1, "metric/distance": 1.0},), better={"distance": "high"})
    assert low_is_better(collect([str(tmp_path)])) == []


@pytest.mark.parametrize(
    ("key", "typed"),
    [("discriminator.steps", "discriminator.steps={0}"), ("batch_size", "experiment=own{0}")],
    ids=["typed", "by a preset"],
)
def test_the_seed_stands_for_no_other_key(tmp_path, key, typed):
    group, _, name = key.partition(".")
    for value in (1, 2):
        config = {"seed": value, "dataset": {"name": "ring"}, group: {name: value} if name else value}
        left(tmp_path / f"run-{value}", config, (typed.format(value), f"seed={value}"))
    runs = collect([str(tmp_path)])
    assert {*content_of(as_html(runs, tmp_path))["keys"]} == {key, "seed"}
    assert [group.settings for group in grouped(runs)] == [{key: 1}, {key: 2}]


def test_runs_of_other_settings_are_not_averaged_beside_what_was_published(tmp_path):
    figure = {"result": "modes", "model": "A", "value": 8, "source": "B"}
    for loss, modes in (("minimax", 1), ("hinge", 8)):
        for seed in (0, 1):
            config = {"seed": seed, "dataset": {"name": "ring"}, "loss": {"name": loss}, "published": [figure]}
            found = {"modes": modes, "of_modes": 8, "high_quality": 1.0}
            left(tmp_path / f"{loss}-{seed}", config, (f"loss={loss}", f"seed={seed}"), **found)
    rows = content_of(as_html(collect([str(tmp_path)]), tmp_path))["published"]
    assert [(row["of"], row["here"], row["runs"]) for row in rows] == [
        ("loss=hinge", "8 ± 0", 2),
        ("loss=minimax", "1 ± 0", 2),
    ]


def test_it_says_its_version(gan_report):
    result = gan_report("--version")
    assert (result.code, result.out) == (0, f"gan-report {__version__}\n")


def test_a_file_is_read_on_from_where_it_ended_and_anew_when_it_is_another(tmp_path, monkeypatch):
    read: list[bytes] = []
    monkeypatch.setattr(records, "record_of", lambda line: read.append(line) or record_of(line))
    file = tmp_path / "metrics.jsonl"

    def added(text: str) -> list[int]:
        with file.open("a") as lines:
            lines.write(text)
        return [record["step"] for record in reader.more(file)]

    reader = records.Reader()
    assert added('{"step": 1}\n{"step": 2}\n{"st') == [1, 2]
    assert added('ep": 3}') == [3]
    assert added("\n") == []
    assert added('junk\n{"step": 4}\n') == [4]
    assert (reader.lost, reader.anew) == (1, False)
    assert read.count(b'{"step": 1}\n') == 1
    file.write_text('{"step": 1}\n{"step": 9}\n')  # gone back, and as long
    assert added('{"step": 10}\n') == [1, 9, 10]
    assert (reader.lost, reader.anew) == (0, True)
    file.write_text("")
    assert added('{"step": 7}\n') == [7]


def test_tables_have_every_run_or_the_mean_and_spread_over_seeds(gan_train, gan_report):
    assert gan_train(*SWEEP).code == 0
    rows = list(csv.DictReader(io.StringIO(gan_report("outputs", "--format", "csv").out)))
    assert [(row["loss"], row["seed"], row["status"]) for row in rows] == [
        (loss, seed, "finished") for loss in ("hinge", "minimax") for seed in ("0", "1")
    ]
    wanted = [float(row["loss/generator"]) for row in rows if row["loss"] == "minimax"]
    table = gan_report("outputs", "--format", "md").out
    (line,) = [line for line in table.splitlines() if line.startswith("| minimax | 2 |")]
    assert f"{fmean(wanted):.4g} ± {stdev(wanted):.2g}" in line
    assert gan_report("outputs", "--format", "json", "--out", "all.json").code == 0
    assert len(json.loads(Path("all.json").read_text())) == 4


OWN = {
    "experiment/mine.yaml": "defaults:\n  - override /dataset: ring\n  - override /architecture: mlp\nsteps: 3\n",
    "sweep/two.yaml": "defaults:\n  - override /experiment: mine\nname: two\nsample_count: 2\n"
    "hydra:\n  sweeper:\n    params:\n      loss: hinge,minimax\n",
}


@pytest.fixture
def own_options(tmp_path) -> Path:
    """A folder of own options: an experiment, and a sweep that is laid over it."""
    for name, text in OWN.items():
        (tmp_path / "own" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "own" / name).write_text(f"# @package _global_\n{text}")
    return tmp_path / "own"


def test_the_command_of_a_sweeps_run_trains_it_again(gan_train, gan_report, own_options):
    small = ("dataset.points=50", "batch_size=8", "evaluate_count=20", "evaluate_every=0")
    watched = ("metrics=sliced_wasserstein", "watch=sliced_wasserstein", "sweep=two")
    result = gan_train("-m", "--config-dir", "own", *small, *watched)
    assert result.code == 0, result.err
    found = {row["run"]: row for row in json.loads(gan_report("outputs/sweeps/two", "--format", "json").out)}
    best = min(found, key=lambda name: found[name]["results"]["best sliced_wasserstein"])
    shown = result.err.partition("again: ")[2].splitlines()[0]
    for name, command in (("loss-hinge", found["loss-hinge"]["commands"][0]), (best, shown)):
        assert command.startswith(f"gan-train -m --config-dir {own_options} ")
        assert gan_train(*shlex.split(command)[1:]).code == 0
        (folder,) = Path("outputs/sweeps", command.partition(" name=")[2].split()[0]).glob("*/")
        status = json.loads((folder / "status.json").read_text())
        assert status["best"] == found[name]["status"]["best"]
        assert status["config"] == found[name]["status"]["config"]


def test_a_command_names_the_folder_of_ones_own_options(gan_train, gan_report, gan_sample, own_options):
    keys = ("--config-dir", "own", "experiment=mine", "dataset.points=50", "batch_size=8", "steps=1", "sample_count=2")
    assert gan_train(*keys, "hydra.run.dir=runs/one").code == 0
    assert gan_train("--config-dir", "own", "resume=runs/one", "steps=2").code == 0
    assert gan_train(*keys, "ensemble=2", "hydra.run.dir=runs/two").code == 0
    one, *two = json.loads(gan_report("runs", "--format", "json").out)
    assert one["commands"][1:] == [f"gan-train --config-dir {own_options} resume=latest steps=2"]
    for row in (one, *two):
        assert row["commands"][0].startswith(f"gan-train --config-dir {own_options} experiment=mine ")
    assert gan_sample("checkpoint=runs/one", "--config-dir", "own", "export=hub", "out=there").code == 0
    assert "gan-train --config-dir own resume=latest steps=2" in Path("there/README.md").read_text().splitlines()


def test_failed_and_diverged_runs_are_on_the_page_with_their_reason(gan_train, gan_report):
    keys = ("optimizer=sgd", "loss=maximum_likelihood", "optimizer.lr=1e-3,1e30,-1", "steps=3", "log_every=1")
    assert gan_train("-m", *TINY_POINTS, *keys, "name=bad").code != 0
    runs = json.loads(gan_report("outputs/sweeps/bad", "--format", "json").out)
    assert {run["status"]["status"] for run in runs} == {"finished", "diverged", "failed"}
    assert gan_report("outputs/sweeps/bad", "--out", "page.html").code == 0
    assert "must be greater than 0" in Path("page.html").read_text()


def test_what_was_typed_at_a_resume_counts(gan_train, gan_report):
    assert gan_train(*TINY_POINTS, "steps=4", "log_every=2", "hydra.run.dir=run").code == 0
    assert gan_train("resume=run", "steps=6", "loss=hinge", "optimizer.lr=1e-3").code == 0
    assert gan_train(*TINY_POINTS, "steps=4", "log_every=2", "hydra.run.dir=other").code == 0
    run, other = json.loads(gan_report("run", "other", "--format", "json").out)
    assert (run["settings"]["loss"], other["settings"]["loss"]) == ("hinge", "non_saturating")
    assert (run["settings"]["steps"], other["settings"]["steps"]) == (6, 4)
    assert run["settings"]["optimizer.lr"] == 1e-3
    assert run["commands"][1:] == ["gan-train resume=latest steps=6 loss=hinge optimizer.lr=1e-3"]


@pytest.mark.parametrize("torn", ["overrides.yaml", "config.yaml"])
def test_a_resumption_that_a_kill_ended_at_its_first_file_leaves_the_run_in_the_report(tmp_path, torn):
    for of_before in (False, True):
        folder, config = tmp_path / f"run-{of_before}", {"seed": 0, "steps": 4, "dataset": {"name": "ring"}}
        left(folder, config, ("steps=4",))
        (folder / ".hydra/config.yaml").write_text(json.dumps(config))
        if of_before:  # whose status does not hold the config
            (folder / "status.json").write_text('{"status": "finished"}')
        (folder / ".hydra/resume-1").mkdir()
        (folder / ".hydra/resume-1" / torn).touch()
        (folder / ".hydra/resume-2").mkdir()
        (folder / ".hydra/resume-2/config.yaml").write_text(json.dumps({**config, "steps": 8}))
        (folder / ".hydra/resume-2/overrides.yaml").write_text('["resume=run", "steps=8"]')
    now, before = collect([str(tmp_path)])
    assert now.commands == before.commands == ["gan-train steps=4", "gan-train resume=latest steps=8"]
    assert before.config["steps"] == 8


def test_a_killed_run_is_told_from_a_running_one_and_a_torn_line_ends_the_curve(gan_train, gan_report):
    assert gan_train("-m", *TINY_POINTS, "steps=4", "log_every=2", "seed=0,1", "name=two").code == 0
    for seed in (0, 1):
        folder = Path(f"outputs/sweeps/two/seed-{seed}")
        status = json.loads((folder / "status.json").read_text())
        (folder / "status.json").write_text(json.dumps({**status, "status": "running", "step": 0, "seconds": 0}))
        with (folder / "metrics.jsonl").open("a") as file:
            file.write('{"step": 4, "seconds": 900.5}\n{"step": 6, "loss/gen')
    Path("outputs/foreign").mkdir()
    Path("outputs/foreign/status.json").write_text('{"of": "another program"}')
    alive = RunFolder(Path("outputs/sweeps/two/seed-1"))
    alive.open()
    try:
        killed, running = json.loads(gan_report("outputs", "--format", "json").out)
    finally:
        alive.close()
    assert (killed["status"]["status"], running["status"]["status"]) == ("killed", "running")
    assert (killed["status"]["step"], running["status"]["step"]) == (4, 4)
    assert (killed["status"]["seconds"], running["results"]["seconds"]) == (900.5, 900.5)
    assert killed["status"]["reason"] == "continue: gan-train resume=outputs/sweeps/two/seed-0"


def test_two_hundred_runs_fit_on_a_page(tmp_path):
    records = [{"step": i, **{f"value/{k}": i / 7 + k for k in range(20)}} for i in range(1, 401)]
    (tmp_path / "samples").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (280, 280), dtype=np.uint8)  # what compresses worst
    for step in range(20, 401, 20):
        Image.fromarray(noise).save(tmp_path / "samples" / f"step-{step:09d}.png")
    (tmp_path / "status.json").write_text('{"status": "finished"}')
    run = RunRecord(tmp_path, "run")
    run.logged.add(records)
    one = as_html([run], tmp_path)
    assert len(content_of(one)["runs"][0]["grids"]) == 12
    many = as_html([run] * 200, tmp_path)
    assert len(many) < 20e6
    assert list(content_of(many)["runs"][0]["grids"])[-1] == "400"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere",), "nowhere: no such folder"),
        ((".",), ".: holds no run"),
        ((), "outputs: no such folder"),
        ((".", "--format", "pdf"), "error: --format: invalid choice: 'pdf'"),
        (("nowhere", "--live"), "nowhere: no such folder"),
        ((".", "--port", "8000"), "--port 8000: is for --live"),
        ((".", "--live", "--port", "65536"), "'65536' is no port"),
        ((".", "--live", "--format", "md"), "--format: is for a file"),
        ((".", "--liv"), "unrecognized arguments: --liv"),
        ((".", "--live", "--out", "a.html"), "--out: is for a file"),
    ],
)
def test_a_mistaken_command_is_told_in_one_line(gan_report, arguments, words):
    result = gan_report(*arguments)
    assert result.code == 2
    (line,) = result.err.splitlines()
    assert line.startswith("gan-report: error: ")
    assert words in line


def test_curves_are_thinned_out_and_keep_their_ends():
    assert chosen(range(1000), 3) == [0, 500, 999]
    assert chosen([1, 2], 3) == [1, 2]
    log = Logged()
    log.add([{"step": i, "loss/generator": None if i == 5 else i / 7} for i in range(1, 2000)])
    long = curves(log)
    steps, values = long["loss/generator"]
    assert len(steps) == len(values) <= 300
    assert (steps[0], steps[-1]) == (1, 1999)


def test_what_became_of_one_run_does_not_take_the_others_with_it(gan_train, gan_report):
    keys = ("steps=4", "log_every=1", "sample_every=2", "seed=0,1,2,3,4", "name=games")
    assert gan_train("-m", *TINY_POINTS, *keys).code == 0
    folders = [Path(f"outputs/sweeps/games/seed-{seed}") for seed in range(5)]
    (folders[0] / "status.json").write_text('{"status": "fin')
    (folders[1] / ".hydra/overrides.yaml").write_text("- [a: {b")
    (folders[2] / "samples/step-000000004.png").write_bytes(b"torn")
    lines = (folders[2] / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (folders[2] / "metrics.jsonl").write_bytes(lines[0] + b'\xff{"st\n' + b"".join(lines[2:]))
    for name in ("step-000000004 (1).png", "step-000000004.sync-conflict.png", "step-x.png"):
        (folders[3] / "samples" / name).write_bytes(b"a copy")
    (folders[3] / ".hydra/resume-1 (1)").mkdir()
    (folders[4] / "status.json").write_text(json.dumps({"status": "finished", "best": {"value": 1}}))
    result = gan_report("outputs/sweeps/games", "--out", "page.html")
    assert result.code == 0, result.err
    runs = {run["name"]: run for run in content_of(Path("page.html").read_text())["runs"]}
    assert runs.keys() == {"seed-1", "seed-2", "seed-3"}
    assert runs["seed-1"]["commands"] == []
    assert list(runs["seed-2"]["grids"]) == ["2"]
    assert list(runs["seed-3"]["grids"]) == ["2", "4"]
    assert runs["seed-2"]["curves"]["loss/generator"][0] == [1, 3, 4]
    told = [line for line in result.err.splitlines() if line.startswith("gan-report: outputs")]
    assert len(told) == 5
    for folder, words in zip(
        folders,
        ("status.json: cannot", "what was typed is not known", "1 line of metrics.jsonl", "", "cannot"),
        strict=True,
    ):
        assert sum(line.startswith(f"gan-report: {folder}") and words in line for line in told) == bool(words)
    assert sum("step-000000004.png: cannot be read: left out" in line for line in told) == 1


@pytest.mark.parametrize("left", ["status", "checkpoint", "nothing"])
def test_runs_without_hydras_files_are_told_apart_by_their_own_config(gan_train, gan_report, left):
    keys = (*TINY_POINTS, "steps=2", "log_every=1", "sample_every=0", "hydra.output_subdir=null")
    for loss in ("minimax", "hinge"):
        assert gan_train(*keys, f"loss={loss}", f"hydra.run.dir=runs/{loss}").code == 0
        status = json.loads(Path(f"runs/{loss}/status.json").read_text())
        assert status["config"]["loss"]["name"] == loss
        if left != "status":  # as versions before this one wrote it
            Path(f"runs/{loss}/status.json").write_text(json.dumps(status | {"config": None}))
        if left == "nothing":
            for path in Path(f"runs/{loss}/checkpoints").iterdir():
                path.unlink()
    rows = json.loads(gan_report("runs", "--format", "json").out)
    assert [row["commands"] for row in rows] == [[], []]  # which are not known
    wanted = [["hinge"], ["minimax"]] if left != "nothing" else [["unknown of hinge"], ["unknown of minimax"]]
    assert [list(row["settings"].values())[:1] for row in rows] == wanted
    table = gan_report("runs", "--format", "md").out
    assert "2 runs" not in table
    assert len([line for line in table.splitlines() if "hinge" in line or "minimax" in line]) == 2


def test_a_whole_number_is_the_same_value_however_a_file_writes_it(gan_train, gan_report):
    assert gan_train(*TINY_POINTS, "steps=2", "ema_half_life=100", "hydra.run.dir=runs/new").code == 0
    assert gan_train(*TINY_POINTS, "steps=2", "ema_half_life=1e2", "hydra.run.dir=runs/old", "seed=1").code == 0
    status = json.loads(Path("runs/old/status.json").read_text())
    status.pop("config")
    Path("runs/old/status.json").write_text(json.dumps(status))
    for row in json.loads(gan_report("runs", "--format", "json").out):
        assert list(row["settings"]) == ["seed"]
