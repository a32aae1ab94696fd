"""A recorded move is the move: the same bits as making it, whatever the game, and a reason where there is none."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import Mock

import pytest
import torch
from conftest import (
    MODELS,
    TINY_DCGAN,
    TINY_MLP,
    TINY_POINTS,
    TINY_PROGRESSIVE,
    TINY_R3GAN,
    TINY_RESNET,
    setup_of,
    tensors,
)
from tape import Tape

from gan_cli.algorithm import play
from gan_cli.config.library import Library
from gan_cli.errors import UserError
from gan_cli.training import capture
from gan_cli.training.build import build
from gan_cli.training.capture import Eager, Recorder
from gan_cli.training.cuda_graphs import CUDAGraphs
from gan_cli.training.scaler import Scaler
from gan_cli.training.state import state_of

GAMES = {  # and how many kinds of moves there are
    "mlp, rate falls": (2, *TINY_MLP, "schedule=cosine", "schedule.duration=8", "schedule.warmup=2"),
    "dcgan, batch norm, flips, k=2": (2, *TINY_DCGAN, "dataset.flip=true", "discriminator.steps=2"),
    "spectral norm, hinge": (2, *TINY_DCGAN, "architecture.discriminator.norm=spectral", "loss=hinge"),
    "penalties now and then, annealed": (
        5,
        *TINY_MLP,
        "loss=relativistic",
        "penalty=[r1,r2]",
        "penalty.r1.interval=2",
        "penalty.r1.final_weight=0.1",
        "penalty.r1.anneal_images=50",
        "penalty.r2.interval=3",
    ),
    "wgan-gp": (2, *TINY_MLP, "loss=wasserstein", "loss.clip=0", "penalty=gradient_penalty"),
    "wgan, clipped, rmsprop": (2, *TINY_POINTS, "loss=wasserstein", "optimizer=rmsprop", "optimizer.momentum=0.5"),
    "noise that ends": (4, *TINY_DCGAN, "instance_noise.sigma=0.3", "instance_noise.images=60"),
    "bf16, noise, augmented": (
        2,
        *TINY_DCGAN,
        "precision=bf16",
        "instance_noise.sigma=0.3",
        "instance_noise.images=500",
        "augment=[color,translation,cutout]",
    ),
    "augmented adaptively": (
        3,
        *TINY_DCGAN,
        "augment=[blit,geometric,ada_color]",
        *("augmentation.target=0.2", "augmentation.probability=0.5", "augmentation.adapt_images=500"),
    ),
    "growing": (
        8,
        *TINY_PROGRESSIVE,
        "architecture.train_images=32",
        "augment=[translation]",
        "penalty=gradient_penalty",
        "optimizer.betas=[0.5,0.9]",
    ),
    "packs, dragan, dropout": (2, *TINY_MLP, "pack=2", "penalty=dragan", "architecture.discriminator.dropout=0.3"),
    "r3gan, rate and penalties by images": (
        2,
        *(*TINY_R3GAN, "loss=relativistic", "penalty=[r1]", "penalty.r1.final_weight=0.1", "anneal_images=80"),
        *("schedule=cosine", "schedule.unit=images", "schedule.duration=80"),
    ),
    "resnet": (2, *TINY_RESNET),
    "simultaneous sgd": (2, *TINY_POINTS, "updates=simultaneous", "optimizer=sgd", "optimizer.lr=0.01"),
}
JOINT = {
    "extragradient": (*TINY_POINTS, "updates=extragradient"),
    "optimistic": (*TINY_DCGAN, "updates=optimistic", "penalty=r1"),
    "annealed betas": (*TINY_POINTS, "optimizer.final_betas=[0.0,0.9]", "anneal_images=80"),
    "rising momentum": (
        *TINY_POINTS,
        "optimizer=sgd",
        "optimizer.final_momentum=0.9",
        "optimizer.momentum_steps=20",
    ),
}
STEPS = 16


def played(keys, recorder=None, steps=STEPS, prepare=lambda setup: None):
    """Every statistic of every step, and the state at the end."""
    setup = setup_of("ema_half_life=40", *keys)
    prepare(setup)
    rmsprop = setup.config.optimizer.name == "rmsprop"  # has another formula for rates that lie in memory
    for player in setup.players:
        for group in player.optimizer.param_groups:
            if recorder or rmsprop:  # as on a GPU; in double, the rate is what it is to the host
                group["lr"] = torch.tensor(group["lr"], dtype=torch.float64)
            if rmsprop:
                group["capturable"] = True
    seen = []
    play(setup, range(1, steps + 1), [lambda step, statistics: seen.extend(statistics)], recorder)
    return seen, tensors(state_of(setup, steps))


def assert_same(one, other):
    (one_seen, one_state), (other_seen, other_state) = one, other
    for ours, theirs in zip(one_seen, other_seen, strict=True):
        assert ours.keys() == theirs.keys()
        assert {k: v.item() for k, v in ours.items()} == {k: v.item() for k, v in theirs.items()}
    assert one_state.keys() == other_state.keys()
    for name, value in one_state.items():
        assert value.numpy().tobytes() == other_state[name].numpy().tobytes(), name


@pytest.fixture
def _capturable(monkeypatch):
    """RMSprop steps that could be recorded, on a CPU too."""
    from torch.optim import rmsprop

    monkeypatch.setattr(rmsprop, "_get_capturable_supported_devices", lambda **_: ["cpu"])


@pytest.mark.usefixtures("_capturable")
@pytest.mark.parametrize("game", GAMES.values(), ids=GAMES.keys())
def test_recorded_moves_are_the_moves_bit_for_bit(game):
    kinds, *keys = game
    passing = "instance_noise.images=60" in keys or "architecture=progressive" in keys
    tape = Tape()
    assert_same(played(keys), played(keys, recorder := Recorder(tape, strict=True)))
    assert len(recorder.recordings) == (2 if passing else kinds)  # memory of what does not come back is free again
    moves = STEPS * (1 + 1 + ("discriminator.steps=2" in keys))
    gradients = moves - capture.WARM_UP * kinds
    assert tape.replays == 2 * gradients
    assert len(tape.recordings) == 2 * kinds


@pytest.mark.parametrize("model", [name for name, keys in MODELS.items() if "conditional=true" not in keys])
def test_recorded_moves_of_every_model_are_its_moves(model):
    """(On a CPU, unlike a GPU, one_hot looks at the labels it is given.)"""
    keys = (*MODELS[model], *(["ema_half_life=0"] if model == "ngram" else []))
    tape = Tape()
    assert_same(played(keys, steps=8), played(keys, Recorder(tape, strict=True), steps=8))
    assert tape.replays


@pytest.mark.parametrize("game", JOINT.values(), ids=JOINT.keys())
def test_descents_that_cannot_be_recorded_are_made_as_they_are(game):
    tape = Tape()
    assert_same(played(game), played(game, recorder := Recorder(tape, strict=True)))
    assert len(recorder.recordings) == len(tape.recordings) == 2  # the gradients


def test_moves_that_overflow_are_skipped_in_recordings_too():
    """As with precision=fp16, on float32 networks and with a scale that is too large for some moves."""

    def scale(setup):
        for player in setup.players:
            player.scaler = Scaler(player.optimizer, setup.device)
            player.scaler.scale.fill_(2.0**127)

    game = (*TINY_MLP, "loss=least_squares", "loss.b=30")
    one = played(game, prepare=scale)
    assert_same(one, played(game, Recorder(Tape(), strict=True), prepare=scale))
    norms = [move["grad_norm/discriminator"].item() for move in one[0] if "grad_norm/discriminator" in move]
    skipped = norms.count(0.0)
    assert 0 < skipped < STEPS - capture.WARM_UP
    assert one[1]["/players/discriminator/scaler/scale"] == 2.0 ** (127 - skipped)
    assert one[1]["/players/discriminator/optimizer/state/0/step"] == STEPS - skipped
    assert all(value.isfinite().all() for value in one[1].values())


def test_a_number_of_the_hosts_would_be_found_out(monkeypatch):
    """The stand-in can fail: what varies must be filled."""
    monkeypatch.setattr(capture.Recording, "fill", lambda self, rows, labels, strengths: self.rows.copy_(rows))
    keys = GAMES["noise that ends"][1:]
    with pytest.raises(AssertionError):
        assert_same(played(keys), played(keys, Recorder(Tape(), strict=True)))


def test_moves_that_wait_for_the_device_are_not_recorded_and_it_says_why(caplog):
    tape = Tape()
    tape.waits.append("mine.py:7")
    with caplog.at_level(logging.INFO, logger="gan_cli"):
        assert_same(played(TINY_MLP), played(TINY_MLP, Recorder(tape, strict=False)))
    assert not tape.recordings
    reasons = [record.getMessage() for record in caplog.records]
    assert reasons == [
        "moves are not recorded (capture=auto): the discriminator's move waits for the device at mine.py:7"
    ]
    with pytest.raises(UserError, match=r"capture=true: the discriminator's move waits for the device at mine\.py:7"):
        played(TINY_MLP, Recorder(tape, strict=True))


def test_too_little_memory_to_record_in_goes_on_without(monkeypatch, caplog):
    tape = Tape()

    def full(function):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(tape, "record", full)
    with caplog.at_level(logging.INFO, logger="gan_cli"):
        assert_same(played(TINY_MLP), played(TINY_MLP, Recorder(tape, strict=False)))
    assert [record.getMessage() for record in caplog.records] == [
        "moves are not recorded (capture=auto): there is no memory left to record moves in"
    ]


def test_what_cannot_be_recorded_stops_with_one_line(monkeypatch):
    """A graph that failed half-way leaves CUDA in no known state."""
    from gan_cli.games import view

    monkeypatch.setitem(view.AUGMENTATIONS, "color", lambda x, p: x * x.mean().item())
    with pytest.raises(
        UserError, match=r"the discriminator's move cannot be recorded \(.*capturing\): use capture=false"
    ):
        played((*TINY_DCGAN, "augment=[color]"), Recorder(Tape(), strict=False))


def test_an_error_without_a_word_is_named_by_its_kind():
    tape = Tape()
    tape.record = Mock(side_effect=RuntimeError("\n"))
    with pytest.raises(UserError, match=r"move cannot be recorded \(RuntimeError\): use capture=false"):
        played(TINY_MLP, Recorder(tape, strict=True))


def test_a_recording_that_fails_says_why_and_leaves_the_generator_outside(monkeypatch):
    """With an illegal call in it, its end fails too, says nothing, and leaves the generator within."""

    @contextmanager
    def broken(*args, **keywords):
        try:
            yield
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")

    def illegal():
        raise RuntimeError("operation not permitted when stream is capturing")

    generator, current = Mock(), Mock(device=torch.device("cuda:0"))
    for name, value in {
        "graph": broken,
        "CUDAGraph": Mock,
        "current_stream": lambda: current,
        "default_stream": Mock,
        "default_generators": [generator],
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(torch, "Generator", lambda device: f"a new one of {device}")
    with pytest.raises(RuntimeError, match="not permitted when stream is capturing"):
        CUDAGraphs().record(illegal)
    generator.graphsafe_set_state.assert_called_once_with("a new one of cuda:0")


def test_capture_is_for_cuda(gan_train):
    assert gan_train(*TINY_POINTS, "steps=1", "capture=auto", "device=cpu").code == 0
    result = gan_train(*TINY_POINTS, "steps=1", "capture=true", "device=cpu")
    assert result.code == 2
    assert result.errors == ["gan-train: error: capture=true: is for CUDA devices, and device=cpu: use capture=auto"]


def test_what_speaks_against_recording_is_said(monkeypatch):
    setup = setup_of("experiment=lecture", "dataset.limit=64", "compile=true")
    assert capture.against(setup) == "compile=true takes its place; capture=true does both"
    setup = build(setup.config.model_copy(update={"compile": False}), Library())
    assert capture.against(setup) is None
    assert type(capture.recorder(setup)) is Eager
    assert capture.against(replace(setup, own=["loss"])).startswith("the loss is your own")
