"""Tests drive the real command: in this process where only its result matters, as a process where signals do."""

from __future__ import annotations

import gc
import getpass
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import composed_once
import pytest
import torch
import warm as warm_commands
from hydra._internal.hydra import Hydra
from torch import Tensor

from gan_cli import cli
from gan_cli.commands.bench import peaks
from gan_cli.commands.bench.command import main as bench
from gan_cli.commands.dry_run import command as dry_run
from gan_cli.commands.dry_run import pace
from gan_cli.commands.sampling.keys import SAMPLING
from gan_cli.commands.tool import EVALUATION
from gan_cli.config.command import Command
from gan_cli.config.draft import check
from gan_cli.config.library import Library
from gan_cli.config.schema import Config, validate
from gan_cli.data.knows import DATASET
from gan_cli.data.minibatches import Minibatches
from gan_cli.games.game import Game
from gan_cli.runs import peak
from gan_cli.training.build import build
from gan_cli.training.outline import blank, label_count
from gan_cli.training.setup import Setup
from gan_cli.training.switches import Switches

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, by every process that a test starts too
os.environ["OMP_NUM_THREADS"] = "1"  # tiny networks, and several processes at a time
torch.set_num_threads(1)
HEARD = [signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2]
composed_once.install()

TINY_MLP = (
    "experiment=lecture",
    "architecture=mlp",
    "architecture.generator.hidden=[16]",
    "architecture.discriminator.hidden=[16]",
    "dataset.size=8",
    "dataset.limit=64",
    "prior.size=4",
    "batch_size=8",
    "sample_count=4",
)
TINY_DCGAN = (
    "experiment=lecture",
    "architecture.width=4",
    "dataset.size=8",
    "dataset.limit=64",
    "prior.size=4",
    "batch_size=8",
    "sample_count=4",
)
TINY_PROGRESSIVE = (  # 4 × 4 up to 24 images, 8 × 8 fades in up to 56, 16 × 16 from 80 to 112
    "experiment=lecture",
    "architecture=progressive",
    "architecture.base=32",
    "architecture.most=8",
    "architecture.train_images=24",
    "architecture.fade_images=32",
    "dataset.size=16",
    "dataset.limit=64",
    "prior.size=4",
    "batch_size=8",
    "sample_count=4",
)
TINY_RESNET = (
    "experiment=lecture",
    *("architecture=resnet", "architecture.width=4", "architecture.discriminator.smallest=4"),
    *("dataset.size=8", "dataset.limit=64", "prior.size=4", "batch_size=8", "sample_count=4"),
)
TINY_R3GAN = (
    "experiment=lecture",
    *("architecture=r3gan", "architecture.width=8", "architecture.group=4"),
    *("dataset.size=8", "dataset.limit=64", "prior.size=4", "batch_size=8", "sample_count=4"),
)
TINY_POINTS = (
    "experiment=lecture",
    "architecture=mlp",
    "dataset=ring",
    "dataset.points=200",
    "architecture.generator.hidden=[8]",
    "architecture.discriminator.hidden=[8]",
    "prior.size=2",
    "batch_size=8",
    "sample_count=4",
)

HERE = Path(__file__).parent / "data"
TINY_TABLE = (  # two columns of numbers, one of them with gaps, and categories
    *("experiment=table", f"dataset.path={HERE / 'people.csv'}", "metrics=[]", "batch_size=8", "discriminator.steps=2"),
    *("architecture.generator.hidden=[8]", "architecture.discriminator.hidden=[8]", "prior.size=4", "sample_count=4"),
)
TINY_SIGNALS = (  # of two channels
    *("experiment=signals", f"dataset.path={HERE / 'waves.npy'}", "dataset.length=16", "batch_size=8"),
    *("architecture.width=4", "architecture.kernel=3", "prior.size=4", "sample_count=4"),
)

