"""Loggers show what the run folder holds, no step twice and none missing, and change nothing in the training."""

from __future__ import annotations

import errno
import json
import math
import re
import struct
import sys
from collections import defaultdict
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import TINY_POINTS, assert_same_run, metrics_in

from gan_cli.errors import Diverged, Ended, TimeUp, UserError
from gan_cli.runs.observers.loggers import Loggers

RUN = (*TINY_POINTS, "steps=9", "log_every=2", "sample_every=3", "checkpoint_every=3", "keep_checkpoints=9")
MEASURED = ("metrics=modes", "evaluate_every=4", "evaluate_count=50")


@pytest.fixture(autouse=True)
def _nobody_is_logged_in(monkeypatch, tmp_path):
    for key in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_DIR", "WANDB_PROJECT"):
        monkeypatch.delenv(key, raising=False)
    for key in ("HOME", "XDG_CONFIG_HOME", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR"):
        monkeypatch.setenv(key, str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def told(folder: Path) -> tuple[dict[str, dict[int, float]], list[int]]:
    """What a run folder has to tell: each key's values by step, and the steps of its pictures."""
    values: dict[str, dict[int, float]] = defaultdict(dict)
    for record in metrics_in(folder, clock=True):
        step = record.pop("step")
        for key, value in record.items():
            values[key][step] = math.nan if value is None else value
    return dict(values), sorted(int(path.stem[5:]) for path in (folder / "samples").glob("step-*.png"))


def tensorboard(folder: Path) -> tuple[dict[str, dict[int, float]], list[int]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0, "images": 0}).Reload()
    scalars = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    assert all(len(found) == len(dict(found)) for found in scalars.values())  # no step twice
    pictures = events.Images("samples") if events.Tags()["images"] else []
    return {tag: dict(found) for tag, found in scalars.items()}, [picture.step for picture in pictures]


def wandb_records(folder: Path) -> list[Any]:
    """The records of the one offline file there is: frames of a type, a length and a checksum in blocks of 32 KiB."""
    import wandb
    from wandb.proto import wandb_internal_pb2

    wandb.teardown()  # its service writes the last of a run a moment after the run's end, or when the process ends
    (path,) = folder.glob("wandb/offline-run-*/*.wandb")
    data, at, frame, found = path.read_bytes(), 7, b"", []
    while at + 7 <= len(data):
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        if 32768 - at % 32768 < 7 or not kind:
            at += 32768 - at % 32768
            continue
        frame += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or its last part
            found.append(wandb_internal_pb2.Record.FromString(frame))
            frame = b""
    return found


def weights_and_biases(folder: Path) -> tuple[dict[str, dict[int, float]], list[int]]:
    values: dict[str, dict[int, float]] = defaultdict(dict)
    rows = [record.history for record in wandb_records(folder) if record.WhichOneof("record_type") == "history"]
    steps = [row.step.num for row in rows]
    assert steps == sorted(set(steps))  # no step twice
    for row in rows:
        for item in row.item:
            values[item.key or "/".join(item.nested_key)][row.step.num] = json.loads(item.value_json)
    pictures = values.pop("samples/path")
    plain = {k: v for k, v in values.items() if not k.startswith(("_", "samples/"))}
    return plain, list(pictures)


def same(ours: dict[str, dict[int, float]], theirs: dict[str, dict[int, float]]) -> bool:
    assert ours.keys() == theirs.keys()
    return all(ours[key] == pytest.approx(theirs[key], rel=1e-6, nan_ok=True) for key in ours)


@pytest.mark.parametrize(("logger", "read"), [("tensorboard", tensorboard), ("wandb", weights_and_biases)])
def test_a_resumed_run_is_told_whole_and_once_and_trains_as_if_nobody_watched(gan_train, monkeypatch, logger, read):
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert gan_train(*RUN, *MEASURED, "hydra.run.dir=alone").code == 0
    assert gan_train(*RUN, *MEASURED, f"logger={logger}", "hydra.run.dir=run").code == 0
    assert same(read(Path("run"))[0], told(Path("run"))[0])
    for step in (
        6,
        9,
    ):  # as after a kill before step 6 was saved: what came after step 3 is left
        Path(f"run/checkpoints/step-{step:09d}.pt").unlink()
    result = gan_train("resume=run")
    assert result.code == 0, result.err
    values, pictures = told(Path("run"))
    assert list(values["loss/generator"]) == [2, 4, 6, 8, 9]
    assert list(values["metric/modes"]) == [4, 8, 9]
    shown, images = read(Path("run"))
    assert same(shown, values)
    assert images == pictures == [3, 6, 9]
    assert_same_run(Path("alone"), Path("run"))


def test_the_config_goes_with_it(gan_train):
    assert gan_train(*RUN, "logger=[tensorboard,wandb]", "logger.wandb.mode=offline", "hydra.run.dir=run").code == 0
    (run,) = [r.run for r in wandb_records(Path("run")) if r.WhichOneof("record_type") == "run"]
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert config["loss"]["name"] == "non_saturating"
    assert (run.project, run.run_id) == ("gan-train", Path("run/wandb/run-id").read_text())

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    metadata = EventAccumulator("run/tensorboard").Reload().SummaryMetadata("_hparams_/session_start_info")
    hparams = HParamsPluginData.FromString(metadata.plugin_data.content).session_start_info.hparams
    assert hparams["loss.name"].string_value == "non_saturating"
    assert hparams["batch_size"].number_value == 8


def test_a_run_that_diverges_is_told_to_its_last_line(gan_train):
    keys = ("optimizer=sgd", "loss=maximum_likelihood", "optimizer.lr=1e30", "log_every=1", "logger=tensorboard")
    assert gan_train(*RUN, *keys, "hydra.run.dir=run").code == 3
    assert same(tensorboard(Path("run"))[0], told(Path("run"))[0])


@pytest.mark.parametrize("logger", ["tensorboard", "wandb"])
@pytest.mark.parametrize("flags", [(), ("-m",)])
def test_a_missing_package_is_told_in_one_line_before_anything_is_made(gan_train, monkeypatch, logger, flags):
    monkeypatch.setitem(sys.modules, logger, None)
    result = gan_train(*flags, *RUN, f"logger={logger}")
    assert result.code == 2
    (line,) = result.err.splitlines()
    assert line.endswith(f"logger={logger}: needs the package {logger}: pip install 'gan-cli[{logger}]'")
    assert not Path("outputs").exists()


def test_nobody_logged_in_is_told_in_one_line_and_leaves_no_folder(gan_train):
    result = gan_train(*RUN, "logger=wandb", "logger.wandb.mode=online")
    assert result.code == 2
    (line,) = result.errors
    assert re.search(r"logger=wandb: .*: wandb login, or logger\.wandb\.mode=offline$", line)
    assert not Path("outputs").exists()


def test_a_logger_of_ones_own_is_one_class_and_one_file(gan_train):
    Path("conf/logger").mkdir(parents=True)
    Path("conf/logger/paper.yaml").write_text("# @package logger.paper\nname: paper\nclass: paper.Paper\nink: blue\n")
    Path("paper.py").write_text(
        "class Paper:\n"
        "    def __init__(self, ink: str): self.ink = ink\n"
        "    def open(self, folder, config): self.file = (folder / self.ink).open('w')\n"
        "    def record(self, record): print('record', record['step'], file=self.file)\n"
        "    def picture(self, step, path): print('picture', step, path.name, file=self.file)\n"
        "    def close(self, code): print('end', code, file=self.file); self.file.close()\n"
    )
    assert gan_train("--config-dir", "conf", *RUN, "logger=paper", "hydra.run.dir=run").code == 0
    lines = Path("run/blue").read_text().splitlines()
    assert lines[:3] == ["record 2", "picture 3 step-000000003.png", "record 4"]
    assert lines[-3:] == ["record 9", "picture 9 step-000000009.png", "end 0"]


def test_a_logger_is_told_the_exit_code_that_the_command_ends_with(tmp_path):
    told: list[int] = []
    folder = SimpleNamespace(path=tmp_path, samples=tmp_path / "samples", metrics=tmp_path / "metrics.jsonl")
    config = SimpleNamespace(log_every=1, sample_every=0, evaluate_every=0)
    loggers = Loggers([SimpleNamespace(close=told.append)], folder, config, at=lambda: 0, not_counted=nullcontext)
    full = OSError(errno.ENOSPC, "No space left on device")
    for error in (None, UserError("a mistake"), Diverged("loss not finite"), TimeUp("1h"), Ended(15), full):
        loggers.__exit__(type(error), error, None)
    assert told == [0, 2, 3, 124, 143, 2]


@pytest.mark.parametrize("method", ["open", "record", "picture", "close"])
def test_a_logger_that_fails_is_left_out_with_a_line_and_changes_nothing(gan_train, method):
    Path("conf/logger").mkdir(parents=True)
    Path("conf/logger/broken.yaml").write_text("# @package logger.broken\nname: broken\nclass: broken.Broken\n")
    methods = [f"    def {name}(self, *told): pass\n" for name in ("open", "record", "picture", "close")]
    fault = f"    def {method}(self, *told): raise RuntimeError('out of ink')\n"
    Path("broken.py").write_text("class Broken:\n" + "".join(methods) + fault)
    assert gan_train(*RUN, "hydra.run.dir=alone").code == 0
    result = gan_train("--config-dir", "conf", *RUN, "logger=broken", "hydra.run.dir=run")
    assert result.code == 0, result.err
    line = "Broken cannot go on (RuntimeError: out of ink): it is told everything again by resume="
    assert result.err.count(line) == 1
    assert_same_run(Path("alone"), Path("run"))
