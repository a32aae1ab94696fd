"""Augmentation of what D sees, against the maps that the papers say, and the probability that follows D."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY_DCGAN, metrics_in, setup_of
from PIL import Image

from gan_cli.algorithm import play
from gan_cli.config.library import Library
from gan_cli.games.augmentation import AUGMENTATIONS
from gan_cli.games.steering import Steering
from gan_cli.games.view import AUGMENTATION, View
from gan_cli.metrics.judge import Judge
from gan_cli.runs.description import advice
from gan_cli.runs.loading import trained as loaded

LIKELY = {  # the share of 4×4 grey pictures that change if each coin falls with probability .3, by a hand count
    "color": 0.3,
    "cutout": 0.3,
    "blit": 1 - (1 - 0.3 / 2) * (1 - 0.3 * 3 / 4),  # no flip, no turn; an eighth of 4 pixels is no shift
    "geometric": 1 - 0.7**4,  # scale, stretch, one of two turns, shift
    "ada_color": 1 - 0.7**2 * (1 - 0.3 / 2),  # brightness, contrast, inversion in half of its cases
}


@pytest.mark.parametrize("name", LIKELY)
def test_each_sample_is_changed_with_its_probability(name):
    torch.manual_seed(0)
    x = torch.rand(20_000, 1, 4, 4)
    changed = ((AUGMENTATIONS[name](x, 0.3) - x).abs().amax(dim=(1, 2, 3)) > 1e-5).double().mean().item()
    assert changed == pytest.approx(LIKELY[name], abs=4 * math.sqrt(0.25 / len(x)))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_nothing_changes_with_probability_0(name):
    x = torch.rand(50, 3, 9, 9, dtype=torch.float64)
    torch.testing.assert_close(AUGMENTATIONS[name](x, 0.0), x, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_pictures_in_bf16_are_drawn_and_moved_as_in_fp32(name):
    """Places beyond 256 are no numbers of bfloat16."""
    x = torch.rand(4, 3, 288, 288).bfloat16()
    found = []
    for picture in (x, x.float()):
        torch.manual_seed(0)
        found.append(AUGMENTATIONS[name](picture, None).float())
    torch.testing.assert_close(*found, rtol=0, atol=0.0 if name in ("translation", "cutout", "blit") else 0.05)


def test_blits_move_whole_pixels():
    x = torch.arange(64.0).reshape(1, 1, 8, 8).repeat(400, 1, 1, 1)
    torch.manual_seed(0)
    y = AUGMENTATIONS["blit"](x, None)
    squares = {np.rot90(one, k).tobytes() for one in (x[0, 0].numpy(), x[0, 0].flip(1).numpy()) for k in range(4)}
    found = set()
    for picture in y[:, 0].numpy():
        padded = [np.pad(np.frombuffer(s, np.float32).reshape(8, 8), 1, mode="reflect") for s in squares]
        shifted = {
            p[i : i + 8, j : j + 8].tobytes(): (n, i, j)
            for n, p in enumerate(padded)
            for i in range(3)
            for j in range(3)
        }
        found.add(shifted[np.ascontiguousarray(picture).tobytes()])
    assert len(found) == 8 * 9  # every turn and flip, with every shift by −1, 0 or 1


def test_warps_are_affine_maps_about_the_centre():
    """A ramp stays a ramp, whose slopes tell scale and turn: their spread is that of the paper's normals."""
    size = 129
    ramp = torch.linspace(-1, 1, size, dtype=torch.float64)
    x = torch.stack([ramp[:, None].expand(size, size), ramp[None].expand(size, size)])[None].repeat(300, 1, 1, 1)
    torch.manual_seed(0)
    middle = slice(size // 2 - 6, size // 2 + 7)
    y = AUGMENTATIONS["geometric"](x, None)[:, :, middle, middle]
    down, right = y[:, :, 1:] - y[:, :, :-1], y[..., 1:] - y[..., :-1]
    assert down.std(dim=(2, 3)).median() < 1e-6  # but where an edge is mirrored
    whole = ((down.std(dim=(2, 3)) < 1e-6) & (right.std(dim=(2, 3)) < 1e-6)).all(dim=1)
    assert whole.double().mean() > 0.8
    step = 2 / (size - 1)
    maps = torch.stack([down.mean(dim=(2, 3)), right.mean(dim=(2, 3))], dim=2)[whole] / step  # (n, 2, 2)
    scale = -torch.linalg.det(maps).abs().log2() / 2
    stretch = torch.linalg.cond(maps).log2() / 2
    assert scale.mean().item() == pytest.approx(0, abs=0.05)
    assert scale.std().item() == pytest.approx(0.2, abs=0.04)
    assert stretch.square().mean().sqrt().item() == pytest.approx(0.2, abs=0.04)
    angle = torch.atan2(maps[:, 1, 0], maps[:, 0, 0])
    assert torch.exp(1j * angle).mean().abs() < 0.2  # any angle


def test_colours_change_by_a_linear_map_that_keeps_greys_grey():
    torch.manual_seed(0)
    x = torch.rand(200, 3, 6, 6, dtype=torch.float64) * 2 - 1
    y = AUGMENTATIONS["ada_color"](x, None)
    ones = torch.ones(200, 36, 1, dtype=torch.float64)
    given, made = torch.cat([x.flatten(2).mT, ones], dim=2), y.flatten(2).mT
    found = torch.linalg.lstsq(given, made).solution  # (n, 4, 3)
    torch.testing.assert_close(given @ found, made, rtol=0, atol=1e-5)
    matrix, shift = found[:, :3].mT, found[:, 3]
    grey = matrix.sum(dim=2)  # of (1, 1, 1)
    assert (grey - grey[:, :1]).abs().max() < 1e-5
    assert (shift - shift[:, :1]).abs().max() < 1e-5
    assert (grey[:, 0] < 0).double().mean().item() == pytest.approx(0.5, abs=0.15)  # inverted light
    across = torch.eye(3, dtype=torch.float64) - 1 / 3
    chroma = across @ matrix @ across
    square = chroma @ chroma.mT
    factor = square.diagonal(dim1=1, dim2=2).sum(dim=1) / 2
    torch.testing.assert_close(square, factor[:, None, None] * across, rtol=1e-4, atol=1e-5)  # turned and scaled
    contrast, saturation = grey[:, 0].abs().log2(), (factor.sqrt() / grey[:, 0].abs()).log2()
    assert contrast.std().item() == pytest.approx(0.5, abs=0.1)
    assert saturation.std().item() == pytest.approx(1, abs=0.2)
    assert shift[:, 0].div(grey[:, 0]).abs().median().item() == pytest.approx(0.2 * 0.6745, abs=0.03)


def test_the_probability_follows_the_sign_of_d():
    steering = Steering(target=0.6, images=100, start=0.05, device=torch.device("cpu"))
    sure, unsure = torch.tensor([3.0, 1.0, 2.0, 4.0, 0.5]), torch.tensor([1.0, 1.0, 1.0, -2.0, -1.0])  # r = 1, .2
    said = [steering.saw(sure, 5, change=False), steering.saw(sure, 5, change=True)]
    assert [s["augmentation/sign"].item() for s in said] == [1, 1]
    assert [s["augmentation/probability"].item() for s in said] == pytest.approx([0.05, 0.05])
    assert steering.probability.item() == pytest.approx(0.15)  # 10 images of 100
    steering.saw(unsure, 5, change=False)
    steering.saw(sure, 5, change=True)  # r = .6: at its target
    assert steering.probability.item() == pytest.approx(0.15)
    for _ in range(4):
        steering.saw(unsure, 5, change=True)
    assert steering.probability.item() == 0  # not below
    other = Steering(0.6, 100, 0.3, torch.device("cpu"))
    steering.saw(sure, 5, change=False)
    other.restore(steering.kept())
    assert [s.saw(sure, 5, change=True)["augmentation/probability"] for s in (steering, other)] == [0, 0]
    assert steering.probability == other.probability == pytest.approx(0.1)


@pytest.mark.parametrize("updates", ["alternating", "simultaneous", "extragradient", "optimistic"])
def test_a_move_of_d_counts_once_however_it_descends(updates):
    keys = ("augment=[blit]", "augmentation.target=-0.99", "augmentation.adapt_images=1000", "batch_size=16")
    setup = setup_of(*TINY_DCGAN, *keys, f"updates={updates}")
    play(setup, range(1, 9))
    assert setup.game.view.steering.probability.item() == pytest.approx(8 * 16 / 1000)


def test_the_probability_is_annealed_along_half_a_cosine():
    view = View(augment=["blit"], probability=0.1, final_probability=0.5, anneal_images=1000)
    found = [view.strengths(images)[AUGMENTATION] for images in (0, 250, 500, 1000, 5000)]
    assert found == pytest.approx([0.1, 0.3 - 0.2 * math.cos(math.pi / 4), 0.3, 0.5, 0.5])
    assert View(augment=["blit"]).strengths(0) == {}  # always


def test_a_run_shows_logs_and_keeps_its_augmentation(gan_train, gan_eval):
    keys = ("augment=[blit,ada_color]", "augmentation.target=0.1", "augmentation.adapt_images=100", "steps=9")
    result = gan_train(*TINY_DCGAN, *keys, "log_every=1", "hydra.run.dir=run")
    assert result.code == 0
    assert "few enough for D to learn by heart" not in result.err
    logged = [record["augmentation/probability"] for record in metrics_in(Path("run"))]
    assert logged[:4] == [0] * 4
    assert logged[4] in (0, pytest.approx(0.32))  # four minibatches of 8 of 100 images
    real, augmented = (np.asarray(Image.open(f"run/samples/{name}.png")) for name in ("real", "augmented"))
    assert real.shape == augmented.shape
    assert not np.array_equal(real, augmented)
    game = loaded("run", Library()).sampler.game
    assert game.view.steering.probability.item() == pytest.approx(0 if logged[8] == 0 else logged[8])
    assert gan_eval("checkpoint=run", "metrics=discriminator", "count=64", "out=found.json").code == 0
    assert "augmented by blit and ada_color with probability" in Path("found.json").read_text()


@pytest.fixture(scope="module")
def setups():
    """A GAN and a model without a D, on pictures."""
    return {model: setup_of(*TINY_DCGAN, f"model={model}", "dataset.limit=100") for model in ("gan", "vae")}


@pytest.mark.parametrize(
    ("model", "count", "keys", "said"),
    [
        ("gan", 100, {}, "100 pictures are few enough for D to learn by heart"),
        ("gan", 14, {}, "more pictures of the kind (start=RUN freeze=discriminator:3), give a hundred and more"),
        ("gan", 14, {"start": "run"}, "copies of them at best: hold D back (freeze=discriminator:3), give a hundred"),
        ("gan", 14, {"start": "run", "freeze": ["discriminator:1"]}, "copies of them at best: give a hundred and more"),
        ("gan", 1, {"freeze": ["generator:1"]}, "1 picture is very few: expect copies of it at best: begin from a run"),
        ("vae", 14, {}, "more pictures of the kind (start=RUN), give a hundred and more, or look at each grid"),
        ("vae", 100, {}, None),
    ],
)
def test_few_pictures_are_said_to_be_few(setups, model, count, keys, said):
    setup = setups[model]
    found = advice(replace(setup, config=setup.config.model_copy(update=keys)), count)
    assert found == [] if said is None else [said in line for line in found] == [True]


def test_very_few_pictures_are_said_in_one_line_where_a_run_begins(gan_train):
    result = gan_train(*TINY_DCGAN, "dataset.limit=14", "steps=1")
    assert result.code == 0
    assert [line for line in result.err.splitlines() if "14 pictures" in line] == [
        line for line in result.err.splitlines() if "14 pictures are very few: expect copies of them at best" in line
    ]


def test_d_is_asked_with_the_probability_of_the_moment():
    setup = setup_of(*TINY_DCGAN, "augment=[cutout]", "augmentation.probability=0.25")
    said = Judge.of(setup.config, setup.game, setup.sampler.classes, torch.device("cpu")).described(setup.samples.shape)
    assert said["asked"].endswith("augmented by cutout with probability 0.25")
