"""``start=``: a new run begins with the weights of another; ``freeze=``: layers that stay as they begin."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from conftest import (
    MODELS,
    TINY_DCGAN,
    TINY_MLP,
    TINY_R3GAN,
    TINY_TABLE,
    assert_same_run,
    config_of,
    outline_of,
    run_folder,
    setup_of,
    state_in,
    tensors,
)

from gan_cli.algorithm import play
from gan_cli.commands import planning
from gan_cli.config.command import Command
from gan_cli.config.library import Library
from gan_cli.errors import UserError
from gan_cli.models.dcgan import Discriminator, Generator
from gan_cli.models.mlp import MLP
from gan_cli.runs import checkpoint, start
from gan_cli.runs.loading import load
from gan_cli.training.freezing import layers_of
from gan_cli.training.state import state_of
from gan_cli.training.taking import take, taken

WAYS = {"none": ("conditional=false",)} | {
    how: ("conditional=true", f"conditioning={how}") for how in ("concat", "projection", "auxiliary", "embedding")
}
OTHER_DATA = ("dataset.split=test", "seed=3", "hydra.run.dir=new")


def networks(state: dict) -> dict[str, torch.Tensor]:
    return tensors({"networks": state["networks"], "ema": state["ema"]})


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("keys", [(*TINY_DCGAN, "ema_half_life=20"), MODELS["rbm"]])
def test_a_run_begins_as_another_ended_and_needs_it_no_more(gan_train, trained, keys):
    shutil.copytree(trained(*keys), "old")
    old, path = state_in(Path("old")), Path("old/checkpoints/step-000000002.pt")
    result = gan_train(*keys, *OTHER_DATA, "start=old", "steps=5", "checkpoint_every=2", "keep_checkpoints=9")
    assert result.code == 0, result.err
    begun = torch.load("new/checkpoints/step-000000000.pt", weights_only=True)
    assert same(networks(begun), networks(old))
    assert begun["step"] == 0
    assert all(not player["optimizer"]["state"] for player in begun["players"].values())
    assert torch.equal(load("new/checkpoints/step-000000000.pt").sample(4), load("old").sample(4))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    told = {"path": str(path), "step": 2, "sha256": digest}
    assert json.loads(Path("new/status.json").read_text())["start"] == begun["start"] == told
    assert not same(networks(state_in(Path("new"))), networks(old))

    shutil.rmtree("old")
    shutil.copytree("new", "whole")
    for name in ("checkpoints/step-000000005.pt", "checkpoints/step-000000004.pt", "samples/step-000000005.png"):
        Path("new", name).unlink()
    assert gan_train("resume=new", "dry_run=true").code == 0
    resumed = gan_train("resume=new")
    assert resumed.code == 0, resumed.err
    assert_same_run(Path("whole"), Path("new"))
    assert state_in(Path("new"))["start"] == told


def test_an_average_forgets_its_start_in_proportion_to_the_images_seen(gan_train, trained):
    """After 200 steps of 8 images a half-life of 8000 would leave nine tenths of it."""
    keys = (*TINY_MLP, "ema_half_life=8000", "checkpoint_every=100")
    old = trained(*keys)
    assert gan_train(*keys, "start=" + str(old), "steps=200", "hydra.run.dir=new").code == 0
    before, after = state_in(old)["ema"], state_in(Path("new"))
    gaps = []
    for name, value in after["ema"].items():
        now = after["networks"]["generator"][name]
        gaps.append(((value - now).norm() / (before[name] - now).norm()).item())
    assert max(gaps) < 0.5, gaps


def test_a_run_that_an_earlier_version_began_keeps_its_average_as_that_had_it(gan_train, trained):
    """All but 2 · 8 / 8000 · ln 2 is left after 2 steps of 8 images and a half-life of 8000."""
    keys = (*TINY_MLP, "ema_half_life=8000")
    old = trained(*keys)
    assert gan_train(*keys, "start=" + str(old), "steps=1", "hydra.run.dir=new").code == 0
    path = max(Path("new/checkpoints").glob("*.pt"))
    state = torch.load(path, weights_only=True)
    state["start"]["averaged"], state["ema"] = True, state_in(old)["ema"]
    torch.save(state, path)
    assert gan_train("resume=new", "steps=3").code == 0
    after = state_in(Path("new"))
    for name, value in after["ema"].items():
        moved = (value - state["ema"][name]).abs().max()
        assert moved <= 2e-3 * (after["networks"]["generator"][name] - state["ema"][name]).abs().max() + 1e-9
    assert after["start"]["averaged"] is True


def test_what_follows_from_the_data_and_the_config_is_the_new_runs_own(gan_train):
    """Which features are a category, in the network and its average, and a scale that is no weight."""
    rows = [f"{i / 7:.3f},{i / 3:.3f},{'xyz'[i % 3]},{i}\n" for i in range(200)]
    Path("x.csv").write_text("a,b,c,d\n" + "".join(rows))
    turned = [",".join(row.strip().split(",")[place] for place in (2, 0, 1, 3)) + "\n" for row in rows]
    Path("y.csv").write_text("c,a,b,d\n" + "".join(turned))
    keys = [key for key in TINY_TABLE if "dataset.path" not in key]
    assert gan_train(*keys, "dataset.path=x.csv", "steps=1", "ema_half_life=20", "hydra.run.dir=old").code == 0
    result = gan_train(*keys, "dataset.path=y.csv", "steps=1", "ema_half_life=20", "start=old", "hydra.run.dir=new")
    assert result.code == 0, result.err
    then, now = state_in(Path("old")), state_in(Path("new"))
    for each in ("generator", None):
        groups = [(state["networks"][each] if each else state["ema"])["group"].tolist() for state in (then, now)]
        assert groups == [[-1, -1, 2, 2, 2, -1], [0, 0, 0, -1, -1, -1]]
    assert "anew" not in result.err

    keys = ("model=vae", "model.likelihood=gaussian", "ema_half_life=20", *TINY_MLP, "steps=1")
    assert gan_train(*keys, "model.sigma=0.5", "hydra.run.dir=wide").code == 0
    assert gan_train(*keys, "model.sigma=0.1", "start=wide", "hydra.run.dir=thin").code == 0
    scales = [
        [value.item() for name, value in networks(state_in(Path(run))).items() if name.endswith(".fixed")]
        for run in ("wide", "thin")
    ]
    assert len(scales[0]) == len(scales[1]) > 0
    assert all(x != y for x, y in zip(*scales, strict=True))


def test_an_exported_generator_is_a_start(gan_train, gan_sample, trained):
    old = trained(*TINY_DCGAN)
    assert gan_sample(f"checkpoint={old}", "export=safetensors", "out=exported").code == 0
    result = gan_train(*TINY_DCGAN, "start=exported", "steps=1", "hydra.run.dir=new")
    assert result.code == 0, result.err
    begun = torch.load("new/checkpoints/step-000000000.pt", weights_only=True)
    assert same(begun["networks"]["generator"], state_in(old)["ema"])
    assert same(begun["ema"], state_in(old)["ema"])
    assert "has no discriminator, which begins anew" in result.err


def generators(old: int, new: int, classes: int = 0) -> dict[str, str]:
    made = [Generator(4, (1, size, size), classes, 4, "batch") for size in (new, old)]
    return taken(made[0], made[1].state_dict(), made[1]).names


def test_layers_correspond_from_both_ends():
    """Channels by stage at width 4, from 4 × 4: 16, 8, 4 at 32 × 32; 32, 16, 8, 4 at 64; 32, 32, 16, 8, 4 at 128."""
    convolutions = {k: v for k, v in generators(32, 64).items() if k.endswith("weight") and "stages" in k}
    assert {k: v for k, v in convolutions.items() if int(k.split(".")[1]) % 3 == 0} == {
        "stages.3.weight": "stages.0.weight",
        "stages.6.weight": "stages.3.weight",
        "stages.9.weight": "stages.6.weight",
    }
    deeper = generators(64, 128)
    assert deeper["project.weight"] == "project.weight"
    assert {k: v for k, v in deeper.items() if k in ("stages.0.weight", "stages.3.weight", "stages.12.weight")} == {
        "stages.3.weight": "stages.0.weight",
        "stages.12.weight": "stages.9.weight",
    }
    smaller = generators(64, 32)
    assert smaller["stages.0.weight"] == "stages.3.weight"
    same_names = generators(32, 32)
    assert all(name == source for name, source in same_names.items())
    judges = [Discriminator((1, size, size), 0, 4, "batch", False) for size in (64, 32)]
    found = taken(judges[0], judges[1].state_dict(), judges[1])
    assert all(name == source for name, source in found.names.items())
    assert found.misfits["out.weight"] == "there 1×256, here 1×512"
    assert found.misfits["stages.8.weight"] == "not there"
    assert found.left == ["out.weight"]
    assert len(found.names) + len(found.misfits) == len(judges[0].state_dict())


def test_a_longer_perceptron_takes_the_layers_of_the_same_name():
    options = {"activation": "relu", "pieces": 2, "norm": "none", "dropout": 0.0, "init": None, "output": "none"}
    made = [
        MLP({"hidden": hidden, **options}, {}).generator(4, (3,), 0) for hidden in ([8, 8, 8, 8], [8, 8], [16, 8, 8])
    ]
    longer, short, wider = made
    assert set(taken(longer, short.state_dict(), short).names) == set(short.state_dict())
    assert taken(short, longer.state_dict(), longer).left == [
        f"hidden.{i}.{w}" for i in (4, 6) for w in ("weight", "bias")
    ]
    assert taken(wider, short.state_dict(), short).names == {
        **{f"hidden.4.{w}": f"hidden.2.{w}" for w in ("weight", "bias")},
        "hidden.2.bias": "hidden.0.bias",
        **{f"out.{w}": f"out.{w}" for w in ("weight", "bias")},
    }
    by_name = taken(longer, short.state_dict(), None)
    assert by_name.names == {name: name for name in short.state_dict()}


@pytest.mark.parametrize("there", WAYS)
@pytest.mark.parametrize("here", WAYS)
def test_what_tells_labels_does_not_hide_the_network_in_it(here, there):
    """All but the first layer, which labels may enter, is of one shape however a discriminator is told them."""
    one, other = (outline_of(*TINY_DCGAN, *WAYS[way]).networks["discriminator"] for way in (here, there))
    found = taken(one, other.state_dict(), other)
    names = {name.removeprefix("network."): source.removeprefix("network.") for name, source in found.names.items()}
    assert names.items() >= {name: name for name in ("stages.0.bias", "out.weight", "out.bias")}.items()


@pytest.mark.parametrize(
    "keys",
    [TINY_MLP, TINY_DCGAN, TINY_R3GAN, MODELS["fvsbn"], MODELS["made"], MODELS["nice"], MODELS["vae"]],
    ids=["mlp", "dcgan", "r3gan", "fvsbn", "made", "nice", "vae"],
)
def test_a_network_that_is_told_labels_anew_does_at_first_what_it_did(keys):
    """Labels are appended to an input, so that all other columns of the layer that reads it are taken over."""
    torch.manual_seed(0)
    told, untold = (setup_of(*keys, *WAYS[way]).game for way in ("concat", "none"))
    for name, network in told.networks.items():
        if name == "discriminator" and "architecture=r3gan" in keys:
            continue  # its logit is a product with the label's numbers
        there = untold.networks[name]
        found = taken(network, there.state_dict(), there)
        assert found.parts, name
        assert not found.left
        assert all("embedding" in each for each in found.misfits), found.misfits
        take(network, there.state_dict(), found)
        for key, source in found.names.items():
            here, before = network.state_dict()[key], there.state_dict()[source]
            assert torch.equal(here[tuple(map(slice, before.shape))], before)
            assert (key in found.parts) == (here.shape != before.shape)
            assert key not in found.parts or not here[:, before.shape[1] :].any()
        back = taken(there, network.state_dict(), network)
        assert back.parts.keys() == {found.names[key] for key in found.parts}
        assert not back.misfits
    if told.sampler == "generator":
        z, y = torch.randn(4, 4), torch.tensor([0, 3, 3, 9])
        torch.testing.assert_close(told.networks["generator"](z, y), untold.networks["generator"](z))


def test_what_does_not_fit_is_listed_before_training(gan_train, trained):
    keys = (*TINY_DCGAN, "dataset.size=16", f"start={trained(*TINY_DCGAN)}", "freeze=discriminator:1")
    dry = gan_train(*keys, "dry_run=true")
    assert dry.code == 0, dry.err
    assert not list(Path().iterdir())
    result = gan_train(*keys, "steps=1", "conditional=true")
    assert result.code == 0, result.err
    shown = " ".join(dry.out.split())
    assert "the discriminator takes 3 of 10 tensors, 69 of 742 numbers; anew: stages.2 (not there)" in shown
    assert "out.weight (there 1×64, here 1×128)" in shown
    assert "(stages.3 from stages.0)" in shown
    assert "frozen: 1 of 3 layers of the discriminator (stages.0): 68 of 725 weights" in shown
    assert "the discriminator takes 3 of 10 tensors" in result.err  # of its first layer, all that is not of labels
    assert "columns of labels begin at 0: stages.0.weight" in result.err


def test_mistaken_starts_are_a_line_and_leave_nothing(gan_train, trained):
    def refused(*keys: str, dry: bool = False) -> str:
        before = sorted(Path().rglob("*"))
        lines = []
        for more in ((), ("dry_run=true",))[: 2 if dry else 1]:
            result = gan_train(*keys, *more)
            assert result.code == 2, result.err
            (line,) = result.errors
            lines.append(line.removeprefix("gan-train: error: "))
        assert sorted(Path().rglob("*")) == before
        assert set(lines) == {lines[0]}
        return lines[0]

    old = trained(*TINY_DCGAN)
    Path("empty").mkdir()
    assert refused(*TINY_DCGAN, "start=nowhere") == (
        "start=nowhere: no such file or folder: give a run folder, a checkpoint, or latest"
    )
    assert refused(*TINY_DCGAN, "start=empty").startswith("start=empty: has no checkpoints: give the folder of a run")
    path = Path("step-000000002.pt")
    state = state_in(old)
    for change, said in (
        (lambda w: w.fill_(float("nan")), "start=step-000000002.pt: has the discriminator's weights not finite"),
        (lambda w: w.resize_(2), "start=step-000000002.pt: its weights do not fit its config: networks.discriminator"),
    ):
        kept = state["networks"]["discriminator"]["out.weight"].clone()
        change(state["networks"]["discriminator"]["out.weight"])
        checkpoint.save(state, path)
        assert refused(*TINY_DCGAN, f"start={path}").startswith(said)
        state["networks"]["discriminator"]["out.weight"] = kept
    path.write_bytes(path.read_bytes()[:-300] + b"x" + path.read_bytes()[-299:])
    assert "altered" in refused(*TINY_DCGAN, f"start={path}")
    nothing = refused(*TINY_MLP, f"start={old}", dry=True)
    assert nothing.startswith(
        f"start={old}: nothing of it fits but biases and the like: the discriminator takes 1 of 4"
    )
    assert "leave one of them out" in refused(f"resume={old}", "start=latest")


def test_the_newest_run_is_looked_up_once_and_recorded_by_its_name(gan_train):
    assert gan_train(*TINY_MLP, "steps=1", "hydra.run.dir=outputs/old, one").code == 0
    result = gan_train("start=latest", *TINY_MLP, "steps=1", "hydra.run.dir=outputs/new")
    assert result.code == 0, result.err
    path = "outputs/old, one/checkpoints/step-000000001.pt"
    state = state_in(Path("outputs/new"))
    assert state["config"]["start"] == state["start"]["path"] == path
    words = yaml.safe_load(Path("outputs/new/.hydra/overrides.yaml").read_text())
    assert gan_train(*words, "hydra.run.dir=again").code == 0  # the newest is another by now
    assert_same_run(Path("outputs/new"), Path("again"))
    config = planning.planned(Command.parse([*TINY_MLP, "devices=2", "start=outputs/old, one"]), Library()).config
    assert config.start == path  # that of each process, though the run may go on


def test_a_job_that_is_started_again_goes_on_though_the_newest_run_is_another(gan_train, monkeypatch):
    assert gan_train(*TINY_MLP, "steps=1").code == 0
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    keys = (*TINY_MLP, "start=latest", "hydra.run.dir=job")
    assert gan_train(*keys, "steps=1").code == 0
    result = gan_train(*keys, "steps=2")
    assert result.code == 0, result.err
    assert "continuing job from step 1" in result.err


def test_sweeps_and_ensembles_start_too(gan_train, trained):
    shutil.copytree(trained(*TINY_MLP), "one, two")
    swept = gan_train("-m", *TINY_MLP, "steps=1", "start=one, two,null", "name=both")
    assert swept.code == 0, swept.err
    begun = [json.loads(path.read_text()).get("start") for path in Path("outputs/sweeps/both").glob("*/status.json")]
    assert sorted(found is None for found in begun) == [False, True]
    latest = gan_train("-m", *TINY_MLP, "steps=1", "start=latest", "seed=0,1")
    assert latest.errors == [
        "gan-train: error: start=latest: of a sweep, that changes with each of its runs: give the folder of the run"
    ]
    assert gan_train(*TINY_MLP, "steps=1", "ensemble=2", "start=one, two", "hydra.run.dir=many").code == 0
    for seed in (0, 1):
        state = torch.load(f"many/seed-{seed}/checkpoints/step-000000000.pt", weights_only=True)
        assert same(networks(state), networks(state_in(Path("one, two"))))


FROZEN = {  # keys, and what the names of the tensors begin with that stay
    "dcgan": (
        (*TINY_DCGAN, "dataset.size=16", "freeze=[discriminator:2,generator:1]", "ema_half_life=9"),
        {"discriminator": ("stages.",), "generator": ("project.", "first.")},
    ),
    "spectral": (
        (*TINY_DCGAN, "dataset.size=16", "architecture.discriminator.norm=spectral", "freeze=discriminator:2"),
        {"discriminator": ("stages.",)},
    ),
    "clipped": (
        (*TINY_MLP, "loss=wasserstein", "freeze=discriminator:1", "updates=optimistic", "optimizer=rmsprop"),
        {"discriminator": ("hidden.",)},
    ),
    "penalties": (
        (
            *(*TINY_MLP, "penalty=[r1,gradient_penalty]", "freeze=[discriminator:hidden]", "optimizer=adamw"),
            *("updates=extragradient", "optimizer.weight_decay=0.1"),
        ),
        {"discriminator": ("hidden.",)},
    ),
    "vae": ((*MODELS["vae"], "freeze=model:encoder.stages"), {"model": ("encoder.stages.",)}),
}


@pytest.mark.parametrize(("keys", "stays"), FROZEN.values(), ids=FROZEN)
def test_frozen_layers_stay_to_the_bit(keys, stays):
    setup = setup_of(*keys, "device=cpu")
    before = {name: value.clone() for name, value in networks(state_of(setup, 0)).items()}
    play(setup, range(1, 5))
    after = networks(state_of(setup, 4))
    for player in setup.players:
        begins = tuple(f"/networks/{player.name}/{name}" for name in stays.get(player.name, ()))
        own = [name for name in before if name.startswith(f"/networks/{player.name}/")]
        still = {name for name in own if name.startswith(begins)} if begins else set()
        assert bool(still) == (player.name in stays)
        equal = {name for name in own if torch.equal(before[name], after[name]) and before[name].numel() > 1}
        assert equal <= still
        assert all(before[name].numpy().tobytes() == after[name].numpy().tobytes() for name in still)
        learnt = {f"/networks/{player.name}/{name}" for name, _ in player.network.named_parameters()} - still
        assert len(player.state()["optimizer"]["state"]) == len(learnt)
    if setup.ema and setup.game.sampler in stays:
        begins = tuple(f"/ema/{name}" for name in stays[setup.game.sampler])
        assert all(torch.equal(before[name], after[name]) for name in before if name.startswith(begins))


def test_a_run_with_frozen_layers_goes_on_exactly(gan_train):
    keys = (*FROZEN["dcgan"][0], "penalty=r1", "hydra.run.dir=run", "steps=4", "checkpoint_every=2", "sample_every=2")
    assert gan_train(*keys).code == 0
    shutil.copytree("run", "whole")
    for name in ("checkpoints/step-000000004.pt", "samples/step-000000004.png"):
        Path("run", name).unlink()
    resumed = gan_train("resume=run")
    assert resumed.code == 0, resumed.err
    assert_same_run(Path("whole"), Path("run"))
    other = gan_train("resume=run", "steps=9", "freeze=[]")
    assert "freeze=[]: the checkpoint has" in other.err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("discriminator:9", "freeze=discriminator:9: the discriminator has 2 layers with weights: stages.0, out"),
        ("discriminator:2", "freeze=discriminator:2: leaves the discriminator nothing to learn"),
        ("discriminator:none", "freeze=discriminator:none: no layer is called so: the discriminator has 2 layers"),
        ("critic:1", "freeze=critic:1: there is no such player: discriminator, generator"),
        ("discriminator", "freeze=discriminator: must be a player and its first so many layers"),
        ("[discriminator:0]", "freeze=['discriminator:0']: must be a player and its first so many layers"),
    ],
)
def test_frozen_layers_that_are_not_there_are_a_line(typed, said):
    with pytest.raises(UserError) as error:
        setup_of(*TINY_DCGAN, f"freeze={typed}", "device=cpu")
    assert error.value.problems[0].startswith(said)
    assert len(error.value.problems) == 1
    with pytest.raises(UserError, match="leave one of them out"):
        config_of(*TINY_MLP, "ensemble=2", "freeze=discriminator:1")


def test_two_processes_keep_frozen_layers_and_start_alike(gan_train, trained):
    keys = (*TINY_DCGAN, "dataset.size=16", "freeze=discriminator:2", "steps=2", "devices=2", "device=cpu")
    result = gan_train(*keys, f"start={trained(*TINY_DCGAN)}")
    assert result.code == 0, result.err
    run = run_folder()
    before = torch.load(run / "checkpoints/step-000000000.pt", weights_only=True)["networks"]["discriminator"]
    after = state_in(run)["networks"]["discriminator"]
    same_names = {name for name in before if torch.equal(before[name], after[name])}
    assert same_names == {name for name in before if name.startswith("stages")}
    began = state_in(trained(*TINY_DCGAN))["networks"]["discriminator"]["stages.0.weight"]
    assert torch.equal(after["stages.0.weight"], began)


def test_norms_belong_to_the_layer_before_them():
    made = Discriminator((3, 32, 32), 0, 4, "batch", False)
    assert [layer.name for layer in layers_of(made)] == ["stages.0", "stages.2", "stages.5", "out"]
    spectral = Discriminator((3, 32, 32), 0, 4, "spectral", False)
    found = layers_of(spectral)
    assert [layer.name for layer in found] == ["stages.0", "stages.2", "stages.5", "out"]
    assert found[1].weights == ["stages.2.bias", "stages.2.parametrizations.weight.original"]


def test_tensors_of_no_layer_are_told_by_their_own_names():
    """As those of a Boltzmann machine, which had been told as nothing."""
    reasons = {"visible": "not there", "out.weight": "not there", "out.bias": "not there"}
    assert start._by_layer(reasons, reasons) == "visible (not there), out (not there)"
