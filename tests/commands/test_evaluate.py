"""``gan-eval``, and runs that measure themselves."""

from __future__ import annotations

import json
import math
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import TINY_DCGAN, TINY_MLP, TINY_POINTS, assert_same_run, metrics_in, state_in
from PIL import Image

from gan_cli.runs.measurements import Measurements

PIXELS = ("extractor=pixels", "evaluate_count=80", "dataset.limit=100")
MEASURED = (*TINY_MLP, *PIXELS, "metrics=[frechet,sliced_wasserstein]", "watch=frechet", "evaluate_every=3")


def test_a_result_replaces_no_other_file(gan_eval, trained):
    folder = trained(*TINY_MLP)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name in ("checkpoints/step-000000002.pt", "metrics.jsonl"):
        result = gan_eval(f"checkpoint={folder}", f"out={folder / name}")
        assert result.code == 2
        assert f"out={folder / name}: must end in .json, or be a folder" in result.err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def lines(folder: str) -> list[dict]:
    return [record for record in metrics_in(Path(folder)) if "metric/frechet" in record]


def test_every_metric_that_fits_is_measured_and_written_with_its_provenance(trained, gan_eval):
    folder = trained(*TINY_DCGAN, "dataset.limit=300")
    result = gan_eval(f"checkpoint={folder}", "count=600", "metrics=[frechet,modes,discriminator,kernel]")
    assert result.code == 0, result.err
    (file,) = folder.glob("evaluation-step-000000002-*.json")
    written = json.loads(file.read_text())
    assert written["metrics"]["of_modes"] == 10
    assert written["metrics"]["frechet"] > 0
    assert 0 <= written["metrics"]["D_accuracy/held_out"] <= 1
    assert written["samples"] == 600
    assert written["real_samples"] == 300  # dataset.limit
    assert written["ema"] is True
    assert written["split"] == "train"
    assert written["step"] == 2
    assert written["options"]["kernel"] == {"subsets": 100, "subset_size": 1000}
    assert written["dataset"]["name"] == "digits"
    assert {"program", "date", "checkpoint_hash", "seed", "data"} <= set(written)
    assert set(written["extractor"]) == {"name", "weights", "seed", "held_out_accuracy", "resize"}
    assert "frechet" in result.out
    again = gan_eval(f"checkpoint={folder}", "count=600", "metrics=frechet", "out=again.json")
    assert again.code == 0
    assert json.loads(Path("again.json").read_text())["metrics"]["frechet"] == written["metrics"]["frechet"]
    assert gan_eval(f"checkpoint={folder}", "count=600", "metrics=frechet", "seed=1").code == 0
    assert json.loads(file.read_text()) == written  # another question has another file
    for step in (0, 2):  # and other pictures
        path = f"checkpoint={folder}/checkpoints/step-{step:09d}.pt"
        assert gan_eval(path, "count=50", "metrics=memorisation").code == 0
    stems = {path.name.removesuffix("-memorisation.png") for path in folder.glob("evaluation-*-memorisation.png")}
    assert len(stems) == 2
    assert stems < {path.stem for path in folder.glob("evaluation-*.json")}


def test_points_of_a_known_density_are_measured_without_an_extractor(trained, gan_eval):
    folder = trained(*TINY_POINTS)
    result = gan_eval(f"checkpoint={folder}", "count=500", "out=found.json")
    assert result.code == 0, result.err
    found = json.loads(Path("found.json").read_text())
    assert {"modes", "high_quality", "jsd", "log_density_gap", "two_sample", "copied", "parzen"} <= set(
        found["metrics"]
    )
    of_labels = {"classification", "conditional_divergence", "frechet_by_label", "label_agreement"}
    assert set(found["left_out"]) == {
        *of_labels,
        *("inception_score", "likelihood", "marginals", "reconstruction", "swd"),
    }
    assert "extractor" not in found


