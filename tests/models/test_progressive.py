"""Progressive growing against the paper, its authors' schedule, and closed forms."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY_PROGRESSIVE, setup_of, state_in
from torch.nn.functional import avg_pool2d

import gan_cli
from gan_cli.algorithm import play
from gan_cli.commands.bench.work import Tally
from gan_cli.config.library import Library
from gan_cli.games.growing import shown_at
from gan_cli.models import equalised
from gan_cli.models.growth import Growth, Stage
from gan_cli.models.minibatch_std import with_deviation
from gan_cli.models.progressive import Progressive


def networks(size, base, most, latent=8, channels=3, classes=0, start=4):
    maps = {"base": base, "most": most}
    made = Progressive(
        start,
        size=None,
        train_images=600,
        fade_images=600,
        reset_optimizer=True,
        **maps,
        normalise_latents=True,
        generator=maps,
        discriminator={**maps, "minibatch_std": True, "group": 0},
    )
    torch.manual_seed(0)
    shape = (channels, size, size)
    return made.generator(latent, shape, classes), made.discriminator(shape, classes)


def weights(module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("size", "base", "most", "latent", "last", "every"),
    [
        (1024, 8192, 512, 512, (23_071_507, 23_077_137), (23_079_115, 23_087_249)),
        (32, 4096, 128, 128, (1_295_747, 1_297_153), (1_296_908, 1_298_689)),  # CIFAR-10
        (128, 2048, 512, 512, (13_625_379, 13_631_009), (13_629_810, 13_636_897)),  # CelebA in the ablation
    ],
)
def test_networks_have_the_authors_numbers_of_weights(size, base, most, latent, last, every):
    """With the RGB layers of the last resolution alone, and with those of all of them."""
    with torch.device("meta"):
        generator, discriminator = networks(size, base, most, latent)
    assert (weights(generator), weights(discriminator)) == every
    others = weights(generator.to_rgb[:-1]), weights(discriminator.from_rgb[:-1])
    assert (every[0] - others[0], every[1] - others[1]) == last


@pytest.mark.parametrize("classes", [0, 3])
def test_a_fade_begins_and_ends_at_the_neighbouring_stages_to_the_bit(classes):
    generator, discriminator = networks(16, 128, 16, classes=classes)
    z, labels = torch.randn(6, 8), torch.arange(6) % classes if classes else None
    x = torch.rand(6, 3, 16, 16) * 2 - 1

    def at(stage):
        generator.stage = discriminator.stage = stage
        shown = shown_at(stage, x, 16)
        assert shown.shape[3] == stage.resolution
        return generator(z, labels), discriminator(shown, labels), shown

    for small, large in ((4, 8), (8, 16)):
        halved, begun, ended, whole = (at(Stage(*stage)) for stage in ((small,), (large, 0.0), (large, 1.0), (large,)))
        for one, other in zip(ended, whole, strict=True):
            assert torch.equal(one, other)
        for one, other in ((begun[0], halved[0]), (begun[2], halved[2])):  # each pixel four times
            assert torch.equal(one, other.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3))
        assert torch.equal(begun[1], halved[1])
        between = at(Stage(large, 0.25))
        torch.testing.assert_close(between[0], 0.75 * begun[0] + 0.25 * ended[0])
        torch.testing.assert_close(between[2], 0.75 * begun[2] + 0.25 * ended[2])


def authors_stage(images, start, size, training, transition):
    """The level of detail as in the authors' ``TrainingSchedule``: octaves below the full size."""
    index, rest = divmod(images, training + transition)
    lod = math.log2(size / start) - index - max(rest - training, 0) / transition
    return max(lod, 0.0)


def test_growth_is_the_authors_schedule():
    growth = Growth(4, 64, 600, 400)
    for images in range(0, 6000, 8):
        lod = authors_stage(images, 4, 64, 600, 400)
        resolution, alpha = growth.at(images)
        assert resolution == 64 // 2 ** math.floor(lod)
        assert (0 if alpha is None else 1 - alpha) == pytest.approx(lod % 1)
    assert growth.end == Stage(64)
    assert Growth(4, 64, 0, 0).at(0) == Growth(64, 64, 5, 5).at(0) == Stage(64)  # all layers from the beginning
    assert [Growth(4, 16, 10, 0).at(images).resolution for images in (9, 10, 19, 20)] == [4, 8, 8, 16]


