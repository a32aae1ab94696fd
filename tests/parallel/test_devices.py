"""Several processes compute what one computes, go on exactly, and end together."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import (
    MODELS,
    TINY_DCGAN,
    TINY_MLP,
    TINY_PROGRESSIVE,
    TINY_RESNET,
    assert_same_run,
    metrics_in,
    run_folder,
    state_in,
)

import gan_cli
from gan_cli.errors import UserError
from gan_cli.parallel import place
from gan_cli.processes import program
from gan_cli.training.devices import pick_device

SAME_GAME = {
    "mlp": TINY_MLP,
    "mlp-sent-early": ("early", *TINY_MLP, "penalty=[r1,gradient_penalty]"),
    "mlp-in-parts-sent-early": (
        *("early", "parts", *TINY_MLP, "penalty=[r1,gradient_penalty]", "architecture.discriminator.dropout=0.3"),
        *("instance_noise.sigma=0.1", "dataset.flip=true"),
    ),
    "mlp-dropout-k2": (
        *TINY_MLP,
        "discriminator.steps=2",
        "architecture.discriminator.dropout=0.3",
        "architecture.discriminator.input_dropout=0.2",
        "dataset.flip=true",
    ),
    "mlp-batch-norm-r1": (
        *TINY_MLP,
        "penalty=r1",
        "architecture.discriminator.norm=batch",
        "architecture.generator.norm=batch",
        "architecture.discriminator.dropout=0",
    ),
    "mlp-feature-matching": (*TINY_MLP, "loss=feature_matching", "prior=uniform"),
    "mlp-relativistic-average": (*TINY_MLP, "loss=relativistic_average", "conditional=true"),
    "dcgan": ("again", *TINY_DCGAN, "dataset.size=16", "dataset.flip=true"),
    "resnet-conditional": (*TINY_RESNET, "conditional=true"),
    "semi-supervised": (
        *("model=semi_supervised", "model.labels=12", *TINY_MLP, "architecture.discriminator.norm=weight"),
        *("architecture.discriminator.noise=0.5", "architecture.discriminator.input_noise=0.3"),
    ),
    "rbm-persistent": (*MODELS["rbm"], "model.particles=6"),
    "dcgan-r1-r2-relativistic": (*TINY_DCGAN, "loss=relativistic", "penalty=[r1,r2]"),
    "dcgan-wgan-gp": (
        *TINY_DCGAN,
        "loss=wasserstein",
        "loss.clip=0",
        "penalty=gradient_penalty",
        "architecture.discriminator.norm=layer",
        "updates=optimistic",
    ),
    "dcgan-dragan-packed": (*TINY_DCGAN, "pack=2", "penalty=dragan", "updates=simultaneous", "reuse_fakes=true"),
    "dcgan-adaptively-augmented": (
        *TINY_DCGAN,
        "augment=[blit,geometric,ada_color]",
        *("augmentation.target=0.2", "augmentation.probability=0.5", "augmentation.adapt_images=200"),
        "discriminator.steps=2",
    ),
    "progressive-fade": (
        *TINY_PROGRESSIVE,
        "architecture.train_images=8",
        "architecture.fade_images=32",
        "architecture.discriminator.group=4",
        "penalty=r1",
        "reuse_fakes=true",
    ),
    "dcgan-minibatch-std-augmented": (
        *TINY_DCGAN,
        "architecture.discriminator.minibatch_std=true",
        "augment=[color,translation,cutout]",
        "instance_noise.sigma=0.1",
        "penalty=[consistency,r1]",
        "updates=extragradient",
    ),
}


@pytest.fixture(scope="module")
def games(tmp_path_factory):
    """All games, played by one process and by two: folder with a file for each game and process."""
    folder = tmp_path_factory.mktemp("games")
    cases = [" ".join((*case, "steps=3", "device=cpu", "devices=1")) for case in SAME_GAME.values()]
    script = str(Path(__file__).parents[1] / "processes.py")
    started = [
        subprocess.Popen([sys.executable, script, str(rank), str(world), str(folder), *cases], stderr=subprocess.PIPE)
        for world in (1, 2)
        for rank in range(world)
    ]
    for process in started:
        _, err = process.communicate(timeout=600)
        assert process.returncode == 0, err.decode()
    return folder


@pytest.mark.parametrize("number", range(len(SAME_GAME)), ids=SAME_GAME.keys())
def test_two_processes_compute_what_one_computes(games, number):
    alone, first, second = (torch.load(games / f"{number}-{who}.pt") for who in ("alone", "0", "1"))
    assert alone.keys() == first.keys()
    for name, value in alone.items():
        if value.is_floating_point():
            assert value.dtype == torch.float64
        torch.testing.assert_close(
            first[name], value, rtol=1e-6, atol=1e-9, msg=lambda text, name=name: f"{name} {text}"
        )
        assert torch.equal(first[name], second[name]), name


RUN = (
    *(*TINY_DCGAN, "sync_batchnorm=false", "discriminator.steps=2", "steps=8", "device=cpu"),
    *("log_every=3", "sample_every=4", "checkpoint_every=5", "keep_checkpoints=3"),
    *("metrics=precision_recall", "extractor=pixels", "evaluate_every=4"),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of two processes."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    command = [sys.executable, "-m", "gan_cli", *RUN, "devices=2", f"hydra.run.dir={folder}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return folder


def test_stopped_and_resumed_is_the_undisturbed_run(gan_train, whole):
    shutil.copytree(whole, "parts")
    Path("parts/checkpoints/step-000000008.pt").unlink()  # as a kill at step 8 leaves it
    Path("parts/samples/step-000000008.png").unlink()
    with Path("parts/metrics.jsonl").open("a") as file:
        file.write('{"step": 9, "torn')
    refused = gan_train("resume=parts", "devices=1")
    assert refused.code == 2
    assert refused.errors == [
        "gan-train: error: devices=1: the run was begun with devices=2 and goes on exactly only so: "
        "leave the key out, or start a new run"
    ]
    result = gan_train("resume=parts")
    assert result.code == 0, result.err
    assert_same_run(whole, Path("parts"))


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        # D's batch norm is synchronised
        ((*TINY_DCGAN, "architecture.discriminator.minibatch_std=true", "metrics=discriminator"), "jsd_bound"),
        ((*MODELS["vae"], "metrics=likelihood"), "nats"),  # nobody judges samples, which all would draw together
    ],
    ids=["D", "vae"],
)
def test_players_are_asked_by_one_process_as_if_it_were_the_only_one(keys, value):
    values = {}
    for devices in (1, 2):
        more = ("dataset.size=16", "steps=1", "device=cpu", "evaluate_count=64", f"devices={devices}")
        command = [sys.executable, "-m", "gan_cli", *keys, *more, f"hydra.run.dir=of-{devices}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)  # one that waits for ever is wrong
        assert done.returncode == 0, done.stderr
        values[devices] = metrics_in(Path(f"of-{devices}"))[-1]
    assert values[2] == pytest.approx(values[1], rel=1e-5, abs=1e-5)
    assert f"metric/{value}" in values[2]


def test_torchrun_makes_the_same_run_with_one_folder_and_one_log(whole):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "gan_cli"]
    done = subprocess.run([*torchrun, *RUN], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    run = run_folder()
    assert_same_run(whole, run)
    for folder in (whole, run):
        log = (folder / "train.log").read_text()
        assert log.count("finished 8 steps") == 1
        assert "2 processes" in log


def children(process: subprocess.Popen) -> list[int]:
    """Processes that another has started, in that order."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def gone(pids: list[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def status() -> tuple[str, str]:
    facts = json.loads(Path("run/status.json").read_text())
    return facts["status"], facts["reason"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc")
def test_whatever_ends_one_ends_all_and_the_run_goes_on(spawn, tmp_path, monkeypatch):
    left = tmp_path / "temporary"
    left.mkdir()
    monkeypatch.setenv("TMPDIR", str(left))

    def under_way(*keys: str) -> tuple[subprocess.Popen, list[int]]:
        lines = len(metrics_in(Path("run"))) if Path("run").exists() else 0
        process = spawn(*keys)
        while not Path("run/metrics.jsonl").exists() or len(metrics_in(Path("run"))) < lines + 2:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        return process, children(process)

    begin = (*TINY_MLP, "steps=1000000", "log_every=3", "checkpoint_every=0", "devices=2", "hydra.run.dir=run")
    process, pids = under_way(*begin)
    process.send_signal(signal.SIGHUP)  # as SIGINT and SIGTERM, on the same way
    _, err = process.communicate(timeout=600)
    assert (process.returncode, status()) == (129, ("interrupted", "by a signal"))
    assert "Traceback" not in err
    assert gone(pids)
    saved = state_in(Path("run"))["step"]
    assert saved > 0

    process, pids = under_way("resume=run")
    assert metrics_in(Path("run"))[-1]["step"] > saved
    os.kill(pids[1], signal.SIGKILL)
    _, err = process.communicate(timeout=600)
    reason = "process 1 (of 0 to 1) was killed by SIGKILL"
    assert (process.returncode, status()) == (1, ("failed", reason))
    assert err.splitlines()[-1].endswith(f"{reason}; continue: gan-train resume=run")
    assert gone(pids)

    process, pids = under_way("resume=run")
    process.kill()
    process.wait()
    deadline = time.monotonic() + 600
    while not gone(pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert gone(pids)
    assert list(left.iterdir()) == []


REFUSED = {
    ("devices=3",): "batch_size=8: is shared out equally by devices=3: must be a multiple of 3, such as batch_size=9",
    ("devices=4", "pack=4"): "batch_size=8: is shared out equally by devices=4 pack=4: must be a multiple of 16",
    ("devices=2", "device=cuda:1"): "device=cuda:1: is one device, and devices=2 wants 2",
    ("devices=2", "capture=true"): "capture=true: devices=2 average gradients within a move",
    ("devices=0",): "devices=0: must be at least 1",
}


@pytest.mark.parametrize(("keys", "message"), REFUSED.items(), ids=str)
def test_what_cannot_be_shared_is_refused_before_anything_is_made(gan_train, keys, message):
    result = gan_train(*TINY_MLP, *keys)
    assert result.code == 2
    assert len(result.errors) == 1
    assert message in result.errors[0]
    assert not Path("outputs").exists()


def test_torchrun_trains_no_sweep(monkeypatch, gan_train):
    for key, value in {
        "RANK": 0,
        "WORLD_SIZE": 2,
        "LOCAL_RANK": 0,
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": 1,
    }.items():
        monkeypatch.setenv(key, str(value))
    for keys in (("-m", "seed=0,1"), ("devices=3", "batch_size=9")):
        result = gan_train(*TINY_MLP, *keys)
        assert (result.code, len(result.errors)) == (2, 1), result.err
        assert "2 processes were started" in result.errors[0]


def test_a_mistake_that_every_process_finds_is_said_once(gan_train):
    result = gan_train(*TINY_MLP, "devices=2", "dataset=image_folder", "dataset.path=nowhere", "dataset.size=8")
    assert result.code == 2
    assert len(result.err.splitlines()) == 1, result.err
    assert "nowhere" in result.err
    assert not list(Path().glob("outputs/*/*"))


def test_slurm_s_variables_give_the_place_of_a_process(monkeypatch):
    step = {"SLURM_STEP_NUM_TASKS": "6", "SLURM_PROCID": "4", "SLURM_LOCALID": "1", "SLURM_JOB_ID": "5"}
    environ = {**step, "SLURM_STEP_ID": "2", "SLURM_STEP_NODELIST": "gpu[07-09,12],cpu1"}
    monkeypatch.setattr(os, "environ", environ)
    assert place.given() == place.Place(rank=4, world=6, local=1)
    assert (environ["MASTER_ADDR"], environ["MASTER_PORT"]) == ("gpu07", "20007")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match="a process for each CUDA device, and this machine has 1"):
        pick_device("auto", 1)
    environ["SLURM_GPUS_PER_TASK"] = "1"  # each task sees its own alone
    assert pick_device("auto", 1) == torch.device("cuda:0")
    monkeypatch.setattr(os, "environ", {**step, "SLURM_STEP_NUM_TASKS": "1"})  # no srun, or one process of it
    assert place.given() is None


HIDDEN = ("random", "signal", "queue", "types")


@pytest.mark.parametrize(
    ("keys", "files"),
    [
        (("devices=2",), HIDDEN),
        (("-m", "seed=0,1", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"), HIDDEN),
        ((), HIDDEN[:2]),  # this process itself begins with python -m
    ],
    ids=["devices", "joblib", "module"],
)
@pytest.mark.skipif(sys.version_info < (3, 11), reason="joblib's workers look into the current folder first")
def test_files_of_the_current_folder_hide_no_module_of_pythons_own(spawn, keys, files):
    code = "import os, sys; from gan_cli.cli import main; main()"
    for name in files:
        Path(f"{name}.py").write_text("raise SystemExit('hidden')")
    words = (*TINY_MLP, "steps=1", "sample_every=0", *keys)
    program = ["-m", "gan_cli"] if not keys else ["-c", f"import sys; sys.path.remove(''); {code}"]
    done = subprocess.run([sys.executable, *program, *words], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.version_info < (3, 11), reason="as above")
def test_nor_do_those_beside_the_package_as_in_a_clone():
    Path("gan_cli").symlink_to(Path(gan_cli.__file__).parent)
    for name in HIDDEN:
        Path(f"{name}.py").write_text("raise SystemExit('hidden')")
    words = [sys.executable, *program("gan_cli.parallel.rank")[1:-1], "gan_cli/__init__.py"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600)
    assert "is started by gan-train devices=…, not by hand" in done.stderr, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc")
def test_a_job_that_torchrun_starts_again_goes_on_where_it_was():
    again = [*RUN, "steps=60", "checkpoint_every=5", "evaluate_every=30", "sample_every=30"]
    undisturbed = [sys.executable, "-m", "gan_cli", *again, "devices=2", "hydra.run.dir=undisturbed"]
    subprocess.run(undisturbed, check=True, capture_output=True, timeout=600)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--max-restarts=1"]
    with subprocess.Popen([*torchrun, "-m", "gan_cli", *again], stderr=subprocess.PIPE, text=True) as process:
        while not list(Path("outputs").glob("*/*/checkpoints/step-000000010.pt")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        tasks = Path(f"/proc/{process.pid}/task").iterdir()
        pids = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
        ranks = [pid for pid in pids if b"gan_cli" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        os.kill(ranks[-1], signal.SIGKILL)
        _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert f"continuing {run_folder()} from step" in (run_folder() / "train.log").read_text()
    assert_same_run(Path("undisturbed"), run_folder())


def test_only_the_job_that_left_a_run_goes_on_with_it(gan_train, monkeypatch):
    keys = (*TINY_MLP, "sample_every=0", "hydra.run.dir=run")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert gan_train(*keys, "steps=2").code == 0
    assert gan_train(*keys, "steps=3").code == 2  # a supervisor, or a second command of the job
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert gan_train(*keys, "steps=3").code == 0
    assert state_in(Path("run"))["step"] == 3
    finished = gan_train(*keys, "steps=3")
    assert (finished.code, "finished already" in finished.err) == (0, True)
    refused = gan_train(*keys, "steps=4", "loss=hinge")
    assert (refused.code, len(refused.errors)) == (2, 1)
    assert "use another hydra.run.dir" in refused.errors[0]
    monkeypatch.setenv("SLURM_JOB_ID", "8")
    assert "holds a run already" in gan_train(*keys, "steps=4").err


@pytest.mark.parametrize(
    "where",
    ["${oc.env:SCRATCH}/g/${now:%Y-%m-%d}/${now:%H-%M-%S-%f}", "${oc.env:SCRATCH}/of-${name}/at${now:%H-%M-%S-%f}"],
)
def test_a_job_that_is_queued_again_finds_its_run_wherever_its_folder_lies(
    gan_train, monkeypatch, tmp_path_factory, where
):
    place = tmp_path_factory.mktemp("scratch")
    keys = (*TINY_MLP, "sample_every=0", "name=tried", f"hydra.run.dir={where}")
    monkeypatch.setenv("SCRATCH", str(place))
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert gan_train(*keys, "steps=2").code == 0
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert gan_train(*keys, "steps=3").code == 0
    (status,) = place.rglob("status.json")
    assert state_in(status.parent)["step"] == 3