def folder_of_pictures(name: str, seed: int, brightness: int) -> Path:
    generator = np.random.default_rng(seed)
    Path(name).mkdir()
    for i in range(60):
        pixels = generator.integers(brightness, brightness + 60, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(Path(name) / f"{i}.png")
    return Path(name)


def test_two_folders_of_pictures_are_compared(gan_eval):
    folder_of_pictures("real", 0, 0)
    folder_of_pictures("same", 1, 0)
    folder_of_pictures("brighter", 2, 120)
    found = {}
    for name in ("same", "brighter"):
        keys = ("real=real", f"samples={name}", "size=8", "extractor=pixels")
        result = gan_eval(*keys, "metrics=[kernel,sliced_wasserstein,two_sample]")
        assert result.code == 0, result.err
        (file,) = Path().glob(f"{name}-evaluation-*.json")
        written = json.loads(file.read_text())
        assert written["samples_folder"] == name
        found[name] = written["metrics"]
    assert found["same"]["sliced_wasserstein"] < 0.1 * found["brighter"]["sliced_wasserstein"]
    assert found["brighter"]["two_sample"] == 1
    assert abs(found["same"]["two_sample"] - 0.5) < 4 * found["same"]["two_sample_error"]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ((), "checkpoint: is missing"),
        (("checkpoint=nowhere",), "checkpoint=nowhere: no such file or folder"),
        (("real=a",), "samples: is missing"),
        (("checkpoint=a", "real=b"), "real=b: is compared without a checkpoint"),
        (("real=a", "samples=b"), "real=a: does not exist"),
        (("checkpoint=RUN", "metrics=frehet"), "metrics=frehet: no such option (did you mean 'frechet'?)"),
        (("checkpoint=RUN", "metrics=divergence"), "metrics=divergence: needs points of a known density"),
        (
            ("checkpoint=RUN", "metrics=frechet", "count=50"),
            "covariance of 128 features needs 129 real and as many",
        ),
        (("checkpoint=RUN", "metrics=frechet", "dataset.root=x"), "dataset.root=x: dataset=digits has no such key"),
        (("checkpoint=RUN", "cuont=50"), "cuont=50: no such key (did you mean 'count'?)"),
        (("checkpoint=RUN", "split=valid"), "split=valid: must be one of"),
        (("checkpoint=RUN", "--multirun"), "--multirun: is for gan-train"),
        (("checkpoint=RUN", "metrics=frechet,kernel"), "choose them together: metrics=[frechet,kernel]"),
        (("checkpoint=RUN", "loss=minimax"), "loss=minimax: is a key of gan-train, not of gan-eval"),
        (("checkpoint=RUN", "steps=100"), "steps=100: is a key of gan-train, not of gan-eval"),
        (("real=a", "samples=b", "split=test"), "split=test: is for a checkpoint"),
        (("real=a", "samples=b", "batch_size=8"), "batch_size=8: is for a checkpoint"),
        (("real=a", "samples=b", "dataset.path=c"), "dataset.path=c: is for a checkpoint"),
        (("checkpoint=RUN", "count=1"), "count=1: must be at least 2"),
        (
            ("checkpoint=RUN", "metrics=frechet", "count=50", "out=/dev/null/x.json"),
            "out=/dev/null/x.json: cannot be written",
        ),
        (("checkpoint=RUN/metrics.jsonl",), "give a run folder, or a file of its checkpoints/"),
    ],
)
def test_a_mistaken_command_is_told_in_one_line(trained, gan_eval, keys, words):
    folder = trained(*TINY_DCGAN)
    result = gan_eval("seed=0", *(key.replace("RUN", str(folder)) for key in keys))
    assert result.code == 2
    (line,) = [line for line in result.err.splitlines() if line.startswith("gan-eval: error: ")]
    assert words in line


def test_help_shows_every_key(gan_eval):
    result = gan_eval("--help")
    assert result.code == 0
    assert "count: 10000" in result.out


def test_measuring_never_changes_training(gan_train):
    every = "[frechet,kernel,precision_recall,density_coverage,inception_score,sliced_wasserstein,modes,parzen,"
    every += "discriminator,two_sample,memorisation]"
    keys = ("metrics.two_sample.steps=3", "evaluate_every=2", "evaluate_count=200", "dataset.limit=200", "steps=5")
    measured = (*TINY_DCGAN, *keys, f"metrics={every}", "extractor.epochs=1")
    result = gan_train(*measured, "hydra.run.dir=measured")
    assert result.code == 0, result.err
    assert gan_train(*TINY_DCGAN, "dataset.limit=200", "steps=5", "hydra.run.dir=plain").code == 0
    one, other = (state_in(Path(name))["networks"] for name in ("measured", "plain"))
    for player in one:
        for name, tensor in one[player].items():
            assert torch.equal(tensor, other[player][name]), name
    assert [record["step"] for record in lines("measured")] == [2, 4, 5]
    plain_lines = [record for record in metrics_in(Path("measured")) if "metric/frechet" not in record]
    assert plain_lines == metrics_in(Path("plain"))
    assert len([key for key in lines("measured")[0] if key.startswith("metric/")]) > 20