def test_growth_that_waits_goes_on_when_it_may():
    capped = Growth(4, 64, 100, 50, {0: 16, 1000: 64})
    assert capped.fades() == [(8, 100), (16, 250), (32, 1000), (64, 1150)]
    assert capped.at(1000) == Stage(16)
    assert capped.at(1025) == Stage(32, 0.5)
    assert Growth(4, 64, 100, 50, {0: 16}).end == Stage(16)
    early = Growth(4, 64, 100, 50, {0: 16, 200: None})  # before it had to wait
    assert [early.at(n) for n in range(0, 900, 7)] == [Growth(4, 64, 100, 50).at(n) for n in range(0, 900, 7)]
    lowered = Growth(4, 64, 100, 50, {0: None, 120: 4})  # what has begun to fade in is there
    assert lowered.fades() == [(8, 100)]


def test_layers_are_equalised_and_pixels_normalised():
    torch.manual_seed(0)
    conv, linear, to_4x4 = equalised.Conv(6, 200, 3), equalised.Linear(40, 300, gain=1), equalised.ToStart(50, 7)
    for layer, inputs, gain in ((conv, 54, 2**0.5), (linear, 40, 1), (to_4x4, 50, 2**0.5 / 4)):
        assert layer.weight.mean().item() == pytest.approx(0, abs=0.06)
        assert layer.weight.std().item() == pytest.approx(1, abs=0.06)
        assert (layer.bias == 0).all()
        layer.bias.data.normal_()
        torch.testing.assert_close(layer.scaled, layer.weight * gain / inputs**0.5)
    x = torch.randn(5, 40)
    np.testing.assert_allclose(
        linear(x).detach().numpy(),
        x.numpy() @ linear.weight.detach().numpy().T / 40**0.5 + linear.bias.detach().numpy(),
        rtol=1e-4,
        atol=1e-5,
    )
    z = torch.randn(2, 50)
    dense = z @ to_4x4.scaled.T  # one number for each place and map
    for row in range(4):
        for column in range(4):
            there = dense[:, 7 * (4 * row + column) : 7 * (4 * row + column + 1)] + to_4x4.bias
            torch.testing.assert_close(to_4x4(z)[:, :, row, column], there)
    assert conv(torch.randn(64, 6, 8, 8))[:, :, 1:-1, 1:-1].var().item() == pytest.approx(2 + 1, rel=0.2)  # and a bias
    x = torch.randn(3, 5, 2, 2, dtype=torch.float64)
    np.testing.assert_allclose(
        equalised.pixel_norm(x).numpy(), x.numpy() / np.sqrt((x.numpy() ** 2).mean(axis=1, keepdims=True) + 1e-8)
    )


def test_groups_see_only_themselves():
    x = torch.randn(6, 3, 4, 4, dtype=torch.float64).float()
    for most, group in ((3, 3), (4, 3), (2, 2), (6, 6), (9, 6)):
        wanted = [np.sqrt(part.numpy().var(axis=0) + 1e-8).mean() for part in x.split(group) for _ in range(group)]
        found = with_deviation(x, most)
        assert torch.equal(found[:, :3], x)
        np.testing.assert_allclose(found[:, 3].numpy(), np.array(wanted)[:, None, None].repeat(4, 1).repeat(4, 2), 1e-5)
    torch.testing.assert_close(with_deviation(x, 6), with_deviation(x))


def test_drift_is_the_mean_square_of_scores_on_data():
    loss = Library().build_by_name("loss", "wasserstein", clip=0.0, drift=0.25)
    real = torch.tensor([1.0, -3.0, 2.0], requires_grad=True)
    fake = torch.tensor([0.5, 2.5, 3.0])
    value = loss.discriminator(real, fake)
    assert value.item() == pytest.approx(2 - 0 + 0.25 * 14 / 3)
    value.backward()
    assert real.grad.tolist() == pytest.approx([(-1 + 2 * 0.25 * x) / 3 for x in (1, -3, 2)])
    best = torch.full((4,), 1 / (2 * 0.25), requires_grad=True)  # where the slopes of −f and ε f² meet
    assert torch.autograd.grad(loss.discriminator(best, fake), best)[0].abs().max() < 1e-7


