"""The commands a user types, and what they leave behind."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import pytest
import torch
import yaml
from conftest import HERE, TINY_DCGAN, TINY_POINTS, config_of, outline_of, run_folder, state_in
from PIL import Image

import gan_cli
from gan_cli.config.library import Library, shipped_conf
from gan_cli.config.options import GROUPS
from gan_cli.sweeps.search.space import parse


def python(code: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, **options)


# --- what must be quick ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "arguments",
    [
        *(["--cfg", "job"], ["--help"], ["--help", "loss", "speed"]),
        *(["--version"], ["stepz=3"], ["-sc", "install=bash"]),
    ],
)
def test_showing_and_refusing_never_import_torch(arguments):
    code = f"""
import sys
sys.argv = ["gan-train", *{arguments!r}]
from gan_cli.cli import main
try:
    main()
except SystemExit as end:
    assert end.code == {2 if "stepz=3" in arguments else 0}, end.code
assert "torch" not in sys.modules
assert "torchvision" not in sys.modules
"""
    result = python(code)
    assert result.returncode == 0, result.stderr


def test_the_composed_config_can_be_read_and_piped(gan_train, spawn):
    result = gan_train("steps=7", "--cfg", "job", "loss=minimax")  # flags may come anywhere
    assert result.code == 0
    assert "steps: 7" in result.out
    assert "name: minimax" in result.out
    assert not Path("outputs").exists()
    shown = yaml.safe_load(result.out)
    groups = [key for key in shown if key in Library().groups()]
    assert sorted(groups) == Library().groups()  # those without an option too
    assert [shown[key] for key in ("metrics", "experiment", "sweep", "model")] == [[], "default", None, {"name": "gan"}]
    every = gan_train("experiment=dcgan_r1", "--cfg", "all").out
    assert not re.search(r"^ *(class|schema):", every[every.index("\ndataset:") :], re.MULTILINE)
    some = gan_train("experiment=dcgan_r1", "--cfg", "job", "--package", "penalty", "--resolve")
    assert yaml.safe_load(some.out)["r1"]["anneal_images"] == 0
    assert gan_train("--cfg", "job", "--package", "lozz").errors == [
        "gan-train: error: --package lozz: is not in the config: gan-train --cfg job"
    ]
    assert yaml.safe_load(gan_train("-m", "experiment=ring,grid", "--cfg", "job").out)["experiment"] == "ring"
    head = subprocess.run(
        f"{sys.executable} -m gan_cli --cfg job | head -1", shell=True, capture_output=True, text=True
    )
    assert head.stderr == ""


def test_help_is_short_and_lists_every_option(gan_train):
    out = gan_train("--help").out
    assert len(out.splitlines()) <= 75
    library = Library()
    for group in library.groups():
        for option in library.options(group):
            assert re.search(rf"\b{option}\b", out), option


def test_help_of_a_group_says_what_each_option_is_for(gan_train):
    out = gan_train("--help", "loss").out
    assert "loss=hinge\n    Hinge (Lim & Ye 2017" in out
    assert sum(line.startswith("loss=") for line in out.splitlines()) == len(Library().options("loss"))
    assert "no such group, option, key or topic (did you mean 'penalty'?)" in gan_train("--help", "penalties").err


def test_version_and_info(gan_train):
    assert gan_train("--version").out == f"gan-train {gan_cli.__version__}\n"
    info = gan_train("--info").out
    assert torch.__version__.split("+")[0] in info
    assert str(shipped_conf()) in info
    assert "Config search path" in gan_train("--info", "searchpath").out


def test_hydras_flags_have_texts_where_python_looks_at_them(gan_train, monkeypatch):
    """Python 3.14 looks for ``%`` in each help text as it is added; so does this."""
    from argparse import _ActionsContainer

    from hydra._internal.utils import get_args_parser

    from gan_cli.commands.hydra_help import texts_for_help

    added = _ActionsContainer.add_argument

    def looked_at(self, *names, **options):
        assert "%" not in options.get("help", "")
        return added(self, *names, **options)

    monkeypatch.setattr(_ActionsContainer, "add_argument", looked_at)
    with texts_for_help():
        get_args_parser().format_help()
    assert "Config search path" in gan_train("--info", "searchpath").out


# --- config files ----------------------------------------------------------------------------------------------------
NAMED = {"classes": "only"}  # a dataset's own `classes` are all that the source has


def test_every_shipped_option_composes_checks_and_fits_its_class():
    import inspect

    library = Library()
    for group in GROUPS:
        for name in library.options(group):
            text = library.file(group, name).read_text()
            assert text.startswith("# "), f"{group}/{name}.yaml says what it is"
            cls = library.load(group, name)
            named = NAMED if group == "dataset" else {}
            wanted = {named.get(key, key) for key in library.schema(group, name).model_fields} - {"name"}
            parameters = inspect.signature(cls).parameters
            taken = {key for key in parameters if key in wanted or parameters[key].default is not None}
            assert wanted == taken, f"{group}/{name}"


def opening_of(group: str, name: str) -> str:
    """The command a preset opens with."""
    first, second = (shipped_conf() / group / f"{name}.yaml").read_text().splitlines()[:2]
    assert first == "# @package _global_"
    assert f"{group}={name}" in second
    return second


# for a GPU, or for hours: built without memory, and not tried
LARGE = {
    "made_mnist_8000",
    "progressive",
    "sngan_resnet",
    "wgan_gp_resnet",
    *(f"r3gan_{size}" for size in (32, 64, 128, 256)),
}


NO_PICTURES = {
    "table": [f"dataset.path={HERE / 'people.csv'}"],
    "signals": [f"dataset.path={HERE / 'waves.npy'}", "dataset.length=16"],
}


@pytest.mark.parametrize("name", Library().options("experiment"))
def test_every_experiment_composes_and_opens_with_its_command(gan_train, few_samples, name):
    opening, path = opening_of("experiment", name), []
    assert opening.startswith("#   gan-train ")
    if name in NO_PICTURES:
        path = NO_PICTURES[name]
    elif " dataset.path=" in opening:
        Path("pictures").mkdir()
        Image.new("RGB", (8, 8)).save("pictures/one.png")
        path = ["dataset.path=pictures"]
    if name in LARGE:
        assert outline_of(f"experiment={name}", *path)
        return
    result = gan_train(f"experiment={name}", *path, "dry_run=true")
    assert result.code == 0, result.err


def test_a_presets_penalties_can_be_left_out(gan_train):
    result = gan_train("experiment=ring", "penalty=[]", "steps=1", "dataset.points=300", "hydra.run.dir=run")
    assert result.code == 0, result.err
    assert state_in(Path("run"))["config"]["penalty"] == {}
    assert "penalty.r2: is not chosen" in gan_train("penalty.r2.weight=5").err


@pytest.mark.parametrize("name", Library().options("sweep"))
def test_every_sweep_opens_with_its_command_and_has_values_that_can_be_run(gan_train, unmeasured, name):
    assert opening_of("sweep", name).startswith("#   gan-train -m sweep=")
    space = yaml.safe_load((shipped_conf() / "sweep" / f"{name}.yaml").read_text())
    assert space["name"] == name
    for dimension in parse([], space["hydra"]["sweeper"]["params"])[0]:
        texts = sorted({dimension.text(dimension.draw(random.Random(seed))) for seed in range(60)})
        for text in texts if len(texts) < 20 else texts[:2]:  # every value of a list, two of an interval
            if outline_of(text) and text != texts[0]:  # some networks of other packages cannot be built without memory
                continue
            result = gan_train(text, "dry_run=true")
            assert result.code == 0, result.err


# --- runs ------------------------------------------------------------------------------------------------------------
def test_a_run_leaves_what_the_contract_says(gan_train):
    result = gan_train(*TINY_DCGAN, "steps=6", "sample_every=3", "checkpoint_every=2", "log_every=2")
    assert result.code == 0
    folder = run_folder()
    assert re.fullmatch(r"outputs/\d{4}-\d\d-\d\d/\d\d-\d\d-\d\d", folder.as_posix())
    left = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert left == [
        ".hydra/config.yaml",
        ".hydra/hydra.yaml",
        ".hydra/overrides.yaml",
        "checkpoints/step-000000004.pt",
        "checkpoints/step-000000006.pt",
        "metrics.jsonl",
        "samples/real.png",
        "samples/step-000000003.png",
        "samples/step-000000006.png",
        "status.json",
        "train.log",
    ]
    status = json.loads((folder / "status.json").read_text())
    assert (status["status"], status["step"], status["images"]) == ("finished", 6, 48)
    log = (folder / "train.log").read_text()
    assert "\x1b" not in log
    assert f"last samples: {folder}/samples/step-000000006.png" in log
    assert f"last samples: {folder}/samples/step-000000006.png" in result.err
    with Image.open(folder / "samples/step-000000006.png") as picture:
        assert picture.size == (176, 176)  # 2 × 2 pictures of 8 with borders of 2, enlarged 8 times


def test_runs_that_begin_in_the_same_second_have_folders_of_their_own(spawn):
    runs = [spawn(*TINY_POINTS, "steps=2", f"seed={i}") for i in range(3)]
    for run in runs:
        _, err = run.communicate(timeout=600)
        assert run.returncode == 0, err
    assert len(list(Path("outputs").glob("*/*/status.json"))) == 3


def test_a_dry_run_shows_everything_and_writes_nothing(gan_train):
    result = gan_train("dry_run=true", "dataset=cifar10", "conditional=true")
    assert result.code == 0, result.err
    for text in (
        "data: 50,000 samples of cifar10, 3×32×32, of 10 classes; 10,000 held out",
        "length: 2,800 steps of 32 samples: 89,600 seen, 1.8 epochs",
        "time: about",
        "memory: about",
        "disk: about",
        "ConvTranspose2d",
        "(3, 32, 32)",
        "nothing was written",
    ):
        assert text in result.out.replace("\n", " ")
    assert "name: cifar10" not in result.out
    total = sum(int(n.replace(",", "")) for n in re.findall(r"total\s*│\s*│\s*│\s*([\d,]+)", result.out))
    from gan_cli.training.outline import game_of

    config = config_of("dataset=cifar10", "conditional=true")
    made = game_of(config, Library(), (3, 32, 32), 10, torch.device("cpu")).networks
    assert total == sum(p.numel() for network in made.values() for p in network.parameters())
    assert list(Path().iterdir()) == []
    assert gan_train("dry_run=true", "dataset=image_folder", "dataset.path=nowhere").code == 2


def test_a_sweep_runs_every_combination(gan_train):
    result = gan_train("-m", *TINY_POINTS, "steps=2", "loss=minimax,non_saturating", "seed=0,1")
    assert result.code == 0, result.err
    runs = sorted(path.parent.name for path in Path("outputs/sweeps").glob("*/*/status.json"))
    assert runs == [f"loss-{loss}_seed-{seed}" for loss in ("minimax", "non_saturating") for seed in (0, 1)]


def test_one_bad_run_does_not_stop_a_sweep(gan_train):
    options = (*TINY_POINTS, "steps=3", "log_every=1", "optimizer=sgd", "loss=maximum_likelihood")
    result = gan_train("-m", *options, "optimizer.lr=1e30,1e-3")
    assert result.code == 3
    found = {json.loads(p.read_text())["status"] for p in Path("outputs/sweeps").glob("*/*/status.json")}
    assert found == {"diverged", "finished"}


def test_conditional_samples_are_ordered_by_label(gan_train):
    assert gan_train(*TINY_DCGAN, "conditional=true", "steps=2", "sample_count=20").code == 0
    with Image.open(run_folder() / "samples/step-000000002.png") as picture:
        assert picture.width > 4 * picture.height  # a column for each of ten digits, two rows


def test_hints_say_what_the_numbers_mean(gan_train):
    stuck = (
        "experiment=lecture dataset=gaussian dataset.mean=5 architecture=mlp loss=minimax prior.size=1 steps=400 "
        "optimizer.lr=1e-2 generator.lr=1e-4 architecture.generator.hidden=[8] sample_count=4 "
        "architecture.discriminator.hidden=[16] architecture.discriminator.dropout=0 "
        "architecture.discriminator.input_dropout=0"
    )
    result = gan_train(*stuck.split())
    assert result.err.count("hint: ") == 1
    assert "it has all but vanished: try loss=non_saturating" in result.err
    assert "hint" not in gan_train(*stuck.split(), "loss=non_saturating", "generator.lr=1e-2").err
    constant = "architecture=mlp prior.scale=1e-9 dataset.size=8 dataset.limit=64 steps=2 batch_size=8"
    assert "the same sample for every z" in gan_train("experiment=lecture", *constant.split()).err


# --- one's own parts -------------------------------------------------------------------------------------------------
OWN = {
    "mine.py": """
        import numpy as np, torch
        from torch import nn
        from gan_cli.data import Samples

        class Stripes:
            def __init__(self, size: int, count: int = 40):
                self.size, self.count = size, count
                self.shape = (1, size, size)
            def load(self):
                rows = np.arange(self.size, dtype=np.uint8)[:, None] * np.ones(self.size, np.uint8)
                return Samples(np.stack([rows] * self.count)[:, None])

        class Soft:
            def __init__(self, target: float):
                if target > 1:
                    raise ValueError(f"loss.target={target}: is a probability")
                self.target = target
            def discriminator(self, real, fake):
                return (real.sigmoid() - self.target).square().mean() + fake.sigmoid().square().mean()
            def generator(self, fake, real=None):
                return (fake.sigmoid() - self.target).square().mean()

        class Sphere:
            def __init__(self, size: int):
                self.size = size
            def sample(self, n, device="cpu", generator=None):
                z = torch.randn(n, self.size, device=device, generator=generator)
                return z / z.norm(dim=1, keepdim=True)

        class Flat:
            def generator(self, latent, shape, classes):
                return Pixels(latent, shape)
            def discriminator(self, shape, classes):
                return Judge(shape)

        class Pixels(nn.Module):
            def __init__(self, latent, shape):
                super().__init__()
                self.linear, self.shape = nn.Linear(latent, shape[0] * shape[1] * shape[2]), shape
            def forward(self, z, labels=None):
                return self.linear(z).tanh().unflatten(1, self.shape)

        class Judge(nn.Module):
            def __init__(self, shape):
                super().__init__()
                self.linear = nn.Linear(shape[0] * shape[1] * shape[2], 1)
            def forward(self, x, labels=None):
                return self.linear(x.flatten(1)).squeeze(1)
    """,
    "my_conf/dataset/stripes.yaml": "name: stripes\nclass: mine.Stripes\nsize: 8\ncount: 50\n",
    "my_conf/loss/soft.yaml": "name: soft\nclass: mine.Soft\ntarget: 0.9\n",
    "my_conf/prior/sphere.yaml": "name: sphere\nclass: mine.Sphere\nsize: 6\n",
    "my_conf/architecture/flat.yaml": "name: flat\nclass: mine.Flat\n",
}
MINE = ("--config-dir", "my_conf", "dataset=stripes", "loss=soft", "prior=sphere", "architecture=flat", "batch_size=8")


@pytest.fixture
def own():
    for name, text in OWN.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(textwrap.dedent(text))


def test_own_parts_take_one_class_and_one_yaml_each(gan_train, own):
    result = gan_train(*MINE, "steps=3", "hydra.run.dir=run")
    assert result.code == 0, result.err
    assert state_in(Path("run"))["config"]["loss"] == {"name": "soft", "target": 0.9}
    sampler = gan_cli.load("run", config_dir="my_conf")
    assert sampler.sample(3).shape == (3, 1, 8, 8)
    assert gan_train("--config-dir", "my_conf", "resume=run", "steps=5").code == 0
    refused = gan_train("resume=run", "steps=6")  # nothing of the user's runs unless the folder is named again
    assert refused.code == 2
    assert "loss=soft: no such option" in refused.err
    assert "--config-dir" in refused.err


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("loss.target=high", "loss.target=high: must be a number"),
        ("loss.goal=1", "loss.goal=1: no such key"),
        ("loss.target=2", "loss.target=2.0: is a probability"),
        ("dataset.size=8.5", "dataset.size=8.5: must be a whole number"),
        ("loss=soff", "loss=soff: no such option (did you mean 'soft'?)"),
    ],
)
def test_mistakes_in_own_options_are_named_too(gan_train, own, override, message):
    result = gan_train(*MINE, override)
    assert result.code == 2
    assert message in result.err
    assert not Path("outputs").exists() or not list(Path("outputs").rglob("*.*"))


def test_broken_own_parts_are_named(gan_train, own):
    Path("my_conf/loss/lost.yaml").write_text("name: lost\nclass: mine.Lost\n")
    Path("my_conf/loss/nameless.yaml").write_text("target: 1\n")
    Path("my_conf/loss/torn.yaml").write_text("name: [torn\n")
    for name, message in {
        "lost": "cannot import class mine.Lost",
        "nameless": "name: nameless",
        "torn": "torn.yaml",
    }.items():
        result = gan_train(*MINE, f"loss={name}")
        assert result.code == 2, result.err
        assert message in result.err
        assert len(result.err.splitlines()) == 1


# --- Python ----------------------------------------------------------------------------------------------------------
def test_load_gives_the_averaged_generator_and_its_samples(gan_train):
    assert gan_train(*TINY_DCGAN, "steps=4", "hydra.run.dir=run", "ema_half_life=20").code == 0
    sampler = gan_cli.load("run")
    samples = sampler.sample(5, seed=3)
    assert (samples.shape, samples.dtype) == ((5, 1, 8, 8), torch.float32)
    assert samples.abs().max() <= 1
    assert torch.equal(samples, gan_cli.load("run/checkpoints/step-000000004.pt").sample(5, seed=3))
    assert not torch.equal(samples, sampler.sample(5, seed=4))
    assert torch.allclose(samples, sampler.sample(5, seed=3, batch_size=2), atol=1e-6)
    ema = state_in(Path("run"))["ema"]
    assert torch.equal(sampler.network.state_dict()["project.weight"], ema["project.weight"])
    assert sampler.prior.size == 4
    assert sampler.config.dataset.name == "digits"


def test_load_points_and_labels(gan_train):
    assert gan_train(*TINY_POINTS, "conditional=true", "steps=2", "hydra.run.dir=run").code == 0
    sampler = gan_cli.load("run")
    assert sampler.sample(9).shape == (9, 2)
    assert sampler.sample(2, labels=torch.tensor([7, 7])).shape == (2, 2)
    with pytest.raises(ValueError, match="below 8"):
        sampler.sample(2, labels=torch.tensor([0, 8]))
    with pytest.raises(ValueError, match="n=0"):
        sampler.sample(0)


def test_load_names_what_it_cannot_read():
    with pytest.raises(ValueError, match="no such file or folder"):
        gan_cli.load("nowhere.pt")
    Path("empty").mkdir()
    with pytest.raises(ValueError, match="has no checkpoints"):
        gan_cli.load("empty")


def test_ema_is_the_average_it_says():
    from gan_cli.config.batch_sizes import BatchSizes
    from gan_cli.training.ema import EMA

    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(network.weight)
    ema = EMA(network, half_life=100, batch_sizes=BatchSizes(10))
    torch.nn.init.ones_(network.weight)
    for step in range(101, 111):  # past the ramp: 100 images are one half-life
        ema.update(step)
    assert ema.network.weight.item() == pytest.approx(0.5, abs=1e-6)


# --- the wheel -------------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_the_wheel_runs_from_anywhere_without_the_checkout(tmp_path):
    source = Path(gan_cli.__file__).resolve().parents[1]
    if not (source / "pyproject.toml").exists():
        pytest.skip("not run from a checkout")
    build = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(tmp_path / "dist"),
        str(source),
    ]
    subprocess.run(build, check=True, capture_output=True, timeout=600)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert wheel.stat().st_size < 4_000_000
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        assert "gan_cli/conf/config.yaml" in archive.namelist()
        archive.extractall(site)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    code = "from gan_cli.commands.pages import pages; print(pages()['resume'].read_text('utf-8'), pages()['resume'])"
    where = python(code, cwd=elsewhere, env=environment)
    assert where.stdout.startswith("# Go on with a run"), where.stderr
    assert str(site) in where.stdout
    began = time.time()
    run = subprocess.run(
        [sys.executable, "-m", "gan_cli", *TINY_DCGAN, "steps=2"],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr
    assert time.time() - began < 300
    assert run_folder(elsewhere / "outputs")