def test_a_measured_run_resumes_exactly_with_what_it_watches(gan_train):
    assert gan_train(*MEASURED, "checkpoint_every=5", "steps=13", "hydra.run.dir=whole").code == 0
    assert gan_train(*MEASURED, "checkpoint_every=5", "steps=7", "hydra.run.dir=parts").code == 0
    Path("parts/checkpoints/step-000000007.pt").unlink()
    Path("parts/samples/step-000000007.png").unlink()
    assert gan_train("resume=parts", "steps=13").code == 0
    assert_same_run(Path("whole"), Path("parts"))
    whole, parts = (torch.load(f"{name}/checkpoints/best.pt", weights_only=True) for name in ("whole", "parts"))
    assert whole["step"] == parts["step"]
    assert whole["evaluations"] == parts["evaluations"]
    best = min(lines("whole"), key=lambda record: record["metric/frechet"])
    assert whole["step"] == best["step"]
    status = json.loads(Path("whole/status.json").read_text())
    facts = {"metric": "frechet", "better": "low", "value": best["metric/frechet"], "step": best["step"]}
    assert status["best"] == facts


@pytest.mark.parametrize("ensemble", [0, 2])
def test_the_seconds_of_a_run_are_those_of_its_steps(gan_train, monkeypatch, ensemble):
    late = [0.0]  # what the clock has been put on by

    def make(*these) -> None:
        made(*these)
        late[0] += 1000

    def measure(*_) -> dict[str, float]:
        late[0] += 1000
        return {"sliced_wasserstein": 1.0}  # which gets no better

    made, clock = Measurements.__init__, SimpleNamespace(perf_counter=lambda: time.perf_counter() + late[0])
    monkeypatch.setattr("gan_cli.runs.observers.log.time", clock)
    monkeypatch.setattr(Measurements, "__init__", make)
    monkeypatch.setattr(Measurements, "at", measure)
    keys = ("metrics=sliced_wasserstein", "watch=sliced_wasserstein", "evaluate_every=1", "patience=1", "log_every=5")
    assert gan_train(*TINY_POINTS, *keys, "steps=9", f"ensemble={ensemble}", "hydra.run.dir=run").code == 0
    for folder in (Path("run/seed-0"), Path("run/seed-1")) if ensemble else (Path("run"),):
        status = json.loads((folder / "status.json").read_text())
        assert (status["step"], status["reason"][:18]) == (2, "sliced_wasserstein")
        assert 0 < metrics_in(folder, clock=True)[-1]["seconds"] <= status["seconds"] < 1000
    assert late[0] >= 3000


def test_another_watched_metric_after_a_resume_starts_afresh(gan_train):
    assert gan_train(*MEASURED, "steps=6", "hydra.run.dir=run").code == 0
    assert gan_train("resume=run", "steps=9", "watch=sliced_wasserstein").code == 0
    best = json.loads(Path("run/status.json").read_text())["best"]
    assert best["metric"] == "sliced_wasserstein"
    assert best["step"] == 9


def test_a_run_that_gets_no_better_stops_early_and_is_finished(gan_train):
    frozen = ("optimizer.lr=1e-12", "ema_half_life=0", "patience=2", "steps=50", "checkpoint_every=0")
    result = gan_train(*MEASURED, *frozen, "hydra.run.dir=run")
    assert result.code == 0, result.err
    status = json.loads(Path("run/status.json").read_text())
    assert status["status"] == "finished"
    assert "frechet has not been better than" in status["reason"]
    assert status["step"] < 50
    assert state_in(Path("run"))["step"] == status["step"]
    assert (Path("run/samples") / f"step-{status['step']:09d}.png").is_file()