def work_of(*keys) -> int:
    setup = setup_of(*TINY_PROGRESSIVE, "penalty=[gradient_penalty]", *keys)
    with Tally() as tally:
        play(setup, range(1, 2))
    return tally.flops


def test_a_stage_costs_what_its_resolution_costs():
    """Operations of a step, penalty included, of networks built for 16 × 16 and of those built for the stage alone."""
    of_stages = {size: work_of("dataset.size=16", f"architecture.start={size}") for size in (4, 8, 16)}
    assert 2 * of_stages[4] < of_stages[8] < of_stages[16]
    for size in (4, 8):
        assert of_stages[size] == work_of(f"dataset.size={size}", f"architecture.start={size}")


def test_layers_that_are_not_there_yet_do_not_move_and_optimizers_start_afresh():
    setup = setup_of(*TINY_PROGRESSIVE, "ema_half_life=16")
    generator, judge = setup.game.generator, setup.game.discriminator
    average, before = setup.ema.network, {}

    def state():
        names = [name for name, _ in generator.named_parameters()]
        return {names[number] for number in setup.players[1].state()["optimizer"]["state"]}

    def observe(step, statistics):
        seen[step] = {name: value.clone() for name, value in average.state_dict().items()}, state()

    seen: dict[int, tuple] = {}
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    play(setup, range(1, 10), [observe])  # 8 images a step: 4 × 4 up to 24, 8 × 8 from 56, 16 × 16 fades from 80 to 112
    for step, (averages, moved) in seen.items():
        assert averages["images"].item() == 8 * step
        stage = setup.game.generator.growth.at(8 * step)
        unused = [name for name in averages if name.startswith(("blocks.1", "to_rgb.2"))]
        assert all(torch.equal(averages[name], before[name]) for name in unused)
        if step in (4, 7):  # a fade, a stage: begin with what optimizers start from
            assert moved == set(), stage
        elif step < 4:
            assert moved
            assert not any(name.startswith(("blocks", "to_rgb.1")) for name in moved)
    assert int(judge.images) == 72
    assert generator.stage is None


def test_the_stage_is_seen_in_grids_samples_and_exports(gan_train, gan_sample):
    keys = (*TINY_PROGRESSIVE, "sample_every=1", "checkpoint_every=1", "keep_checkpoints=99")
    result = gan_train(*keys, "steps=15", "hydra.run.dir=run")
    assert result.code == 0, result.err
    told = [line.partition("] ")[2] for line in result.err.splitlines() if " × " in line and "images: " in line]
    assert told == [
        "after 32 images: 8 × 8, which fades in over 32",
        "after 56 images: 8 × 8",
        "after 88 images: 16 × 16, which fades in over 32",
        "after 112 images: 16 × 16",
    ]
    for step, block in ((3, 4), (4, 2), (10, 2), (15, 1)):
        x = gan_cli.load(f"run/checkpoints/step-{step:09}.pt").sample(4)
        assert x.shape == (4, 1, 16, 16)
        assert x.abs().max() <= 1
        small = avg_pool2d(x, block)
        assert torch.allclose(small.repeat_interleave(block, 2).repeat_interleave(block, 3), x, atol=1e-6)
        assert block == 1 or not torch.equal(
            avg_pool2d(x, 2 * block).repeat_interleave(2, 2).repeat_interleave(2, 3), small
        )
    half = "run/checkpoints/step-000000005.pt"
    result = gan_sample(f"checkpoint={half}", "export=torch", "out=made")
    assert result.code == 0, result.err
    program, sampler = torch.export.load("made/generator.pt2").module(), gan_cli.load(half)
    torch.testing.assert_close(program(sampler.latents_of(range(3))), sampler.sample(3))


