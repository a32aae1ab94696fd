"""Nothing lost: folders in use, full, gone or somebody else's; what a kill leaves at the end; signals and clocks."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import TINY_MLP, TINY_POINTS, assert_same_run, metrics_in, state_in

from gan_cli.output import lock
from gan_cli.output.screen import LogFile
from gan_cli.runs.observers.log import Log
from gan_cli.runs.status import status_of

SHORT = (*TINY_POINTS, "steps=6", "log_every=2", "sample_every=3", "checkpoint_every=2")
WATCHED = ("metrics=divergence", "watch=jsd", "evaluate_every=2", "evaluate_count=50", "patience=1")
FIGURE = ("experiment=lecture_saturation", "dataset.points=100", "batch_size=8", "steps=4", "log_every=1")
HOLD = "import time; from pathlib import Path; from gan_cli.output import lock; {take}; print('held', flush=True); "


@pytest.fixture
def holder():
    """Another process that holds the lock of a folder; killed at the end."""
    import subprocess

    started = []

    def call(folder: str, doing: str, name: str = lock.FILE) -> subprocess.Popen:
        Path(folder).mkdir(parents=True, exist_ok=True)
        code = HOLD.format(take=f"lock.take(Path({folder!r}), {doing!r}, name={name!r})")
        process = subprocess.Popen([sys.executable, "-c", f"{code}time.sleep(60)"], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield call
    for process in started:
        process.kill()
        process.communicate()


def as_killed_after_the_last_step(run: Path) -> None:
    """The last checkpoint is there, and nothing that comes after it."""
    status = json.loads((run / "status.json").read_text())
    kept = {key: value for key, value in status.items() if key not in ("modes", "of_modes", "high_quality")}
    (run / "status.json").write_text(json.dumps({**kept, "status": "running", "reason": None}))
    for name in ("figure.png", "figure.json", f"samples/step-{status['step']:09d}.png", "samples/real.png"):
        (run / name).unlink(missing_ok=True)


@pytest.mark.parametrize("keys", [SHORT, (*SHORT, *WATCHED[:-1]), FIGURE, (*SHORT, "ensemble=2")])
def test_what_comes_after_the_last_checkpoint_is_made_up_for(gan_train, keys):
    for run in ("whole", "killed"):
        assert gan_train(*keys, f"hydra.run.dir={run}").code == 0
    members = [path.name for path in Path("whole").glob("seed-*")] or ["."]
    for place in {"killed", *(f"killed/{member}" for member in members)}:
        as_killed_after_the_last_step(Path(place))
    result = gan_train("resume=killed")
    assert result.code == 0, result.err
    for member in members:
        one, other = Path("whole", member), Path("killed", member)
        assert_same_run(one, other)
        ours, theirs = (status_of(place) for place in (one, other))
        assert {k: v for k, v in ours.items() if k not in ("seconds", "updated")} == {
            k: v for k, v in theirs.items() if k not in ("seconds", "updated")
        }
        assert (one / "figure.png").exists() == (other / "figure.png").exists()
    assert "nothing left to train" in gan_train("resume=killed").err


def test_a_run_that_was_killed_as_it_stopped_early_stays_where_it_stopped(gan_train):
    still = ("optimizer.lr=1e-9", "generator.lr=1e-9", "discriminator.lr=1e-9")
    assert gan_train(*SHORT, *WATCHED, *still, "steps=20", "hydra.run.dir=run").code == 0
    stopped = status_of(Path("run"))
    assert stopped["step"] < 20
    as_killed_after_the_last_step(Path("run"))
    assert gan_train("resume=run").code == 0
    assert {key: status_of(Path("run"))[key] for key in ("status", "step", "reason")} == {
        key: stopped[key] for key in ("status", "step", "reason")
    }


def test_a_second_process_is_told_who_is_there_and_touches_nothing(gan_train, holder):
    assert gan_train(*SHORT, "hydra.run.dir=run").code == 0
    process = holder("run", "training in this folder")
    holder("outputs/sweeps/s", "running this sweep")
    holder("new", "training in this folder")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    commands = {
        "run": ("resume=run", "steps=9"),
        "outputs/sweeps/s": ("-m", "name=s", *SHORT, "seed=0,1"),
        "new": (*SHORT, "hydra.run.dir=new"),
    }
    for place, keys in commands.items():
        result = gan_train(*keys)
        assert result.code == 2
        assert len(result.errors) == 1
        assert f"{place}: another process is " in result.errors[0]
        assert " (pid " in result.errors[0]
        assert f"on {os.uname().nodename} since " in result.errors[0]
    assert str(process.pid) in before[Path("run/.lock")].decode()
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def test_where_the_newest_run_goes_on_the_newest_that_has_stopped_is_named(gan_train, holder):
    for name in ("a", "b"):
        assert gan_train(*SHORT, f"hydra.run.dir=outputs/{name}").code == 0
    holder("outputs/b", "training in this folder")
    (line,) = gan_train("resume=latest", "steps=9").errors
    assert line.endswith("; of those that have stopped, the newest: resume=outputs/a")


def test_the_lock_of_a_killed_process_keeps_nobody_out_and_is_gone_after_a_run(gan_train, holder):
    process = holder("run", "training in this folder")
    process.kill()
    process.wait()
    assert Path("run/.lock").exists()
    assert not lock.held(Path("run"))
    assert gan_train(*SHORT, "hydra.run.dir=run").code == 0
    assert not Path("run/.lock").exists()


def test_one_process_decodes_and_the_other_waits_and_reads(gan_train, holder, monkeypatch):
    from PIL import Image

    Path("pictures").mkdir()
    for i in range(8):
        Image.new("L", (8, 8), 20 * i).save(f"pictures/{i}.png")
    keys = (
        *TINY_MLP,
        "dataset=image_folder",
        "dataset.path=pictures",
        "dataset.root=data",
        "dataset.limit=0",
        "steps=1",
    )
    assert gan_train(*keys, "hydra.run.dir=one").code == 0
    (pack,) = Path("data/cache").glob("*.u8")
    about = pack.with_suffix(".json")
    torn = pack.with_name(f".99999.{pack.name}")
    torn.write_bytes(b"half")
    shutil.move(about, "about")
    process = holder("data/cache", "decoding these pictures", f".{about.stem}.lock")
    sleep, slept = time.sleep, []

    def done_meanwhile(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 20:
            shutil.move("about", about)
            process.kill()
            process.wait()
        sleep(min(seconds, 0.01))

    monkeypatch.setattr(lock, "AT_LEAST", 0.05)
    monkeypatch.setattr(lock.time, "sleep", done_meanwhile)
    written = pack.stat().st_mtime_ns
    result = gan_train(*keys, "hydra.run.dir=two")
    assert result.code == 0, result.err
    assert "another process is decoding these pictures (pid " in result.err
    assert pack.stat().st_mtime_ns == written
    about.unlink()
    assert gan_train(*keys, "hydra.run.dir=three").code == 0
    assert not torn.exists()


def test_retention_never_deletes_the_only_good_checkpoint(gan_train):
    assert gan_train(*SHORT, "steps=4", "hydra.run.dir=run").code == 0
    for step in (5, 7, 99):
        Path(f"run/checkpoints/step-{step:09d}.pt").write_bytes(b"torn")
    assert gan_train("resume=run/checkpoints/step-000000004.pt", "steps=6", "keep_checkpoints=1").code == 0
    Path("run/checkpoints/step-000000099.pt").write_bytes(b"torn")
    assert gan_train("resume=run", "steps=8", "keep_checkpoints=1").code == 0
    from gan_cli.runs import checkpoint

    assert checkpoint.newest(Path("run"), "resume")[1]["step"] == 8


def test_what_cannot_fit_is_refused_before_anything_is_left(gan_train, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2**14))
    for keys in ((), ("ensemble=2",), ("dry_run=true",)):
        result = gan_train(*SHORT, "keep_checkpoints=9", *keys, "hydra.run.dir=run")
        assert result.code == 2
        assert len(result.errors) == 1
        assert "keep_checkpoints=9: " in result.errors[0]
        assert "16 KiB are free: make room, choose another hydra.run.dir, or keep fewer" in result.errors[0]
        assert not Path("run").exists()


def test_a_run_goes_on_where_no_folder_can_be_opened_to_flush_its_names(gan_train, monkeypatch):
    opened, refused = os.open, []

    def as_on_windows(path, *args, **kwargs):
        if os.path.isdir(path):  # noqa: PTH112
            refused.append(Path(path).name)
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", as_on_windows)
    assert gan_train(*SHORT, "hydra.run.dir=run").code == 0
    assert set(refused) == {"checkpoints"}
    assert gan_train("resume=run", "steps=8").code == 0
    assert state_in(Path("run"))["step"] == 8


def test_a_run_that_is_moved_or_replaced_writes_nothing_more_there(gan_train, monkeypatch):
    write = Log.write

    def moved(self, step):
        write(self, step)
        if step == 4:
            Path("run").rename("moved")
            Path("elsewhere").mkdir(exist_ok=True)
            Path("run").symlink_to("elsewhere", target_is_directory=True)

    monkeypatch.setattr(Log, "write", moved)
    result = gan_train(*SHORT, "sample_every=0", "checkpoint_every=5", "hydra.run.dir=run")
    assert result.code == 2
    assert len(result.errors) == 1
    assert "run: was moved, removed or replaced while it was trained in" in result.errors[0]
    assert list(Path("elsewhere").iterdir()) == []
    assert len(metrics_in(Path("moved"))) == 2


def test_a_log_on_a_full_disk_says_so_once(capsys):
    handler = LogFile("/dev/full")
    for line in range(3):
        handler.handle(logging.makeLogRecord({"msg": f"line {line}", "level": logging.INFO}))
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "/dev/full: cannot be written (No space left on device): lines are missing" in said
    handler.close()


def test_how_a_run_ended_is_written_in_place_where_there_is_no_room(gan_train, monkeypatch):
    assert gan_train(*SHORT, "hydra.run.dir=run").code == 0
    from gan_cli.runs import status

    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(status, "replacing", full)
    before = Path("run/status.json").stat().st_size
    status.write_status(Path("run"), "failed", "the disk is full", step=4)
    assert (status_of(Path("run"))["status"], status_of(Path("run"))["reason"]) == ("failed", "the disk is full")
    assert Path("run/status.json").stat().st_size == before


@pytest.mark.parametrize(
    "junk", ['{"status": ["x"]}', '{"status": "finished", "best": 5, "seeds": "ab", "pid": "x"}', "[1]", "\xff"]
)
def test_a_status_of_somebody_elses_stops_nothing(gan_train, junk):
    keys = ("-m", "name=s", *SHORT, "seed=0,1")
    assert gan_train(*keys, "steps=4").code == 0
    Path("outputs/sweeps/s/seed-0/status.json").write_text(junk)
    result = gan_train(*keys)
    assert result.code == 0, result.err
    assert "2 of 2 finished" in result.err


def test_the_time_limit_ends_a_run_in_time_and_it_goes_on(gan_train):
    assert gan_train(*SHORT, "steps=12", "hydra.run.dir=whole").code == 0
    result = gan_train(*SHORT, "steps=100000000", "time_limit=2", "checkpoint_every=0", "hydra.run.dir=run")
    assert result.code == 124
    assert status_of(Path("run"))["status"] == "interrupted"
    assert status_of(Path("run"))["reason"] == "time_limit=2 is up"
    assert "saved; continue: gan-train resume=run" in result.err
    step = state_in(Path("run"))["step"]
    assert gan_train("resume=run", f"steps={step + 1}", "time_limit=null").code == 0
    assert gan_train(*SHORT, "time_limit=7h 30m").errors == [
        "gan-train: error: time_limit=7h 30m: must be a length of time, such as 7h30m, 90m or seconds as a number"
    ]


def test_a_checkpoint_by_the_clock_changes_nothing(gan_train):
    assert gan_train(*SHORT, "checkpoint_every=0", "hydra.run.dir=plain").code == 0
    keys = ("checkpoint_every=0", "checkpoint_minutes=1e-6", "keep_checkpoints=9", "hydra.run.dir=clock")
    assert gan_train(*SHORT, *keys).code == 0
    assert len(list(Path("clock/checkpoints").iterdir())) == 7
    for step in (4, 5, 6):
        Path(f"clock/checkpoints/step-{step:09d}.pt").unlink()
    assert gan_train("resume=clock").code == 0
    assert_same_run(Path("plain"), Path("clock"))


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_slurms_signals_save_like_sigterm(gan_train, monkeypatch, number):
    write = Log.write

    def told(self, step):
        write(self, step)
        os.kill(os.getpid(), number)

    monkeypatch.setattr(Log, "write", told)
    result = gan_train(*SHORT, "checkpoint_every=0", "hydra.run.dir=run")
    assert result.code == 128 + number
    assert status_of(Path("run"))["status"] == "interrupted"
    assert state_in(Path("run"))["step"] == 2


def test_a_signal_while_the_figure_is_drawn_leaves_a_finished_run(gan_train, monkeypatch):
    from gan_cli.runs.figures.saturation import Saturation

    draw = Saturation.draw

    def told(self, records, path):
        os.kill(os.getpid(), signal.SIGTERM)
        return draw(self, records, path)

    monkeypatch.setattr(Saturation, "draw", told)
    assert gan_train(*FIGURE, "hydra.run.dir=run").code == 0
    assert status_of(Path("run"))["status"] == "finished"
    assert Path("run/figure.png").exists()