def test_a_sweeper_is_given_the_best_value(gan_train, monkeypatch):
    import gan_cli.runs.run as module

    returned, run = [], module.run
    monkeypatch.setattr(module, "run", lambda *a, **k: returned.append(run(*a, **k)) or returned[-1])
    assert gan_train(*MEASURED, "steps=6", "hydra.run.dir=run").code == 0
    assert returned == [min(record["metric/frechet"] for record in lines("run"))]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (("watch=frechet",), "watch=frechet: nothing is measured: add metrics=[…]"),
        ((), "evaluate_count=80: nothing is measured: add metrics=[…]"),
        (
            ("metrics=frechet", "watch=fid"),
            "watch=fid: metrics=[frechet] has no such value to watch: choose one of: frechet",
        ),
        (("metrics=discriminator", "watch=modes"), "metrics=[discriminator] has no such value to watch"),
        (("metrics=frechet", "patience=3"), "patience=3: of which metric? add watch=…"),
        (("metrics=divergence",), "metrics=divergence: needs points of a known density"),
        (("metrics=frechet", "watch=frechet", "patience=3", "evaluate_every=0"), "patience=3: is measured at the end"),
        (("metrics=frechet", "extractor=inceptoin"), "extractor=inceptoin: no such option (did you mean 'inception'?)"),
    ],
)
def test_a_metric_that_cannot_be_had_is_refused_before_training(gan_train, keys, words):
    for shown in ((), ("dry_run=true",)):
        result = gan_train(*TINY_MLP, *PIXELS, *keys, *shown)
        assert result.code == 2
        assert any(words in line for line in result.errors), result.err
        assert not Path("outputs").exists()


def test_a_classifier_is_not_trained_for_a_mistake(gan_train):
    assert gan_train(*TINY_MLP, "metrics=modes", "watch=fid").code == 2
    assert not Path("data").exists()
    every = "metrics=[frechet,kernel,modes,parzen,discriminator,two_sample,memorisation]"
    assert gan_train(*TINY_MLP, "dataset.limit=200", every, "watch=jsd_bound", "dry_run=true").code == 0
    assert not Path("data").exists()


def test_a_checkpoint_from_before_metrics_still_loads(trained, gan_eval, tmp_path):
    folder = trained(*TINY_POINTS)
    state = state_in(folder)
    for key in ("metrics", "extractor", "evaluate_every", "watch"):
        del state["config"][key]
    torch.save(state, tmp_path / "step-000000002.pt")
    result = gan_eval(f"checkpoint={tmp_path / 'step-000000002.pt'}", "count=500", "metrics=modes")
    assert result.code == 0, result.err
    assert sys.modules["gan_cli"].load(tmp_path / "step-000000002.pt").sample(3).shape == (3, 2)


def test_a_generator_that_is_not_finite_is_not_measured(trained, gan_eval, tmp_path):
    state = state_in(trained(*TINY_MLP))
    for tensor in state["ema"].values():
        tensor.fill_(math.nan)
    torch.save(state, tmp_path / "step-000000002.pt")
    result = gan_eval(f"checkpoint={tmp_path / 'step-000000002.pt'}", "extractor=pixels")
    assert result.code == 3
    assert "the generator's samples are not finite" in result.err


BRIGHTNESS = """
import numpy as np

class Brightness:
    better = {"brightness": "high"}

    def __init__(self, scale: float):
        self.scale = scale

    def __call__(self, evidence):
        return {"brightness": self.scale * float(evidence.drawn.values.mean()) / 255}

class Rows:
    def prepare(self, training, held_out, device):
        pass

    def refusal(self, samples):
        return None

    def features(self, values):
        return values.mean(axis=(1, 2)).astype(np.float32)

    def provenance(self):
        return {"of": "rows"}
"""