def test_a_finished_run_grows_further(gan_train):
    capped = (*TINY_PROGRESSIVE, "architecture.size=8", "log_every=1")
    assert gan_train(*capped, "steps=12", "hydra.run.dir=run").code == 0
    before = state_in(Path("run"))
    result = gan_train("resume=run", "architecture.size=16", "steps=18")
    assert result.code == 0, result.err
    assert "after 104 images: 16 × 16, which fades in over 32" in result.err
    assert "after 128 images: 16 × 16" in result.err
    after = state_in(Path("run"))
    assert after["config"]["architecture"]["size"] == {0: 8, 96: 16}
    moved = [name for name, value in before["networks"]["generator"].items() if "blocks.1" in name]
    assert moved
    for name in moved:
        assert not torch.equal(before["networks"]["generator"][name], after["networks"]["generator"][name])
    result = gan_train("resume=run", "architecture.size=8", "steps=20")
    assert result.code == 2
    assert result.errors == [
        "gan-train: error: architecture.size=8: the run has grown to 16 already: use 16 or more, or leave it out"
    ]
    assert gan_train("resume=run", "architecture.start=8", "steps=20").code == 2


BAD = {
    "architecture.size=32": "is above dataset.size=16, which the networks are built for: use 16 or less",
    "architecture.size=12": "must be a power of two from 4 to 1024",
    "architecture.size={8:16}": "must begin with the size at 0 images, such as {0:64,100000:128}",
    "architecture.start=32": "is above dataset.size=16: use 16 or less",
    "architecture.start=5": "must be a power of two from 4 to 1024",
    "architecture.size=4 architecture.start=8": "is below architecture.start=8: raise it",
    "dataset.size=30": "architecture=progressive needs sides of 4 to 7, the longer up to 16, doubled as often, from 4 "
    "to 1024, such as dataset.size=32",
    "architecture.discriminator.group=3 batch_size=5": "D sees 5 samples at a time of batch_size=5, and no group of 2 "
    "to 3 divides them: use another batch_size, or group=0 for all of them",
    "loss.drift=-1 loss=wasserstein": "must be at least 0.0",
}


def test_a_run_that_starts_from_a_grown_one_grows_by_its_own_images(gan_train, trained):
    grown = trained(*TINY_PROGRESSIVE, "dataset.size=8", "architecture.train_images=4", "architecture.fade_images=8")
    keys = (*TINY_PROGRESSIVE, f"start={grown}", "architecture.start=8", "checkpoint_every=1", "keep_checkpoints=9")
    result = gan_train(*keys, "steps=1", "hydra.run.dir=run")
    assert result.code == 0, result.err
    before, begun = state_in(grown), torch.load("run/checkpoints/step-000000000.pt", weights_only=True)
    assert before["networks"]["generator"]["images"] == 16
    for there, here in (
        (before["networks"]["generator"], begun["networks"]["generator"]),
        (before["ema"], begun["ema"]),
    ):
        assert here["images"] == 0
        assert torch.equal(here["blocks.0.first.weight"], there["blocks.0.first.weight"])


@pytest.mark.parametrize("keys", BAD)
def test_what_cannot_grow_is_one_line(gan_train, keys, tmp_path):
    for more in ((), ("dry_run=true",)):
        result = gan_train(*TINY_PROGRESSIVE, *keys.split(), *more)
        assert result.code == 2
        (line,) = result.errors
        assert line.startswith(f"gan-train: error: {keys.partition('=')[0]}=")
        assert line.endswith(f": {BAD[keys]}")
    assert not list(tmp_path.iterdir())


def test_points_and_encoders_do_not_grow(gan_train):
    result = gan_train("architecture=progressive", "model=vae")
    assert result.errors == [
        "gan-train: error: architecture=progressive: has no encoder, which model=vae needs: "
        "use architecture=dcgan or mlp"
    ]
    assert gan_train("architecture=progressive", "dataset=ring").errors == [
        "gan-train: error: architecture=progressive: makes pictures, but dataset=ring holds points: "
        "use architecture=mlp"
    ]
