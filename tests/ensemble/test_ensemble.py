"""Many seeds at once: each is the run its seed alone would give, and together they are a run that goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from conftest import TINY_MLP, TINY_POINTS, assert_same_run, killed_at, metrics_in, state_in, tensors

from gan_cli.ensemble.train import _buffers

GAME = (*TINY_POINTS, "steps=6", "log_every=3", "sample_every=6", "checkpoint_every=3")
GAMES = {
    "dropout, maxout, noise that falls, packs, dragan": (
        *("instance_noise.sigma=0.2", "instance_noise.images=24", "pack=2", "penalty=dragan"),
    ),
    "relativistic pairs, annealed r1 and r2": (
        *("loss=relativistic", "penalty=[r1,r2]", "penalty.r1.interval=2"),
        *("penalty.r2.final_weight=0.1", "penalty.r2.anneal_images=40"),
    ),
    "gradient penalty, k, looking ahead": (
        *("loss=wasserstein", "loss.clip=0", "penalty=gradient_penalty"),
        *("discriminator.steps=2", "updates=extragradient", "prior=uniform"),
    ),
    "clipping, rmsprop, optimistic moves, no average": (
        *("loss=wasserstein", "optimizer=rmsprop", "updates=optimistic", "ema_half_life=0"),
    ),
    "batch norm in G, feature matching, sgd": (
        *("architecture.generator.norm=batch", "loss=feature_matching"),
        "optimizer=sgd",  # Adam makes much of a bias that batch norm leaves no gradient
    ),
    "spectral norm in D": ("architecture.discriminator.norm=spectral", "loss=hinge"),
    "labels and r1, as the default run has them": ("conditional=true", "penalty=r1", "penalty.r1.interval=2"),
    "labels, consistency, minibatch deviation": (
        *("conditional=true", "penalty=consistency", "architecture.discriminator.minibatch_std=true"),
    ),
}


def assert_close(one: Path, other: Path) -> None:
    """The same run up to the order of sums."""
    ours, theirs = tensors(state_in(one)), tensors(state_in(other))
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        torch.testing.assert_close(
            value, theirs[name], rtol=1e-4, atol=2e-5, msg=lambda text, name=name: f"{name}: {text}"
        )
    for mine, its in zip(metrics_in(one), metrics_in(other), strict=True):
        assert mine == pytest.approx(its, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("keys", GAMES.values(), ids=GAMES)
def test_a_member_is_the_run_of_its_seed_alone(gan_train, keys):
    assert gan_train(*GAME, *keys, "seed=4", "ensemble=2", "hydra.run.dir=together").code == 0
    assert gan_train(*GAME, *keys, "seed=5", "hydra.run.dir=alone").code == 0
    assert_close(Path("together/seed-5"), Path("alone"))


def test_a_member_whose_average_has_a_spectral_norm_is_the_run_of_its_seed_alone(gan_train):
    keys = (*GAME, "model=vae", "architecture.discriminator.norm=spectral", "ema_half_life=16")
    assert gan_train(*keys, "seed=4", "ensemble=2", "hydra.run.dir=together").code == 0
    assert gan_train(*keys, "seed=5", "hydra.run.dir=alone").code == 0
    assert_close(Path("together/seed-5"), Path("alone"))
    for path in (Path("together/seed-5"), Path("alone")):
        vectors = [v for n, v in tensors(state_in(path)["ema"]).items() if n.endswith(("._u", "._v"))]
        assert [v.norm().item() for v in vectors] == pytest.approx([1.0] * len(vectors), abs=1e-5)
        assert vectors


def test_a_member_of_a_game_of_pictures_is_the_run_of_its_seed_alone(gan_train):
    keys = (*TINY_MLP, "dataset.flip=true", "augment=[color,translation,cutout]", "steps=4", "log_every=2")
    assert gan_train(*keys, "ensemble=2", "hydra.run.dir=together").code == 0
    assert gan_train(*keys, "seed=1", "hydra.run.dir=alone").code == 0
    assert_close(Path("together/seed-1"), Path("alone"))


def test_a_member_of_a_game_on_conditions_is_the_run_of_its_seed_alone_wherever_epochs_end(gan_train):
    few = ("dataset=pendulum", "dataset.points=12", "conditional=true", "penalty=r1", "penalty.r1.interval=2")
    keys = (*(key for key in GAME if not key.startswith("dataset")), *few)  # the second minibatch is of two epochs
    assert gan_train(*keys, "ensemble=2", "hydra.run.dir=together").code == 0
    assert gan_train(*keys, "seed=1", "hydra.run.dir=alone").code == 0
    assert_close(Path("together/seed-1"), Path("alone"))


def test_a_member_has_the_same_bits_in_ensembles_of_any_size_and_place(gan_train):
    for seed, size in ((0, 2), (0, 3), (1, 2)):
        assert gan_train(*GAME, f"seed={seed}", f"ensemble={size}", f"hydra.run.dir={seed}-{size}").code == 0
    assert_same_run(Path("0-2/seed-1"), Path("0-3/seed-1"))
    assert_same_run(Path("0-2/seed-1"), Path("1-2/seed-1"))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_a_compiled_ensemble_keeps_these_promises(gan_train):
    keys = (*GAME, "loss=relativistic", "penalty=r1", "steps=4", "checkpoint_every=2")
    for size in (2, 3):
        assert gan_train(*keys, "compile=true", f"ensemble={size}", f"hydra.run.dir={size}").code == 0
    assert_same_run(Path("2/seed-1"), Path("3/seed-1"))
    assert gan_train(*keys, "seed=1", "hydra.run.dir=alone").code == 0
    assert_close(Path("2/seed-1"), Path("alone"))
    for path in Path("2").rglob("step-000000004.pt"):
        path.unlink()
    assert gan_train("resume=2").code == 0
    assert_same_run(Path("2/seed-1"), Path("3/seed-1"))


def test_without_a_compiler_an_ensemble_is_trained_all_the_same(gan_train, monkeypatch):
    def broken(*args, **options):
        raise RuntimeError("no such compiler")

    monkeypatch.setattr(torch, "compile", lambda graph, **options: broken)
    result = gan_train(*GAME, "ensemble=2", "compile=true")
    assert result.code == 0
    assert result.err.count("compile=true: not compiled, and slower for it: no such compiler") == 2  # D's moves, G's


def test_an_ensemble_goes_on_as_if_nothing_had_been(gan_train):
    keys = (*GAME, "optimizer=sgd", "optimizer.momentum=0.5", "updates=optimistic", "ensemble=2")
    assert gan_train(*keys, "steps=9", "log_every=4", "hydra.run.dir=whole").code == 0
    assert gan_train(*keys, "steps=5", "log_every=4", "hydra.run.dir=parts").code == 0
    assert gan_train("resume=parts", "steps=9").code == 0
    for seed in (0, 1):
        ours, theirs = (tensors(state_in(Path(f"{run}/seed-{seed}"))) for run in ("whole", "parts"))
        assert [n for n in ours if ours[n].numpy().tobytes() != theirs[n].numpy().tobytes()] == []


def test_members_that_a_kill_left_at_different_steps_go_on_from_the_one_they_share(gan_train):
    keys = (*GAME, "ensemble=3", "keep_checkpoints=1", "sample_every=3")
    assert gan_train(*keys, "hydra.run.dir=whole").code == 0
    assert gan_train(*keys, "steps=3", "hydra.run.dir=killed").code == 0
    for seed, step in ((0, 6), (1, 3), (2, 6)):
        folder = Path(f"killed/seed-{seed}")
        if step == 6:  # saved, and the older one not yet deleted
            path = Path(f"whole/seed-{seed}/checkpoints/step-000000006.pt")
            (folder / "checkpoints" / path.name).write_bytes(path.read_bytes()[: None if seed else 100])
        (folder / "status.json").write_text(json.dumps({"status": "running"}))
    result = gan_train("resume=killed", "steps=6")
    assert result.code == 0, result.err
    for seed in range(3):
        assert_same_run(Path(f"whole/seed-{seed}"), Path(f"killed/seed-{seed}"))


def test_a_member_that_was_trained_further_alone_is_not_thrown_back(gan_train):
    keys = (*TINY_POINTS, "ensemble=2", "hydra.run.dir=run")
    assert gan_train(*keys, "steps=4").code == 0
    assert gan_train("resume=run/seed-1", "steps=7").code == 0
    result = gan_train("resume=run", "steps=9")
    assert result.code == 2
    assert "resume=run: seed-1 has been trained by itself, to step 7, and together it would begin at 4" in result.err
    assert Path("run/seed-1/checkpoints/step-000000007.pt").exists()
    assert gan_train("resume=run/seed-1", "steps=9").code == 0


def test_an_ensemble_that_was_killed_goes_on(spawn, gan_train):
    keys = (*GAME, "ensemble=2", "checkpoint_every=2", "sample_every=0", "updates=optimistic")
    assert gan_train(*keys, "steps=60", "hydra.run.dir=whole").code == 0
    killed_at(spawn(*keys, "steps=60", "hydra.run.dir=killed"), "killed/seed-1/checkpoints/step-0000000[1-4]*.pt")
    assert gan_train("resume=killed").code == 0
    for seed in (0, 1):
        assert_same_run(Path(f"whole/seed-{seed}"), Path(f"killed/seed-{seed}"))


def test_the_whole_says_how_its_members_do(gan_train):
    result = gan_train(
        *GAME, "ensemble=2", "hydra.run.dir=run", "metrics=sliced_wasserstein", "watch=sliced_wasserstein"
    )
    assert result.code == 0, result.err
    whole = json.loads(Path("run/status.json").read_text())
    each = [json.loads(Path(f"run/seed-{seed}/status.json").read_text()) for seed in (0, 1)]
    assert whole["status"] == "finished"
    assert whole["members"] == {"seed-0": "finished", "seed-1": "finished"}
    assert whole["best"]["value"] == pytest.approx(sum(status["best"]["value"] for status in each) / 2)
    assert whole["high_quality"] == pytest.approx(sum(status["high_quality"] for status in each) / 2)
    assert set(whole["spread"]) == {"best", "modes", "high_quality"}
    assert "over 2 seeds" in Path("run/train.log").read_text()
    assert "high quality" in Path("run/seed-1/train.log").read_text()


def test_a_member_that_diverges_does_not_stop_the_others(gan_train):
    keys = (*GAME, "ensemble=2", "hydra.run.dir=run", "steps=3")
    assert gan_train(*keys).code == 0
    path = Path("run/seed-1/checkpoints/step-000000003.pt")
    state = torch.load(path)
    next(iter(state["networks"]["generator"].values())).fill_(float("nan"))
    torch.save(state, path)
    result = gan_train("resume=run", "steps=9")
    assert result.code == 3
    assert "1 of 2 members: seed-1" in result.err
    assert json.loads(Path("run/seed-1/status.json").read_text())["status"] == "diverged"
    assert json.loads(Path("run/seed-0/status.json").read_text())["status"] == "finished"
    assert state_in(Path("run/seed-0"))["step"] == 9
    assert gan_train("resume=run", "steps=12").code == 3  # the others can go on without it
    assert state_in(Path("run/seed-0"))["step"] == 12
    assert state_in(Path("run/seed-1"))["step"] == 3


def test_a_member_is_an_ordinary_run(gan_train, capfd):
    from gan_cli import cli
    from gan_cli.commands.tool import EVALUATION

    assert gan_train(*GAME, "ensemble=2").code == 0
    (folder,) = (path.parent for path in Path("outputs").glob("*/*/seed-1"))
    member = folder / "seed-1"
    arguments = [f"checkpoint={member}", "metrics=modes", "count=50", f"out={Path('judged.json').absolute()}"]
    assert cli._exit_code(lambda: EVALUATION.main(arguments), "gan-eval") == 0
    assert "modes" in json.loads(Path("judged.json").read_text())["metrics"]
    assert cli._exit_code(lambda: EVALUATION.main([f"checkpoint={folder}"]), "gan-eval") == 2
    assert f"is an ensemble: give one of its members, such as checkpoint={folder / 'seed-0'}" in capfd.readouterr().err
    assert gan_train(f"resume={member}", "steps=8").code == 0
    assert state_in(member)["config"]["seed"] == 1
    assert state_in(member)["step"] == 8
    assert gan_train("resume=latest", "steps=9").code == 2  # of both together; the other has not been so far
    assert state_in(member)["step"] == 8


def test_a_sweep_of_ensembles_skips_what_is_finished(gan_train):
    keys = ("-m", *GAME, "name=s", "ensemble=2", "loss=minimax,hinge")
    assert gan_train(*keys).code == 0
    before = {path: path.stat().st_mtime_ns for path in Path("outputs/sweeps/s").rglob("step-000000006.pt")}
    assert len(before) == 4
    result = gan_train(*keys)
    assert result.code == 0
    assert "outputs/sweeps/s: 2 of 2 finished" in result.err
    assert before == {path: path.stat().st_mtime_ns for path in before}


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("ensemble=1", "architecture=mlp"), "ensemble=1: is one run: leave it out, or ensemble=2 or more"),
        (
            ("ensemble=4",),
            "ensemble=4: is for small games, architecture=mlp: architecture=dcgan keeps the machine busy",
        ),
        ((*TINY_POINTS, "ensemble=2", "figure=saturation"), "figure=saturation: is drawn from one run: leave out"),
        ((*TINY_POINTS, "ensemble=2", "precision=bf16"), "precision=bf16: ensemble=2 cannot"),
        (
            (*TINY_POINTS, "ensemble=2", "penalty=r1", "architecture.discriminator.norm=batch"),
            "architecture.discriminator.norm=batch: changes with every look",
        ),
    ],
)
def test_what_cannot_be_done_at_once_is_refused(gan_train, keys, line):
    result = gan_train(*keys)
    assert result.code == 2
    assert len(result.errors) == 1
    assert line in result.errors[0]
    assert not Path("outputs").exists()


def test_an_ensemble_cannot_become_another(gan_train):
    assert gan_train(*GAME, "ensemble=2", "hydra.run.dir=run").code == 0
    assert "ensemble=3: the checkpoint has 2" in gan_train("resume=run", "steps=9", "ensemble=3").err
    assert "seed=3: the checkpoint has 0" in gan_train("resume=run", "steps=9", "seed=3").err
    assert "holds a run already" in gan_train(*GAME, "hydra.run.dir=run").err


def test_buffers_of_every_type_stay_what_they_are():
    """Masks of bool among counters of int64, which one stack of all that are not floats would turn into each other."""
    networks = [torch.nn.Module() for _ in range(2)]
    values = {"mask": torch.tensor([True, False]), "count": torch.tensor([3, 300]), "mean": torch.tensor([0.5])}
    for network in networks:
        for name, value in values.items():
            network.register_buffer(name, value.clone())
    _buffers(networks, "player")
    for network in networks:
        for name, value in values.items():
            torch.testing.assert_close(network.get_buffer(name), value, rtol=0, atol=0)