def test_a_metric_and_an_extractor_of_ones_own_are_one_class_and_one_file_each(gan_train, gan_eval):
    Path("own_metrics.py").write_text(BRIGHTNESS)
    for group, name, cls in (("metrics", "brightness", "Brightness"), ("extractor", "rows", "Rows")):
        file = Path("own") / group / f"{name}.yaml"
        file.parent.mkdir(parents=True)
        package = "# @package metrics.brightness\n" if group == "metrics" else ""
        file.write_text(f"{package}name: {name}\nclass: own_metrics.{cls}\n" + "scale: 2.0\n" * (group == "metrics"))
    own = ("--config-dir", "own")
    keys = ("metrics=[brightness,frechet]", "extractor=rows", "watch=brightness", "evaluate_every=2", "steps=4")
    result = gan_train(*own, *TINY_MLP, *keys, "hydra.run.dir=run")
    assert result.code == 0, result.err
    assert 0 < lines("run")[-1]["metric/brightness"] < 2
    result = gan_eval(
        *own, "checkpoint=run", "metrics=[brightness,frechet]", "metrics.brightness.scale=4.0", "extractor=rows"
    )
    assert result.code == 0, result.err
    (file,) = Path("run").glob("evaluation-step-000000004-*.json")
    found = json.loads(file.read_text())
    assert 0 < found["metrics"]["brightness"] < 4
    assert found["extractor"] == {"name": "rows", "of": "rows"}


@pytest.mark.parametrize("way", ['"max"', "None"])
def test_a_metric_of_ones_own_must_say_low_or_high(gan_train, way):
    Path("own_metrics.py").write_text(BRIGHTNESS.replace('"high"', way))
    Path("own/metrics").mkdir(parents=True)
    yaml = "# @package metrics.brightness\nname: brightness\nclass: own_metrics.Brightness\nscale: 2.0\n"
    Path("own/metrics/brightness.yaml").write_text(yaml)
    result = gan_train("--config-dir", "own", *TINY_MLP, "metrics=brightness", "steps=2", "hydra.run.dir=run")
    assert result.code == 2
    assert "metrics=brightness: better: says 'brightness': " in result.err
    assert "say 'low' or 'high'" in result.err


def test_ctrl_c_says_a_word(trained, gan_eval, monkeypatch):
    def stopped(config, library):
        raise KeyboardInterrupt

    monkeypatch.setattr("gan_cli.commands.evaluate.run", stopped)
    result = gan_eval(f"checkpoint={trained(*TINY_POINTS)}")
    assert (result.code, result.err) == (130, "gan-eval: interrupted\n")


def test_ctrl_c_shows_what_has_been_measured(trained, gan_eval, monkeypatch):
    def stopped(self, evidence):
        raise KeyboardInterrupt

    monkeypatch.setattr("gan_cli.metrics.densities.Divergence.__call__", stopped)
    run = trained(*TINY_POINTS)
    result = gan_eval(f"checkpoint={run}", "metrics=[modes,divergence]", "count=50")
    assert (result.code, result.err) == (130, "gan-eval: interrupted\n")
    assert re.search(r"^ modes +\d", result.out, re.M)
    assert "left out: divergence: interrupted" in result.out
    assert not list(run.glob("evaluation-*.json"))


@pytest.mark.parametrize("samples", [".", "../.fakes", "../.fakes/", "sub/.."])
def test_a_result_is_no_hidden_file_whatever_its_folder_is_called(samples, gan_eval, monkeypatch):
    for name in ("real", ".fakes", ".fakes/sub"):
        Path(name).mkdir()
    for number in range(8):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8), np.uint8)
        for name in ("real", ".fakes"):
            Image.fromarray(pixels).save(f"{name}/{number}.png")
    before = Path.cwd()
    monkeypatch.chdir(".fakes")
    words = ("size=8", "channels=1", "extractor=pixels", "metrics=sliced_wasserstein", "count=8")
    result = gan_eval(f"real={before / 'real'}", f"samples={samples}", *words)
    assert result.code == 0, result.err
    (file,) = before.glob("*.json")
    assert file.name.startswith("fakes-evaluation-")
    assert json.loads(file.read_text())["metrics"]
    assert not list(Path().glob("*evaluation*"))  # which would be a picture of it the next time


def test_out_with_a_slash_is_a_folder(trained, gan_eval):
    assert (
        gan_eval(f"checkpoint={trained(*TINY_MLP)}", "metrics=sliced_wasserstein", "extractor=pixels", "out=new/").code
        == 0
    )
    assert [file.suffix for file in Path("new").iterdir()] == [".json"]
