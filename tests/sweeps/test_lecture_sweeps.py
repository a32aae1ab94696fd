"""Sweeps over models: one list of metrics and of keys for models that do not all have a use for it, and one table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import config_of
from omegaconf import OmegaConf

from gan_cli.config.library import Library, shipped_conf

SMALL = ("dataset.size=8", "dataset.limit=100", "sample_every=0", "sample_count=4", "checkpoint_every=0")
QUICK = ("evaluate_count=100", "extractor=pixels", "metrics.speed.seconds=0", "metrics.speed.batch=4")


def status_of(folder: str) -> dict:
    return json.loads(Path(folder, "status.json").read_text())


def test_every_model_of_the_lecture_is_in_its_sweep_with_a_length():
    sweep = OmegaConf.load(Path(str(shipped_conf())) / "sweep/lecture_models.yaml")
    models = set(Library().options("model")) - {"semi_supervised"}  # the game of gan, judged by what it tells apart
    assert {*sweep.hydra.sweeper.params.model.split(",")} == {*sweep.steps} == models


def test_a_sweep_over_models_measures_of_each_what_it_has_in_one_table(gan_train, capfd):
    from gan_cli import cli
    from gan_cli.commands.report.command import main as report

    result = gan_train("-m", "sweep=lecture_models", "model=gan,made", "steps={made: 3, gan: 2}", *SMALL, *QUICK)
    assert result.code == 0, result.err
    gan, made = (status_of(f"outputs/sweeps/lecture_models/model-{model}") for model in ("gan", "made"))
    assert (gan["steps"], made["steps"]) == (2, 3)
    assert "model=gan has no likelihood" in gan["left_out"]["likelihood"]
    assert set(gan["left_out"]) == {"likelihood", "reconstruction"}
    assert set(made["left_out"]) == {"reconstruction"}
    assert made["kinds"]["nats"] == "exact, probability of binary pictures, binarise=dynamic"
    assert made["kinds"]["frechet"] == "of binary pictures, binarise=dynamic"
    assert "parameters" not in made["kinds"]
    assert made["notes"]["samples_per_second"] == "minibatches of 4, cpu, 1 thread"
    last = json.loads(Path("outputs/sweeps/lecture_models/model-gan/metrics.jsonl").read_text().splitlines()[-1])
    counts = [int(part.rpartition(" ")[2].replace(",", "")) for part in gan["notes"]["parameters"].split(", ")]
    assert last["metric/parameters"] == sum(counts)
    assert len(counts) == 2  # of both players
    assert last["metric/samples_per_second"] > 0
    assert "metric/nats" not in last
    capfd.readouterr()
    command = ["outputs/sweeps/lecture_models", "--format", "md", "--main"]
    assert cli._exit_code(lambda: report(command), "gan-report") == 0
    table = capfd.readouterr().out.splitlines()
    titles, first, second = ([cell.strip() for cell in table[i].split("|")[1:-1]] for i in (0, 2, 3))
    assert titles[:4] == ["model", "steps", "runs", "nats"]  # what follows from the model is no column
    assert not any("/" in title for title in titles)
    assert (first[0], first[3]) == ("gan", "")
    assert second[3].endswith(" ¹")
    assert table[5] == "¹ exact, probability of binary pictures, binarise=dynamic  "
    assert table[-2].startswith("left out: likelihood of model-gan: model=gan has no likelihood: use metrics=parzen")


def test_what_the_values_are_outlives_a_kill_after_the_last_step(gan_train):
    keys = ("model=made", *SMALL, "steps=3", "metrics=likelihood", "metrics.likelihood.samples=20", "evaluate_every=2")
    assert gan_train(*keys, "hydra.run.dir=run").code == 0
    before = status_of("run")
    Path("run/status.json").unlink()  # as a kill leaves it
    assert gan_train("resume=run").code == 0
    after = status_of("run")
    assert after["kinds"] == before["kinds"]
    assert after["notes"] == before["notes"] != {}


REFUSED = {
    ("model=gan", "metrics=[likelihood,reconstruction]"): (
        "metrics=likelihood: model=gan",
        "metrics=reconstruction: needs",
    ),
    ("-m", "sweep=loss_comparison", "model=made"): ("loss=minimax,non_saturating",),
    ("-m", "model=made,fvsbn", "loss=hinge"): (
        "loss=hinge: model=made has no use for it",
        "loss=hinge: model=fvsbn has no use for it",
    ),
    ("-m", "sweep=loss_comparison", "seed=range(0,500)"): ("are 5,000 runs: 1,000 at most",),
    ("model=made", "steps={gan: 3}"): ("steps={'gan': 3}: has no length for model=made: add one",),
    ("model=made", "steps={made: x}"): ("steps=x: must be a whole number",),
    ("model=gan", "unfit_metrics=skip"): ("unfit_metrics=skip: must be one of 'refuse' or 'leave_out'",),
    ("model=made", "figure=mixing"): ("figure=mixing: is not about model=made: leave it out",),
    ("figure=simulator",): ("figure=simulator: is not about dataset=digits: use dataset=pendulum, or leave it out",),
    ("experiment=lecture_simulator", "conditional=false"): ("figure=simulator: a future follows from a state and",),
    ("experiment=lecture_simulator", "model=vae"): ("figure=simulator: is not about model=vae",),
    ("experiment=lecture_simulator", "dataset.slip=1", "dataset.interval=1e-300", "dataset.gravity=1e300"): (
        "dataset.interval=1e-300: must be",
        "dataset.gravity=1e+300: must be",
        "dataset.slip=1: must be",
    ),
    ("model=gan", "figure=sampling_time"): ("figure=sampling_time: is not about model=gan: leave it out",),
}


@pytest.mark.parametrize(("keys", "told"), REFUSED.items(), ids=[" ".join(keys) for keys in REFUSED])
def test_what_has_no_use_is_refused_in_a_line_each_before_anything_is_made(gan_train, keys, told):
    result = gan_train(*keys)
    assert result.code == 2
    assert len(result.errors) == len(told), result.err
    assert all(words in line for words, line in zip(told, result.errors, strict=True)), result.err
    assert not Path("outputs").exists()


def test_a_run_of_a_sweep_whose_model_has_no_use_for_a_key_fails_alone(gan_train):
    result = gan_train("-m", "name=some", "model=made,gan", "loss=hinge", *SMALL, "steps=1")
    assert result.code == 2
    assert status_of("outputs/sweeps/some/model-gan")["status"] == "finished"
    failed = status_of("outputs/sweeps/some/model-made")
    assert (failed["status"], failed["reason"]) == (
        "failed",
        "loss=hinge: model=made has no use for it: leave it out",
    )


def test_lengths_by_model_reach_what_follows_from_them_and_resumptions(gan_train):
    config = config_of("model=rbm", "steps={rbm: 7, gan: 5}")
    assert (config.steps, config.schedule.model_dump()["duration"]) == (7, 7)
    assert gan_train("model=fvsbn", *SMALL, "steps=2", "hydra.run.dir=run").code == 0
    assert gan_train("resume=run", "steps={fvsbn: 3, gan: 9}").code == 0
    assert status_of("run")["step"] == 3