TINY_PICTURES = ("dataset.size=8", "dataset.limit=64", "batch_size=8", "sample_count=4")
FEW_POINTS = ("dataset=ring", "dataset.points=200", "batch_size=8", "sample_count=4")
MODELS = {  # every option of model=… but gan, tiny: each keeps the promises in tests/games/test_models.py
    "ngram": ("model=ngram", "model.n=4", *TINY_PICTURES),
    "fvsbn": ("model=fvsbn", *TINY_PICTURES),
    "fvsbn-grey": ("model=fvsbn", "model.levels=16", "conditional=true", *TINY_PICTURES),
    "made": ("model=made", "model.hidden=[16,12]", "model.masks=3", "model.order=random", *TINY_PICTURES),
    "nice": ("model=nice", "model.hidden=[16]", *TINY_PICTURES),
    "realnvp": ("model=realnvp", "model.width=4", "model.couplings=2", "conditional=true", *TINY_PICTURES),
    "realnvp-points": ("model=realnvp", "model.hidden=[8]", *FEW_POINTS),
    "maf": (
        "model=maf",
        "model.hidden=[16]",
        "model.layers=2",
        "conditional=true",
        "dataset.size=4",
        *TINY_PICTURES[1:],
    ),
    "spline_flow": ("model=spline_flow", "model.hidden=[8]", "model.bins=4", "model.layers=2", *FEW_POINTS),
    "spline_flow-conditions": (
        *("model=spline_flow", "model.hidden=[8]", "model.bins=4", "model.layers=2", "conditional=true"),
        *("dataset=pendulum", *FEW_POINTS[1:]),
    ),
    "pixelcnn": ("model=pixelcnn", "model.layers=2", "model.width=6", *TINY_PICTURES),
    "vae": ("model=vae", *TINY_DCGAN),
    "vae-iwae": ("model=vae", "model.importance_samples=3", "conditional=true", *TINY_MLP),
    "vae-points": ("model=vae", *TINY_POINTS),
    "vae_gan": ("model=vae_gan", "penalty=[r1]", "penalty.r1.interval=2", "conditional=true", *TINY_DCGAN),
    "vae_gan-gaussian": ("model=vae_gan", "model.likelihood=gaussian", "loss=feature_matching", *TINY_MLP),
    "adversarial_autoencoder": ("model=adversarial_autoencoder", "discriminator.steps=2", *TINY_MLP),
    "semi_supervised": (
        *("model=semi_supervised", "model.labels=20", "penalty=[r1]", "penalty.r1.interval=2"),
        *("architecture.discriminator.norm=weight", "architecture.discriminator.noise=0.5", *TINY_MLP),
    ),
    "semi_supervised-dcgan": ("model=semi_supervised", "model.labels=30", "loss=hinge", "augment=[color]", *TINY_DCGAN),
    "rbm": ("model=rbm", "model.hidden=6", "model.particles=5", "model.chain=9", "schedule=constant", *TINY_PICTURES),
    "dbm": (
        "model=dbm",
        "model.hidden=[6,5]",
        "model.particles=5",
        "model.chain=9",
        "schedule=constant",
        *TINY_PICTURES,
    ),
    "rbm-gaussian": (
        "model=rbm",
        "model.visible=gaussian",
        "model.chains=contrastive",
        "model.centring=false",
        "model.hidden=22",
        "model.chain=5",
        "model.ais_temperatures=20",
        "optimizer=adam_paper",
        "schedule=constant",
        *TINY_PICTURES,
    ),
}


def pytest_collection_finish():
    """Dry runs collect garbage to measure memory: what is there for all tests need not be looked at each time."""
    gc.collect()
    gc.freeze()


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What a tool said on stderr."""
        return [line.removeprefix("gan-sample: error: ") for line in self.err.splitlines()]

    @property
    def errors(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("gan-train: error: ")]


@pytest.fixture(scope="session", autouse=True)
def _temporary_files(tmp_path_factory):
    """What is left behind by a process that is killed, or by torchrun, goes with the other files of these tests."""
    compiled = Path(tempfile.gettempdir(), f"torchinductor_{getpass.getuser()}")  # for all of them, by its contents
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", os.environ.get("TORCHINDUCTOR_CACHE_DIR", str(compiled)))
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))
        patch.setattr(tempfile, "tempdir", None)
        yield


@pytest.fixture(autouse=True)
def _clean(tmp_path, monkeypatch):
    """Each test has an empty current folder, and leaves logging and torch as they were."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level
    modules = set(sys.modules)
    named = [logging.getLogger(name) for name in ("hydra", "hydra_plugins")]
    levels = [logger.level for logger in named]
    switches = Switches()
    heard = {number: signal.getsignal(number) for number in HEARD}
    yield
    for number, before in heard.items():  # a notebook that is run in this process leaves others
        signal.signal(number, before)
    for logger, before in zip(named, levels, strict=True):
        logger.setLevel(before)
    for handler in set(logging.getLogger().handlers) - set(handlers):
        handler.close()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)
    switches.restore()
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def gan_train(capfd, monkeypatch):
    """Runs a command in this process, in the current folder."""
    monkeypatch.setattr(Hydra, "get_mode", lambda *_, **__: None)  # else it composes again, to look for hydra.mode

    def call(*arguments: str) -> Result:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["gan-train", *arguments])
        code = cli._exit_code(lambda: cli._train(sys.argv[1:]))
        os.environ.pop("HYDRA_FULL_ERROR", None)
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return call


def _called(tool, capfd):
    def call(*arguments: str) -> Result:
        capfd.readouterr()
        code = cli._exit_code(lambda: tool.main(arguments), f"gan-{tool.name}")
        os.environ.pop("HYDRA_FULL_ERROR", None)
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return call


@pytest.fixture
def gan_sample(capfd):
    """Runs the command in this process, in the current folder."""
    return _called(SAMPLING, capfd)


@pytest.fixture
def gan_eval(capfd):
    """Runs the command in this process, in the current folder."""
    return _called(EVALUATION, capfd)


@pytest.fixture
def gan_bench(capfd, monkeypatch):
    """Runs the command in this process, in the current folder, with short races."""
    monkeypatch.setattr(peaks, "CALLS", 1)
    monkeypatch.setattr(peaks, "SECONDS", 0.0)
    monkeypatch.setattr(peaks, "SIDES", {"cpu": (64, 1, 1)})

    def call(*arguments: str) -> Result:
        capfd.readouterr()
        code = cli._exit_code(lambda: bench(arguments), "gan-bench")
        os.environ.pop("HYDRA_FULL_ERROR", None)
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return call


