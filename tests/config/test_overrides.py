"""What is typed arrives as it was meant, whatever characters it is made of, and folders are where the config says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from conftest import TINY_POINTS, config_of, state_in
from PIL import Image

from gan_cli.commands.sampling.keys import SAMPLING
from gan_cli.commands.tool import EVALUATION
from gan_cli.config.command import Command
from gan_cli.config.draft import check
from gan_cli.config.library import Library
from gan_cli.config.quoting import PATHS, as_text, folder_name
from gan_cli.config.reading_overrides import read
from gan_cli.config.root import Root
from gan_cli.config.schema import validate
from gan_cli.config.texts import is_text
from gan_cli.errors import UserError

QUICK = (*TINY_POINTS, "steps=1", "sample_every=0", "log_every=1")
FOLDER = ("dataset=image_folder", "architecture=mlp", "dataset.size=8", "batch_size=2", "steps=1", "sample_count=4")
NAMES = [
    *("bücher", "two words", "a (1)", "a,b", "x=y", "#1", "1_0", "1e5", "true", "null-1", "it's", '"so"', "[a]", "{b}"),
    *("back\\slash", "50%", "a:b", "$HOME", "写真", "'quoted' twice", "choice", "-1", "end "),
]


# --- text stays text -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", ["2024_01", "1e5", "true", "007", "1_0", "inf", "a,b", "2024-01-31", "ü"])
def test_a_text_key_keeps_what_looks_like_a_number_a_choice_or_a_list(text):
    assert config_of("dataset=ring", "architecture=mlp", f"name={text}").name == text


@pytest.mark.parametrize("flags", [(), ("-m",)], ids=["run", "sweep"])
@pytest.mark.parametrize("key", ["dataset.path", "dataset.root"])
def test_a_path_needs_no_quotes_whatever_it_is_called(flags, key):
    for name in NAMES:
        if flags and "," in name:
            Path(name).mkdir(exist_ok=True)  # else they would be two
        parsed = Command.parse([*flags, f"{key}={name}"]).parsed(Library())
        assert not parsed.problems
        wanted = name.strip() if flags else name
        if name != '"so"':  # which is so in quotes
            assert [value for override in parsed for value in override.values] == [wanted]
        for override in parsed:
            assert len(override.texts) == 1


def test_paths_of_a_sweep_are_told_apart_and_home_is_found(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    Path("a,b").mkdir()
    (override,) = read(["dataset.path=~/x y,a,b,1_0,ü"], Library(), root=Root, several=True)
    assert override.values == ["/home/me/x y", "a,b", "1_0", "ü"]
    (override,) = read(["dataset.path=a (1, 2),'c,d'"], Library(), root=Root, several=True)
    assert override.values == ["a (1, 2)", "c,d"]


@pytest.mark.parametrize("key", PATHS)
@pytest.mark.parametrize("several", [False, True])
def test_a_path_of_nothing_is_refused_and_not_taken_for_the_current_folder(key, several):
    for nothing in ("", "''", '""', " "):
        with pytest.raises(UserError, match=f"{key}=.*: is empty: write a path"):
            as_text(key, nothing, several)
    assert as_text(key, "null", several) == "null"


def test_every_key_that_holds_text_is_known_to_hold_text():
    kept = {
        Root: "name watch resume device dataset.root dataset.path dataset.category logger.wandb.project",
        EVALUATION.root: "checkpoint real samples out device dataset.root",
        SAMPLING.root: "checkpoint out device seeds label arithmetic",
    }
    for root, keys in kept.items():
        assert [key for key in keys.split() if not is_text(key, root)] == []
        assert not any(is_text(key, root) for key in ("steps", "loss.divergence", "format", "n", "dataset.size"))


def test_a_folder_of_pictures_with_a_name_of_signs_trains_in_a_run_and_in_a_sweep(gan_train):
    folder = Path("bücher (1), x=y #2")
    folder.mkdir()
    for i in range(4):
        Image.new("L", (8, 8), 60 * i).save(folder / f"{i}.png")
    folder.rename("1_0")
    folder.symlink_to("1_0")
    assert gan_train(*FOLDER, f"dataset.path={folder}", "hydra.run.dir=run").code == 0
    assert state_in(Path("run"))["config"]["dataset"]["path"] == str(folder)
    result = gan_train("-m", *FOLDER, f"dataset.path=1_0,{folder}", "name=2024_01")
    assert result.code == 0, result.err
    states = [state_in(path.parent) for path in Path("outputs/sweeps/2024_01").glob("*/status.json")]
    assert {state["config"]["dataset"]["path"] for state in states} == {"1_0", str(folder)}


# --- folder names ----------------------------------------------------------------------------------------------------
def test_a_folder_name_fits_in_bytes_and_tells_long_values_apart():
    long = ["写" * 120, "写" * 119 + "真", "é" * 200, "a" * 400, "𝒳" * 90]
    names = [folder_name(f"dataset.path-{text}", 0) for text in long]
    assert len(set(names)) == len(names)
    for name in names:
        Path(name).mkdir()
    assert folder_name("loss-hinge_seed-0", 0) == "loss-hinge_seed-0"
    assert folder_name("", 3) == "3"


def test_a_name_too_long_in_bytes_is_refused_before_anything_is_made(gan_train):
    result = gan_train(*QUICK, f"name={'写' * 100}")
    assert (result.code, len(result.errors)) == (2, 1)
    assert "bytes" in result.errors[0]
    assert not Path("outputs").exists()


# --- options of one's own --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["64", "true", "1e5", "v1.2", "my-ring", "1_0", "größe"])
@pytest.mark.parametrize("quoted", [True, False], ids=["quoted", "plain"])
def test_an_option_file_may_have_any_name(name, quoted):
    folder = Path("it's mine (1), ü/dataset")
    folder.mkdir(parents=True)
    ring = yaml.safe_load(Library().file("dataset", "ring").read_text()) | {"class": "gan_cli.data.densities.Ring"}
    ring.pop("name")
    said = json.dumps(name, ensure_ascii=False) if quoted else name
    (folder / f"{name}.yaml").write_text(f"name: {said}\n" + yaml.safe_dump(ring), encoding="utf-8")
    command = Command.parse(["--config-dir", str(folder.parent), f"dataset={name}", "architecture=mlp"])
    assert check(command, Library(*command.config_dirs), validate).dataset.name == name


def test_a_config_dir_may_have_any_name_and_there_may_be_two(gan_train):
    for folder, scale in (("it's mine, [1] ü", 2.0), ("other", 3.0)):
        Path(folder, "prior").mkdir(parents=True)
        name = f"p{scale:.0f}"
        text = f"name: {name}\nclass: gan_cli.models.priors.Normal\nsize: 2\nscale: {scale}\n"
        Path(folder, "prior", f"{name}.yaml").write_text(text)
    both = ("--config-dir", "it's mine, [1] ü", "--config-dir=other")
    assert "scale: 2.0" in gan_train(*both, "prior=p2", "--cfg", "job").out
    assert gan_train("-m", *both, *QUICK, "prior=p2,p3", "name=priors").code == 0
    assert len(list(Path("outputs/sweeps/priors").glob("*/status.json"))) == 2


def test_other_folders_in_a_config_dir_are_no_groups(gan_train):
    for folder in ("steps", ".git", "notes"):
        Path("mine", folder).mkdir(parents=True)
    Path("mine/steps/x.yaml").write_text("a: 1\n")
    assert not {"steps", ".git", "notes"} & set(Library("mine").groups())
    assert gan_train("--config-dir", "mine", "extra=x", "--cfg", "job").code == 2


BROKEN = {
    "latin-1": ("name: x\n# gr\xfcn\nsteps: 3\n".encode("latin-1"), "is not UTF-8 (byte 0xfc at 12)"),
    "tabs": (b"steps:\n\t- 3\n", "not readable as YAML"),
    "byte-order mark": (b"\xef\xbb\xbf# @package _global_\nsteps: 3\n", "begins with a byte-order mark"),
    "twice": (b"steps: 3\nsteps: 4\n", "not readable as YAML"),
    "a list": (b"- steps\n", "must hold lines key: value"),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("group", ["experiment", "loss"])
def test_a_yaml_file_that_cannot_be_read_is_named_in_one_line(gan_train, group, content, message):
    Path("mine", group).mkdir(parents=True)
    Path("mine", group, "x.yaml").write_bytes(content)
    for flags in ((), ("-m", "seed=0,1")):
        result = gan_train("--config-dir", "mine", *QUICK, *flags, f"{group}=x")
        assert (result.code, len(result.err.splitlines())) == (2, 1), result.err
        assert message in result.err
        assert f"mine/{group}/x.yaml" in result.err
    assert not Path("outputs").exists()


def test_an_empty_option_and_one_that_is_read_along_are_named_too(gan_train):
    Path("mine/experiment").mkdir(parents=True)
    Path("mine/loss").mkdir()
    Path("mine/loss/empty.yaml").write_text("")
    Path("mine/loss/latin.yaml").write_bytes("name: latin # \xfc\n".encode("latin-1"))
    along = "# @package _global_\ndefaults:\n  - override /loss: latin\n"
    Path("mine/experiment/along.yaml").write_text(along)
    for words in (["loss=empty"], ["experiment=along"]):
        result = gan_train("--config-dir", "mine", *QUICK, *words)
        assert (result.code, len(result.err.splitlines())) == (2, 1), result.err
        assert ".yaml: " in result.err


# --- what is said contradicts nothing --------------------------------------------------------------------------------
def test_a_key_that_only_some_options_have_is_taken_with_and_without_a_plus(gan_train):
    for sign in ("", "+", "++"):
        keys = ("experiment=ring,grid", f"{sign}dataset.sigma=.05", "steps=1", "dataset.points=300", "sample_every=0")
        result = gan_train("-m", *keys, f"name=sigma{len(sign)}")
        assert result.code == 0, result.err
        states = [state_in(path.parent) for path in Path(f"outputs/sweeps/sigma{len(sign)}").glob("*/status.json")]
        assert [state["config"]["dataset"]["sigma"] for state in states] == [0.05, 0.05]
    assert gan_train(*QUICK[:-2], "+steps=1", "++seed=3", "hydra.run.dir=run").code == 0
    assert state_in(Path("run"))["config"]["seed"] == 3


def test_an_option_without_a_swept_key_fails_alone(gan_train):
    result = gan_train("-m", *QUICK, "dataset=gaussian,ring", "dataset.modes=5,6", "name=some")
    assert result.code == 2
    assert "outputs/sweeps/some: 2 of 4 finished" in result.err


def test_glob_chooses_among_options_in_a_grid_and_in_a_search(gan_train):
    keys = ("-m", *QUICK, "loss=glob(min*)", "name=globbed")
    assert gan_train(*keys).code == 0
    result = gan_train("-m", *QUICK, "loss=glob(*a*)", "hydra/sweeper=random", "hydra.sweeper.n_trials=2", "name=s")
    assert result.code == 0, result.err
    for word, message in {
        "loss=glob(z*)": "fits no option; available: f_gan",
        "seed=glob(*)": "list the values",
    }.items():
        result = gan_train("-m", *QUICK, word)
        assert (result.code, len(result.errors)) == (2, 1)
        assert message in result.errors[0]


REFUSED = {
    "name=a,b": "name=a,b: is the same for all runs of a sweep",
    "dry_run=false,true": "dry_run=false,true: is the same for all runs of a sweep",
    "hydra/launcher=basic,joblib": "is the same for all runs: give one value",
    "hydra.mode=RUN": "hydra.mode=RUN: use --multirun",
    "hydra.searchpath=[x]": "use --config-dir FOLDER",
    "hydra.job.chdir=true": "hydra.job.chdir=true: what is read and written is named from the folder of the command",
    "hydra.nonsense=1": "hydra.nonsense: no such key: gan-train --cfg hydra lists them",
    "hydra.sweep.dir=here/${dataset.seed}": "hydra.sweep.dir: would be here/1 and here/2: all",
    "hydra.sweep.dir=${oc.env:NOWHERE}": "hydra.sweep.dir: Environment variable 'NOWHERE' not found: set it",
    "hydra.sweep.subdir=../x": "hydra.sweep.subdir=../x: must lie below",
    "loss@other=hinge": "every option has its place",
}


@pytest.mark.parametrize(("word", "message"), REFUSED.items(), ids=REFUSED)
def test_what_a_sweep_cannot_follow_is_said_in_one_line_and_makes_nothing(gan_train, word, message):
    result = gan_train("-m", *QUICK, "dataset.seed=1,2", word)
    assert (result.code, len(result.err.splitlines())) == (2, 1), result.err
    assert message in result.err
    assert not list(Path().iterdir())


@pytest.mark.parametrize("word", ["hydra.job.chdir=true", "hydra.mode=MULTIRUN", "hydra.run.dir=${oc.env:NOWHERE}/x"])
def test_what_a_run_cannot_follow_is_said_in_one_line_dry_or_not(gan_train, word):
    for dry in ((), ("dry_run=true",)):
        result = gan_train(*QUICK, word, *dry)
        assert (result.code, len(result.err.splitlines())) == (2, 1), result.err
        assert not list(Path().iterdir())


# --- values are meant as composed ------------------------------------------------------------------------------------
PLACES = {
    "environment": ["hydra.sweep.dir=${oc.env:PLACE}/x y"],
    "key": ["hydra.sweep.dir=place/${loss.name}-${seed}"],
    "clock": ["hydra.sweep.dir=place/${now:%H-%M-%S-%f}"],
    "config": ["--config-dir", "mine", "experiment=placed"],
    "nested": ["hydra.sweep.dir=place/nested", "hydra.sweep.subdir=${dataset.name}/${optimizer.lr}"],
}


@pytest.mark.parametrize("words", PLACES.values(), ids=PLACES)
def test_a_sweep_is_told_of_wherever_its_folder_is(gan_train, monkeypatch, words):
    monkeypatch.setenv("PLACE", str(Path("place").absolute()))
    Path("mine/experiment").mkdir(parents=True)
    Path("mine/experiment/placed.yaml").write_text(
        "# @package _global_\nhydra: {sweep: {dir: 'place/${oc.env:USER,me}'}}\n"
    )
    result = gan_train("-m", *QUICK, "optimizer=sgd", "optimizer.lr=1e-3,1e30", *words)
    assert result.code == 3, result.err
    (found,) = {path.parent for path in Path("place").rglob("multirun.yaml")}
    assert len(list(found.rglob("status.json"))) == 2
    assert f"{found.name}: 1 of 2 finished" in result.err
    assert not Path("outputs").exists()


def test_the_home_folder_is_meant_by_a_tilde_in_yaml_too(gan_train, monkeypatch):
    home = Path("home").absolute()
    monkeypatch.setenv("HOME", str(home))
    Path("mine/experiment").mkdir(parents=True)
    Path("mine/experiment/home.yaml").write_text(
        "# @package _global_\nhydra: {run: {dir: ~/runs/a}, sweep: {dir: ~/sweeps/b}}\n"
    )
    words = (*QUICK, "--config-dir", "mine", "experiment=home")
    assert gan_train(*words).code == 0
    assert gan_train("-m", *words, "seed=1,2").code == 0
    assert len(list(home.glob("runs/a/status.json"))) == 1
    assert len(list(home.glob("sweeps/b/*/status.json"))) == 2
    assert {path.name for path in Path().iterdir()} == {"home", "mine"}
    assert gan_train(*words).errors == [
        f"gan-train: error: hydra.run.dir={home}/runs/a: holds a run already: continue it with resume={home}/runs/a"
    ]


def test_a_folder_named_by_an_interpolation_is_no_more_trained_over_than_another(gan_train, monkeypatch):
    monkeypatch.setenv("PLACE", "runs")
    words = (*QUICK, "hydra.run.dir=${oc.env:PLACE}/${seed}")
    assert gan_train(*words).code == 0
    before = {path: path.read_bytes() for path in Path("runs/0").rglob("*") if path.is_file()}
    result = gan_train(*words)
    assert (result.code, len(result.errors)) == (2, 1)
    assert "hydra.run.dir=${oc.env:PLACE}/${seed}: holds a run already" in result.errors[0]
    assert {path: path.read_bytes() for path in Path("runs/0").rglob("*") if path.is_file()} == before
    assert gan_train(*QUICK, "hydra.run.dir=by/${now:%Y}").code == 0
    assert gan_train(*QUICK, "hydra.run.dir=by/${now:%Y}", "name=x").code == 0
    assert gan_train(*QUICK, "hydra.run.dir=by/${now:%Y}").code == 0
    assert len(list(Path("by").glob("*/status.json"))) == 3


def test_resume_and_what_is_typed_with_it_may_be_interpolations(gan_train, monkeypatch):
    assert gan_train(*QUICK, "hydra.run.dir=runs/a").code == 0
    monkeypatch.setenv("RUNS", "runs")
    result = gan_train("resume=${oc.env:RUNS}/a", "steps=2", "discriminator.lr=${optimizer.lr}")
    assert result.code == 0, result.err
    assert state_in(Path("runs/a"))["step"] == 2
    Path("mine/experiment").mkdir(parents=True)
    Path("mine/experiment/on.yaml").write_text("# @package _global_\nresume: runs/a\n")
    result = gan_train("--config-dir", "mine", "experiment=on", "steps=3")
    assert (result.code, len(result.errors)) == (2, 1)
    assert "experiment: is a whole preset" in result.errors[0]
    assert gan_train(*QUICK, "resume=runs/a", "resume=null", "hydra.run.dir=fresh").code == 0  # the last one counts
    assert state_in(Path("fresh"))["step"] == 1
