"""Promises 3 to 5: nothing runs that came in as data, watching changes nothing, the same command gives the same run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import (
    TINY_DCGAN,
    TINY_MLP,
    TINY_POINTS,
    TINY_PROGRESSIVE,
    TINY_R3GAN,
    TINY_RESNET,
    TINY_SIGNALS,
    TINY_TABLE,
    metrics_in,
    setup_of,
    state_in,
    tensors,
)

from gan_cli.algorithm import play

GAMES = {
    "mlp": (*TINY_MLP, "discriminator.steps=2"),
    "dcgan": (*TINY_DCGAN, "dataset.flip=true", "architecture.discriminator.norm=spectral"),
    "points": (*TINY_POINTS, "updates=simultaneous", "loss=minimax"),
    "conditions": (
        *("dataset=pendulum", *(key for key in TINY_POINTS if key != "dataset=ring")),
        *("conditional=true", "loss=relativistic", "penalty=[r1,r2]"),
    ),
    "penalties": (*TINY_DCGAN, "loss=relativistic", "penalty=[r1,r2,dragan]", "updates=extragradient"),
    "stabilisers": (*TINY_DCGAN, "augment=[color,cutout]", "instance_noise.sigma=0.1", "pack=2", "loss=hinge"),
    "adaptive": (*TINY_DCGAN, "augment=[blit,ada_color]", "augmentation.target=0.6", "augmentation.adapt_images=100"),
    "resnet": (*TINY_RESNET, "architecture.discriminator.norm=spectral", "conditional=true"),
    "r3gan": (
        *(*TINY_R3GAN, "loss=relativistic", "penalty=[r1,r2]", "anneal_images=40", "optimizer.final_betas=[0.0,0.9]"),
        *("ema_half_life=0", "final_ema_half_life=40"),
    ),
    "guarded": (*TINY_MLP, "guard=rollback", "sample_count=16"),
    "growing": (*TINY_PROGRESSIVE, "architecture.train_images=8", "architecture.fade_images=16", "penalty=[r1]"),
    "rectangle": (
        *(*TINY_DCGAN, "dataset.size=[64,96]", "dataset.fit=pad", "dataset.background=32", "dataset.limit=16"),
        *("batch_size=4", "augment=[blit,geometric,cutout]", "architecture.width=2"),
    ),
    "table": (*TINY_TABLE, "dataset.label=city"),
    "signals": (*TINY_SIGNALS, "architecture.discriminator.norm=spectral"),
    "reused": (*TINY_DCGAN, "reuse_fakes=true", "discriminator.steps=2"),
}


def weights(folder: str) -> dict[str, bytes]:
    state = state_in(Path(folder))
    parts = {key: state[key] for key in ("networks", "ema", "players", "kept")}
    return {name: tensor.numpy().tobytes() for name, tensor in tensors(parts).items()}


@pytest.mark.parametrize("game", GAMES.values(), ids=GAMES.keys())
def test_watching_never_changes_training(gan_train, game):
    blind = ("log_every=0", "sample_every=0", "checkpoint_every=0")
    watched = ("log_every=1", "sample_every=1", "checkpoint_every=1", "sample_count=9")
    assert gan_train(*game, *blind, "steps=6", "hydra.run.dir=blind").code == 0
    assert gan_train(*game, *watched, "steps=6", "hydra.run.dir=watched").code == 0
    assert weights("blind") == weights("watched")
    assert not Path("blind/metrics.jsonl").exists()
    assert len(metrics_in(Path("watched"))) == 6


@pytest.mark.parametrize("game", GAMES.values(), ids=GAMES.keys())
def test_the_same_command_gives_the_same_weights(gan_train, game):
    for name in ("one", "two"):
        torch.rand(3)  # what was drawn before must not matter
        assert gan_train(*game, "steps=5", f"hydra.run.dir={name}").code == 0
    assert weights("one") == weights("two")
    assert gan_train(*game, "steps=5", "seed=1", "hydra.run.dir=other").code == 0
    assert weights("one") != weights("other")


@pytest.mark.parametrize("game", [GAMES["mlp"], GAMES["stabilisers"]], ids=["mlp", "stabilisers"])
def test_every_draw_follows_from_the_attempt_too(game):
    """Each draw by itself: which samples, their flips, latents, and what is drawn within a move."""

    def drawn(attempt: int) -> dict[str, bytes]:
        setup, found = replace(setup_of(*game, "dataset.flip=true"), attempt=attempt), {}
        setup.minibatches.attempt = attempt
        work = setup.game.cost

        def cost(player, x, z, labels, strengths):
            found.update({f"{player} {len(found)}": part.numpy().tobytes() for part in (x, z)})
            found[f"{player} {len(found)} within"] = torch.default_generator.get_state().numpy().tobytes()
            return work(player, x, z, labels, strengths)

        setup.game.cost = cost
        play(setup, range(1, 3))
        return found

    first, again, other = drawn(0), drawn(0), drawn(1)
    assert first == again
    assert first.keys() == other.keys()
    assert [name for name in first if first[name] == other[name]] == []


def test_a_checkpoint_cannot_name_code_to_run(gan_train):
    assert gan_train(*TINY_MLP, "steps=2", "hydra.run.dir=run").code == 0
    path = max(Path("run/checkpoints").glob("*.pt"))
    state = torch.load(path, weights_only=True)
    Path("evil.py").write_text("from pathlib import Path\nPath('it-ran').touch()\nclass Evil:\n    pass\n")
    for name, planted in {"evil.Evil": {}, "minimax": {"class": "evil.Evil"}, "../../evil": {}}.items():
        torch.save({**state, "config": {**state["config"], "loss": {"name": name, **planted}}}, path)
        result = gan_train("resume=run", "steps=4")
        assert result.code == 2
        assert "loss" in result.err
        assert not Path("it-ran").exists()


def test_metrics_are_valid_json_with_the_promised_keys(gan_train):
    assert gan_train(*TINY_MLP, "steps=6", "log_every=2", "hydra.run.dir=run").code == 0
    lines = Path("run/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [2, 4, 6]
    record = json.loads(lines[-1])
    assert set(record) == {
        "step", "images", "epoch", "seconds", "images_per_second", "loss/discriminator", "loss/generator",
        "D/real", "D/fake", "grad_norm/discriminator", "grad_norm/generator", "lr/discriminator", "lr/generator",
        "jsd_lower_bound",
    }  # fmt: skip
    assert record["images"] == 6 * 8
    assert record["epoch"] == 6 * 8 / 64
    assert record["jsd_lower_bound"] == pytest.approx(0.69314718 - record["loss/discriminator"])


def test_divergence_stops_with_exit_code_3_and_keeps_the_last_good_checkpoint(gan_train):
    wild = (*TINY_POINTS, "loss=maximum_likelihood", "optimizer=sgd", "optimizer.lr=1e30", "log_every=1")
    result = gan_train(*wild, "steps=50", "hydra.run.dir=run")
    assert result.code == 3
    assert len(result.errors) == 1
    assert json.loads(Path("run/status.json").read_text())["status"] == "diverged"

    def no_constants(token):
        raise AssertionError(token)

    for line in Path("run/metrics.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=no_constants)
    for tensor in tensors(state_in(Path("run"))).values():
        assert torch.isfinite(tensor).all()
    result = gan_train(*wild, "steps=5", "guard=warn", "hydra.run.dir=on")
    assert result.code == 0
    assert json.loads(Path("on/status.json").read_text())["status"] == "finished"


def test_a_full_disk_stops_the_run_and_keeps_the_last_good_checkpoint(gan_train, monkeypatch):
    from gan_cli.runs import checkpoint

    real_save, saves = torch.save, []

    def full(state, file):
        saves.append(state["step"])
        real_save(state, file)
        if len(saves) == 3:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.torch, "save", full)
        result = gan_train(*TINY_MLP, "steps=9", "checkpoint_every=2", "hydra.run.dir=run")
    assert result.code == 2
    assert "cannot write the checkpoint (No space left on device): make room, then continue with resume=" in result.err
    assert sorted(p.name for p in Path("run/checkpoints").iterdir()) == ["step-000000000.pt", "step-000000002.pt"]
    assert json.loads(Path("run/status.json").read_text())["status"] == "failed"


SCHEDULES = {
    "constant": (("warmup=4",), [1, 2, 3, 4, 4, 4, 4, 4]),
    "linear": (("start=4", "duration=4", "final=0.25"), [4, 4, 4, 4, 3.25, 2.5, 1.75, 1]),
    "cosine": (("start=2", "duration=4"), [4, 4, 2 + 2**0.5, 2, 2 - 2**0.5, 0, 0, 0]),
    "exponential": (("half_life=2", "final=0.25"), [2 * 2**0.5, 2, 2**0.5, 1, 1, 1, 1, 1]),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_fall_as_the_schedule_says(gan_train, name):
    options, rates = SCHEDULES[name]
    keys = [f"schedule.{option}" for option in options]
    game = (*TINY_POINTS, "optimizer=sgd", "optimizer.lr=4e-3", "steps=8", "log_every=1")
    result = gan_train(*game, f"schedule={name}", *keys, "hydra.run.dir=run")
    assert result.code == 0, result.err
    assert [record["lr/generator"] for record in metrics_in(Path("run"))] == pytest.approx(
        [1e-3 * rate for rate in rates]
    )


@pytest.mark.filterwarnings("default")  # the compiler warns about itself
def test_compiled_networks_keep_their_names_and_numbers(gan_train):
    for name, compiled in (("eager", "false"), ("compiled", "true")):
        still = ("architecture.discriminator.dropout=0", "architecture.discriminator.input_dropout=0")
        result = gan_train(*TINY_POINTS, *still, "steps=3", f"compile={compiled}", f"hydra.run.dir={name}")
        assert result.code == 0, result.err
    eager, compiled = (tensors(state_in(Path(name))["networks"]) for name in ("eager", "compiled"))
    assert eager.keys() == compiled.keys()
    for name, value in eager.items():
        assert torch.allclose(value, compiled[name], atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("game", GAMES.values(), ids=GAMES.keys())
def test_deterministic_runs_resume_exactly_on_cuda(gan_train, game):
    cuda = (*game, "device=cuda", "deterministic=true", "checkpoint_every=4", "log_every=3")
    assert gan_train(*cuda, "steps=9", "hydra.run.dir=whole").code == 0
    assert gan_train(*cuda, "steps=5", "hydra.run.dir=parts").code == 0
    assert gan_train("resume=parts", "steps=9").code == 0
    assert weights("whole") == weights("parts")


def test_an_observer_may_draw_what_it_likes():
    def trained(observer) -> list[bytes]:
        setup = setup_of(*TINY_MLP, "dataset.flip=true")
        play(setup, range(1, 6), [observer])
        return [p.detach().numpy().tobytes() for player in setup.players for p in player.network.parameters()]

    assert trained(lambda step, statistics: None) == trained(lambda step, statistics: torch.rand(step))