@pytest.fixture
def few_samples(monkeypatch):
    """A dry run measures memory and time in steps of few samples alone, however large the model."""
    monkeypatch.setattr(peak, "ENOUGH", 0)
    monkeypatch.setattr(pace, "MOST", 1)


@pytest.fixture
def unmeasured(monkeypatch):
    """A dry run builds everything and tries a pass of it, and says nothing of memory and time."""
    monkeypatch.setattr(dry_run, "peak_of", lambda setup: None)
    monkeypatch.setattr(dry_run, "pace_of", lambda *_: None)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Trains two steps with some keys, once for all tests of this process: the run folder."""
    made: dict[tuple[str, ...], Path] = {}

    def call(*keys: str) -> Path:
        if keys not in made:
            made[keys] = tmp_path_factory.mktemp("trained") / "run"
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sys, "argv", ["gan-train"])
                arguments = ["steps=2", "sample_every=1", f"hydra.run.dir={made[keys]}", *keys]
                assert cli._exit_code(lambda: cli._train(arguments)) == 0
            os.environ.pop("HYDRA_FULL_ERROR", None)
        return made[keys]

    return call


@pytest.fixture(scope="session")
def warm():
    """What starts commands in a moment; None where this system cannot."""
    if not warm_commands.possible():
        yield None
        return
    server = warm_commands.Server()
    yield server
    server.close()


@pytest.fixture
def spawn(warm):
    """Starts the command as a process of its own, in the current folder."""
    started: list[warm_commands.Command] = []

    def call(*arguments: str) -> warm_commands.Command:
        started.append(warm_commands.Command(warm, arguments) if warm else cold_command(*arguments))
        return started[-1]

    yield call
    _ended(started)


@pytest.fixture
def spawn_cold():
    """Starts the command as a process that begins with Python itself."""
    started: list[subprocess.Popen] = []

    def call(*arguments: str, **options) -> subprocess.Popen:
        started.append(cold_command(*arguments, **options))
        return started[-1]

    yield call
    _ended(started)


def cold_command(*arguments: str, **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "gan_cli", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def _ended(started: Sequence[subprocess.Popen | warm_commands.Command]) -> None:
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def config_of(*keys: str) -> Config:
    """The config that a command composes to."""
    return _composed(keys)[0]


def outline_of(*keys: str) -> Game | None:
    """The game that a command builds, without memory: every layer with its shape."""
    config, library = _composed(keys)
    dataset = library.build(DATASET, config.dataset)
    return blank(config, library, dataset.shape, label_count(config, dataset.classes))


def setup_of(*keys: str) -> Setup:
    """What a command builds and would train."""
    return build(*_composed(keys))


def minibatch_of(minibatches: Minibatches, player: str, drawn: int, size: int) -> tuple[Tensor, Tensor | None]:
    """A player's minibatch after ``drawn`` samples, scaled, and its labels, as a move of the training has them."""
    rows, labels = minibatches.rows(player, drawn, size)
    return minibatches.scaled(rows), labels


def _composed(keys: tuple[str, ...]) -> tuple[Config, Library]:
    command = Command.parse(keys)
    library = Library(*command.config_dirs)
    return check(command, library, validate), library


def run_folder(parent: Path = Path("outputs")) -> Path:
    """The one run folder there is."""
    (found,) = (path.parent for path in parent.glob("*/*/status.json"))
    return found


def state_in(folder: Path) -> dict:
    """The newest checkpoint of a run folder."""
    path = max((folder / "checkpoints").glob("step-*.pt"))
    return torch.load(path, weights_only=True)


def killed_at(process: subprocess.Popen | warm_commands.Command, checkpoint: str) -> None:
    """Ends a command by ``kill -9`` once there is a file of this name, a pattern."""
    deadline = time.monotonic() + 600
    while not list(Path().glob(checkpoint)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def metrics_in(folder: Path, clock: bool = False) -> list[dict]:
    """The lines of metrics.jsonl, without the fields that tell the time."""
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{k: v for k, v in r.items() if clock or k not in ("seconds", "images_per_second")} for r in records]


def tensors(node, prefix: str = "") -> dict[str, torch.Tensor]:
    """Every tensor of a nested state, by its path."""
    if isinstance(node, torch.Tensor):
        return {prefix: node}
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return {path: tensor for key, value in items for path, tensor in tensors(value, f"{prefix}/{key}").items()}


def assert_same_run(one: Path, other: Path) -> None:
    """The same bytes in every tensor of the last checkpoint, the same pictures, the same metrics."""
    ours, theirs = tensors(state_in(one)), tensors(state_in(other))
    assert ours.keys() == theirs.keys()
    different = [name for name in ours if ours[name].numpy().tobytes() != theirs[name].numpy().tobytes()]
    assert not different
    assert metrics_in(one) == metrics_in(other)
    pictures = [{p.name: p.read_bytes() for p in (run / "samples").iterdir()} for run in (one, other)]
    assert pictures[0] == pictures[1]
