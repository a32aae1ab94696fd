"""Schedules over images: a value at any moment follows from the images seen, whatever the batch sizes."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
from conftest import TINY_MLP, TINY_POINTS, setup_of, state_in, tensors

from gan_cli.config.annealing import annealed

ALL = (  # everything that can be annealed, over the same images
    *(*TINY_MLP, "anneal_images=8e1", "batch_size={0:4,20:12}"),
    *("optimizer.betas=[0.0,0.9]", "optimizer.final_betas=[0.5,0.99]"),
    *("ema_half_life=0", "final_ema_half_life=40"),
    *("penalty=[r1,r2]", "penalty.r1.weight=2", "penalty.r1.final_weight=0.2"),
    *("augment=[translation]", "augmentation.probability=0", "augmentation.final_probability=0.4"),
    *("schedule=cosine", "schedule.unit=images", "schedule.duration=80", "schedule.final=0.25"),
)
SEEN = [0, 4, 8, 12, 16, 20, 32, 44, 56, 68, 80, 92]  # before steps 1, 2, …: five steps of 4, then 12 each


def along(start, final, images):
    """Half a cosine over 80 images."""
    return final + (start - final) * (1 + math.cos(math.pi * min(1, images / 80))) / 2


def test_half_a_cosine():
    assert annealed(0.9, 0.99, 0, 100) == 0.9
    assert annealed(0.9, 0.99, 50, 100) == pytest.approx(0.945)
    assert annealed(2.0, 0.2, 25, 100) == pytest.approx(0.2 + 1.8 * (1 + math.sqrt(0.5)) / 2)
    assert annealed(2.0, 0.2, 100, 100) == annealed(2.0, 0.2, 10**9, 100) == 0.2
    assert annealed(2.0, None, 50, 100) == 2.0
    assert annealed(2.0, 0.2, 50, 0) == 2.0


def test_every_value_follows_from_the_images_seen():
    setup = setup_of(*ALL)
    judge = next(player for player in setup.players if player.name == "discriminator")
    for step, (seen, following) in enumerate(itertools.pairwise(SEEN), start=1):
        judge.tune(step)
        (group,) = judge.optimizer.param_groups
        assert group["betas"] == pytest.approx((along(0, 0.5, seen), along(0.9, 0.99, seen)))
        assert group["lr"] == pytest.approx(judge.lr * along(1, 0.25, following))  # as steps count
        half_life = along(0, 40, seen)
        assert setup.ema.decay(step) == pytest.approx(0.5 ** ((following - seen) / half_life) if half_life else 0)
        strengths = setup.game.strengths("discriminator", judge.moment(step, 0, setup.batch_sizes))
        assert strengths["penalty/r1"] == pytest.approx(along(2, 0.2, seen))
        assert strengths["penalty/r2"] == 10  # has no final weight
        assert strengths["augmentation"] == pytest.approx(along(0, 0.4, seen))


@pytest.mark.parametrize("schedule", ["linear", "cosine", "exponential", "constant"])
def test_a_schedule_over_images_is_the_one_over_as_many_steps(schedule):
    lengths = {"warmup": 3}
    lengths |= {"start": 2, "duration": 10} if schedule in ("linear", "cosine") else {}
    lengths |= {"half_life": 4} if schedule == "exponential" else {}
    rates = []
    for unit, size in (("steps", 1), ("images", 16)):
        keys = [f"schedule.{key}={size * length}" for key, length in lengths.items()]
        setup = setup_of(*TINY_POINTS, "discriminator.steps=2", f"schedule={schedule}", f"schedule.unit={unit}", *keys)
        rates.append([setup.players[0].rate(step) for step in range(1, 16)])
    assert rates[0] == pytest.approx(rates[1], rel=1e-12)
    assert len(set(rates[0])) >= 3


def weights(folder):
    return {name: tensor.numpy().tobytes() for name, tensor in tensors(state_in(Path(folder))["networks"]).items()}


def test_annealed_betas_train_another_network_and_stay_as_resumed(gan_train):
    """The state holds no schedule: what a resumed run takes over is the numbers typed now."""
    betas = ("optimizer.betas=[0.0,0.9]", "optimizer.final_betas=[0.5,0.99]")
    assert gan_train(*TINY_POINTS, betas[0], "steps=4", "hydra.run.dir=still").code == 0
    assert gan_train(*TINY_POINTS, *betas, "anneal_images=64", "steps=4", "hydra.run.dir=run").code == 0
    assert weights("still") != weights("run")
    resumed = gan_train("resume=run", "anneal_images=48", "steps=6")
    assert resumed.code == 0, resumed.err
    state = state_in(Path("run"))
    assert state["config"]["optimizer"]["anneal_images"] == 48
    for player in state["players"].values():  # of step 6, before which 40 images have been seen
        share = (1 - math.cos(math.pi * 40 / 48)) / 2
        assert player["optimizer"]["param_groups"][0]["betas"] == pytest.approx((0.5 * share, 0.9 + 0.09 * share))
