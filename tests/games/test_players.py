"""A game has any number of players: one and three train, resume, sample, are reported and dry-run like two."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
from conftest import TINY_MLP, TINY_POINTS, assert_same_run, killed_at, metrics_in, setup_of, state_in, tensors
from own_games import write_options

import gan_cli
from gan_cli.algorithm import play, turn
from gan_cli.config.batch_sizes import BatchSizes

GAMES = {"normal": ("dataset.size=8", "prior.size=64"), "autoencoder": ("dataset.size=8", "prior.size=3")}
PLAYERS = {"normal": ["model"], "autoencoder": ["judge", "encoder", "decoder"]}
COMMON = ("dataset.limit=64", "batch_size=8", "sample_count=4", "log_every=1", "ema_half_life=60")
TESTS = str(Path(__file__).parents[1])


@pytest.fixture
def own(monkeypatch, tmp_path):
    """The keys that choose one of our games."""
    monkeypatch.syspath_prepend(TESTS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([TESTS, os.environ.get("PYTHONPATH", "")]))
    folder = write_options(tmp_path / "mine")
    return lambda model: ("--config-dir", folder, f"model={model}", *GAMES[model], *COMMON)


@pytest.mark.parametrize("model", GAMES)
@pytest.mark.parametrize("updates", ["alternating", "simultaneous", "extragradient", "optimistic"])
def test_games_of_one_and_three_players_resume_to_the_same_bytes(gan_train, own, model, updates):
    keys = (*own(model), f"updates={updates}", "checkpoint_every=5", "sample_every=1", "keep_checkpoints=9")
    assert gan_train(*keys, "steps=11", "hydra.run.dir=whole").code == 0
    assert gan_train(*keys, "steps=5", "hydra.run.dir=parts").code == 0
    assert gan_train("--config-dir", own(model)[1], "resume=parts", "steps=11").code == 0
    assert_same_run(Path("whole"), Path("parts"))
    state = state_in(Path("whole"))
    assert list(state["networks"]) == list(state["players"]) == PLAYERS[model]
    assert set(metrics_in(Path("whole"))[0]) >= {f"loss/{name}" for name in PLAYERS[model]}


@pytest.mark.parametrize("model", GAMES)
def test_a_killed_run_of_one_or_three_players_goes_on_as_if_nothing_had_been(gan_train, spawn, own, model):
    keys = (*own(model), "checkpoint_every=20", "steps=400")
    killed_at(spawn(*keys, "hydra.run.dir=killed"), "killed/checkpoints/step-000000020.pt")
    assert gan_train("--config-dir", own(model)[1], "resume=killed").code == 0
    assert gan_train(*keys, "hydra.run.dir=whole").code == 0
    assert_same_run(Path("whole"), Path("killed"))


def test_with_one_player_simultaneous_is_alternating(gan_train, own):
    for updates in ("alternating", "simultaneous"):
        keys = (*own("normal"), "steps=7", f"updates={updates}", f"hydra.run.dir={updates}")
        assert gan_train(*keys).code == 0
    ours, theirs = (tensors(state_in(Path(name))["networks"]) for name in ("alternating", "simultaneous"))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_player_alone_finds_the_moments_of_the_data(gan_train, own):
    """The closed form of maximum likelihood; and what no weight holds is kept across a resume."""
    keys = (
        "dataset=gaussian",
        "dataset.dimension=3",
        "dataset.mean=0.7",
        "dataset.sigma=0.5",
        "dataset.points=64",
        "dataset.seed=0",
    )
    command = (*own("normal"), *keys, "prior.size=3", "batch_size=64", "ema_half_life=0", "hydra.run.dir=run")
    options = [key for key in command if not key.startswith(("dataset.size", "dataset.limit", "prior.size=64"))]
    assert gan_train(*options, "steps=300").code == 0
    assert gan_train("--config-dir", own("normal")[1], "resume=run", "steps=600").code == 0
    state = state_in(Path("run"))
    assert state["kept"]["seen"].item() == 600 * 64
    rng = np.random.default_rng(0)
    rng.choice(1, size=64, p=[1.0])
    x = 0.7 + 0.5 * rng.standard_normal((64, 3))
    found = state["networks"]["model"]
    np.testing.assert_allclose(found["mean"], x.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(found["log_scale"].exp(), x.std(axis=0), atol=0.02)


@pytest.mark.parametrize("model", GAMES)
def test_such_games_are_sampled_evaluated_reported_loaded_and_dry_run(gan_train, gan_sample, own, model, capfd):
    from gan_cli import cli
    from gan_cli.commands.report.command import main as report
    from gan_cli.commands.tool import EVALUATION

    folder = own(model)[1]
    result = gan_train(*own(model), "dry_run=true")
    assert result.code == 0
    assert all(name in result.out for name in PLAYERS[model])
    assert not Path("outputs").exists()
    assert gan_train(*own(model), "steps=4", "hydra.run.dir=run").code == 0
    assert json.loads(Path("run/status.json").read_text())["status"] == "finished"
    assert gan_sample("--config-dir", folder, "checkpoint=run", "n=5", "format=npz", "out=some.npz").code == 0
    pictures = gan_cli.load("run", config_dir=folder).sample(5, seed=0)
    assert pictures.shape == (5, 1, 8, 8)
    keys = ["--config-dir", folder, "checkpoint=run", "metrics=[sliced_wasserstein]", "extractor=pixels", "count=32"]
    assert cli._exit_code(lambda: EVALUATION.main([*keys, "out=found.json"]), "gan-eval") == 0
    assert json.loads(Path("found.json").read_text())["metrics"]["sliced_wasserstein"] > 0
    refused = cli._exit_code(lambda: EVALUATION.main([*keys, "metrics=[discriminator]"]), "gan-eval")
    assert refused == 2
    assert "needs the discriminator" in capfd.readouterr().err
    assert cli._exit_code(lambda: report(["run"]), "gan-report") == 0
    assert f"loss/{PLAYERS[model][0]}" in Path("run/report.html").read_text()
    capfd.readouterr()
    assert cli._exit_code(lambda: report(["run", "--format", "json"]), "gan-report") == 0
    results = json.loads(capfd.readouterr().out)[0]["results"]
    last = metrics_in(Path("run"))[-1]
    for name in PLAYERS[model]:
        assert results[f"loss/{name}"] == last[f"loss/{name}"]
        assert f"J({name}) {last[f'loss/{name}']:.3f}" in Path("run/train.log").read_text()


def test_what_only_some_games_can_do_is_asked_of_what_was_loaded(gan_train, own):
    for model in GAMES:
        assert gan_train(*own(model), "steps=6", f"hydra.run.dir={model}").code == 0
    folder, x = own("normal")[1], torch.linspace(-1, 1, 3 * 64).reshape(3, 1, 8, 8)
    normal, autoencoder = (gan_cli.load(model, config_dir=folder) for model in ("normal", "autoencoder"))
    average = state_in(Path("normal"))["ema"]  # the average of the weights
    nats = scipy.stats.norm(average["mean"], average["log_scale"].exp()).logpdf(x).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(normal.log_likelihood(x), nats, rtol=1e-5)
    assert autoencoder.encode(x).shape == (3, 3)
    assert gan_train(*TINY_MLP, "steps=2", "hydra.run.dir=gan").code == 0
    assert gan_cli.load("gan").discriminator(x, None).shape == (3,)
    for loaded, name in ((normal, "encode"), (autoencoder, "log_likelihood"), (gan_cli.load("gan"), "encode")):
        with pytest.raises(ValueError, match=r"model=\w+: has no (encoder|likelihood) here"):
            vars(type(loaded))[name](loaded, x)
    with pytest.raises(ValueError, match="model=normal: has no discriminator here"):
        normal.discriminator  # noqa: B018


def test_several_processes_play_the_games_of_one_and_three(gan_train, own):
    for model in GAMES:
        result = gan_train(*own(model), "steps=3", "devices=2", "device=cpu", f"hydra.run.dir={model}")
        assert result.code == 0, result.err
        assert gan_train(*own(model), "steps=3", "device=cpu", f"hydra.run.dir={model}-alone").code == 0
        ours, theirs = (tensors(state_in(Path(name))["networks"]) for name in (model, f"{model}-alone"))
        for name, value in ours.items():
            torch.testing.assert_close(value, theirs[name], rtol=1e-4, atol=1e-6)


def test_who_moves_with_whom():
    """In every order, each player makes all its moves, once; those who move jointly are one of each."""

    class Some:
        def __init__(self, name, steps):
            self.name, self.steps = name, steps

    for counts in ([1], [3], [2, 1], [1, 2], [3, 2, 2], [1, 1, 1], [2, 3, 1, 2]):
        players = [Some(f"p{i}", steps) for i, steps in enumerate(counts)]
        for updates in ("alternating", "simultaneous", "extragradient", "optimistic"):
            groups = [[(player.name, move) for player, move in moves] for moves, _ in turn(players, updates)]
            if updates == "extragradient":  # looks ahead, then moves from where it was
                groups = [group for i, group in enumerate(groups) if i == 0 or group != groups[i - 1]]
            made = [move for group in groups for move in group]
            assert sorted(made) == [(p.name, move) for p in players for move in range(p.steps)]
            joint = max(groups, key=len)
            if updates != "alternating":
                assert [name for name, _ in joint] == [player.name for player in players]
            else:
                assert made == sorted(made)


def test_batch_sizes_turn_steps_into_images():
    """Against counting one step after another."""
    for sizes, moves in ((7, 1), ({0: 4, 40: 8}, 1), ({0: 3, 10: 5, 11: 2, 50: 9}, 2), ({0: 64, 1: 32}, 3)):
        schedule = BatchSizes(sizes, moves)
        seen = drawn = 0
        assert schedule.images_seen(0) == 0
        for step in range(1, 60):
            wanted = sizes if isinstance(sizes, int) else sizes[max(at for at in sizes if at <= seen)]
            assert (schedule.at(step), schedule.drawn(step)) == (wanted, drawn)
            seen, drawn = seen + moves * wanted, drawn + wanted
            assert schedule.images_seen(step) == seen


@pytest.mark.parametrize("keys", [TINY_MLP, (*TINY_POINTS, "ensemble=2"), (*TINY_MLP, "discriminator.steps=2")])
def test_a_batch_size_that_doubles_half_way_resumes_exactly(gan_train, keys):
    """Killed before, at and after the change; images and epochs count what was seen."""
    keys = tuple(key for key in keys if not key.startswith("batch_size"))
    keys = (
        *keys,
        "batch_size={0:8,48:16}",
        "log_every=1",
        "sample_every=1",
        "checkpoint_every=1",
        "keep_checkpoints=9",
    )
    assert gan_train(*keys, "steps=9", "hydra.run.dir=whole").code == 0
    k = 2 if "discriminator.steps=2" in keys else 1
    change = 48 // (8 * k)
    for stop in (change - 1, change, change + 1):
        assert gan_train(*keys, f"steps={stop}", f"hydra.run.dir=parts{stop}").code == 0
        assert gan_train(f"resume=parts{stop}", "steps=9").code == 0
        for name in ("seed-0", "seed-1") if "ensemble=2" in keys else ("",):
            assert_same_run(Path("whole", name), Path(f"parts{stop}", name))
    records = metrics_in(Path("whole/seed-0" if "ensemble=2" in keys else "whole"))
    assert [r["images"] for r in records] == [
        8 * k * min(s, change) + 16 * k * max(0, s - change) for s in range(1, 10)
    ]


def test_a_resumed_run_with_another_batch_size_counts_the_images_that_were_seen(gan_train):
    keys = [key for key in TINY_MLP if not key.startswith("batch_size")]
    assert gan_train(*keys, "batch_size=16", "steps=4", "log_every=1", "hydra.run.dir=run").code == 0
    assert gan_train("resume=run", "steps=6", "batch_size=8").code == 0
    assert gan_train("resume=run", "steps=8", "batch_size={0:4,88:12}").code == 0
    assert [line["images"] for line in metrics_in(Path("run"))] == [16, 32, 48, 64, 72, 80, 84, 88]
    assert gan_train("resume=run", "steps=9").code == 0
    assert metrics_in(Path("run"))[-1]["images"] == 100
    assert state_in(Path("run"))["config"]["batch_size"] == {0: 16, 64: 8, 80: 4, 88: 12}


@pytest.mark.parametrize(
    "key", ["loss=hinge", "penalty=r1", "discriminator.steps=2", "pack=2", "instance_noise.sigma=1"]
)
def test_what_a_model_has_no_use_for_is_refused(gan_train, own, key):
    result = gan_train(*own("normal"), key, "steps=1")
    assert result.code == 2
    assert result.errors == [f"gan-train: error: {key}: model=normal has no use for it: leave it out"]
    assert not Path("outputs").exists()


def test_no_picture_is_skipped_or_repeated_where_the_batch_size_changes():
    setup = setup_of(*TINY_MLP, "batch_size={0:8,24:20,44:5}", "discriminator.steps=2", "dataset.limit=96")
    seen: dict[str, list[int]] = {"discriminator": [], "generator": []}
    look_up = setup.minibatches.indices

    def indices(player, drawn, size):
        found = look_up(player, drawn, size)
        seen[player] += found.tolist()
        return found

    setup.minibatches.indices = indices
    play(setup, range(1, 25))
    for player in setup.players:
        drawn = seen[player.name]
        assert len(drawn) == player.steps * setup.batch_sizes.drawn(25)
        for epoch in range(len(drawn) // 96):
            assert sorted(drawn[96 * epoch : 96 * (epoch + 1)]) == list(range(96))


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("{8:16}", "batch_size={'8': 16}: must begin with the size at 0 images, such as {0:64,100000:128}"),
        ("{0:0}", "batch_size={'0': 0}: must be sizes of at least 1 by the images seen"),
        ("[8,16]", "batch_size=[8, 16]: must be a whole number, or {0:64,100000:128}: sizes by the images seen"),
        ("{0:8,99:9} pack=2", "batch_size=9: is shared out equally by pack=2: must be a multiple of 2"),
        ("{0:8,99:9} devices=2", "batch_size=9: is shared out equally by devices=2: must be a multiple of 2"),
    ],
)
def test_a_batch_size_that_is_none_is_refused(gan_train, typed, line):
    result = gan_train(*(f"batch_size={typed}".split(" ")))
    assert result.code == 2
    assert len(result.errors) == 1
    assert line in result.errors[0]
