"""The lecture's arguments, from real runs: the curves and the numbers under them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import config_of, setup_of
from PIL import Image

from gan_cli.config.library import Library
from gan_cli.runs.figures import simulator
from gan_cli.runs.figures.kl_vs_js import best_by_js, jsd_on_grid, kl_on_grid, normal
from gan_cli.runs.figures.mixing import Mixing
from gan_cli.runs.figures.saturation import Saturation
from gan_cli.runs.figures.vae_bias import VAEBias


def test_saturation_measures_what_the_formula_says(gan_train):
    assert gan_train("experiment=lecture_saturation", "hydra.run.dir=run").code == 0
    with Image.open("run/figure.png") as picture:
        assert picture.width > 800
    numbers = {key: np.array(values) for key, values in json.loads(Path("run/figure.json").read_text()).items()}
    assert numbers["step"].tolist() == list(range(5, 301, 5))
    D = numbers["D"]
    assert D[0] > 0.2
    assert D[-1] < 0.01  # D becomes sure of itself
    assert numbers["minimax"][-1] < 0.05 * numbers["minimax"].max()  # and minimax has nothing left
    assert numbers["non_saturating"][-1] > 0.5 * numbers["non_saturating"].max()
    # where D(G(z)) is the same for all samples the ratio of the norms is D/(1 − D); here nearly
    late = D < 0.05
    assert numbers["minimax"][late] / numbers["non_saturating"][late] == pytest.approx(D[late] / (1 - D[late]), rel=0.6)
    assert numbers["maximum_likelihood"][late] == pytest.approx(numbers["minimax"][late], rel=0.2)


def test_saturation_is_measured_of_as_many_latents_while_the_batch_grows(gan_train):
    small = ("experiment=lecture_saturation", "dataset.points=100", "log_every=1", "hydra.run.dir=run")
    assert gan_train(*small, "batch_size={0:4,8:8}", "steps=3").code == 0
    assert gan_train("resume=run", "batch_size=16", "steps=4").code == 0
    assert json.loads(Path("run/figure.json").read_text())["step"] == [1, 2, 3, 4]
    setup = setup_of(*small[:2], "batch_size={0:4,8:8}")
    assert len(Saturation(setup).latents) == 4


def test_measuring_for_a_figure_never_changes_training(gan_train):
    from test_promises import weights

    norms = ("architecture.discriminator.norm=layer", "architecture.generator.norm=batch")
    short = ("experiment=lecture_saturation", *norms)
    small = ("dataset.points=100", "batch_size=8", "steps=4", "log_every=1", "architecture.discriminator.dropout=0.5")
    assert gan_train(*short, *small, "hydra.run.dir=measured").code == 0
    assert gan_train(*short, *small, "figure=null", "hydra.run.dir=plain").code == 0
    assert weights("measured") == weights("plain")


def test_divergences_of_gaussians_by_quadrature():
    x = np.linspace(-15, 15, 6001)
    assert kl_on_grid(x, normal(x, 0, 1), normal(x, 1, 1)) == pytest.approx(0.5, abs=1e-6)
    assert jsd_on_grid(x, normal(x, 0, 1), normal(x, 2, 1)) == pytest.approx(0.3368308203, abs=1e-6)
    mean, deviation = best_by_js(x, normal(x, 1, 2))
    assert mean == pytest.approx(1, abs=1e-2)
    assert deviation == pytest.approx(2, rel=1e-2)


def two_modes(gan_train, loss: str, *keys: str) -> dict:
    quiet = ("sample_every=0", "checkpoint_every=0", "hydra.run.dir=run")
    assert gan_train("experiment=lecture_kl_vs_js", f"loss={loss}", *keys, *quiet).code == 0
    return json.loads(Path("run/figure.json").read_text())


def test_the_bias_of_a_vae_is_measured_on_its_whole_density(gan_train):
    small = ("dataset.points=200", "batch_size=8", "steps=4", "log_every=2", "checkpoint_every=0")
    for name in ("lecture_vae_bias", "lecture_vae_bias_game"):
        assert gan_train(f"experiment={name}", *small, f"hydra.run.dir={name}").code == 0
        found = json.loads(Path(name, "figure.json").read_text())
        assert (found["model"], found["points"]) == ("gan" if "game" in name else "vae", 200)
        assert found["step"] == [2, 4]
        assert 0 < found["floor"] < 0.01 < min(found["jsd"])
        with Image.open(Path(name, "figure.png")) as picture:
            assert picture.width > 800
    setup = setup_of("experiment=lecture_vae_bias", *small)
    figure = VAEBias(setup)
    mean = setup.sampler.decode(figure.latents)
    torch.testing.assert_close(figure.points(), mean + figure.noise)  # an untrained scale is 1


@pytest.mark.parametrize("model", ["vae", "vae_gan"])
def test_the_figure_of_an_adversarial_cost_holds_what_was_measured(gan_train, model):
    small = (
        "dataset.limit=64",
        "architecture.width=4",
        "steps=2",
        "batch_size=8",
        "metrics=[likelihood,reconstruction]",
    )
    keys = ("experiment=lecture_vae_gan", f"model={model}", *small, "checkpoint_every=0", "sample_count=4")
    assert gan_train(*keys, "hydra.run.dir=run").code == 0
    found = json.loads(Path("run/figure.json").read_text())
    assert found["model"] == model
    assert found["frechet"] is None
    assert found["nats"] < 0 < found["reconstruction"]
    assert found["sharpness"]["samples"] > 0
    assert Path("run/figure.png").stat().st_size > 10_000


def test_a_figure_about_another_model_is_refused_before_there_is_a_folder(gan_train):
    for model, figure in (("vae", "saturation"), ("fvsbn", "kl_vs_js"), ("gan", "vae_gan")):
        result = gan_train(f"model={model}", f"figure={figure}", "dry_run=true")
        line = f"gan-train: error: figure={figure}: is not about model={model}: leave it out"
        assert (result.code, result.errors) == (2, [line])


@pytest.mark.slow
def test_maximum_likelihood_spreads_over_both_modes(gan_train):
    soon = ("steps=1500", "optimizer.lr=4e-3", "generator.lr=4e-3")
    found = two_modes(gan_train, "maximum_likelihood", *soon)
    assert found["mean"] == pytest.approx(found["best_by_kl"]["mean"], abs=0.1)
    assert found["deviation"] == pytest.approx(found["best_by_kl"]["deviation"], rel=0.05)
    assert min(found["share_of_each_mode"]) > 0.05
    assert found["kl"] == pytest.approx(found["best_by_kl"]["kl"], abs=0.02)


@pytest.mark.slow
def test_the_minimax_game_takes_one_mode(gan_train):
    soon = ("steps=1500", "batch_size=256", "optimizer.lr=6e-3", "generator.lr=6e-3")  # likelihood may fall into one so
    found = two_modes(gan_train, "minimax", *soon)
    assert found["mean"] == pytest.approx(found["best_by_jsd"]["mean"], abs=0.05)
    assert found["deviation"] == pytest.approx(found["best_by_jsd"]["deviation"], rel=0.1)
    assert max(found["share_of_each_mode"]) > 0.99
    assert found["jsd"] == pytest.approx(found["best_by_jsd"]["jsd"], abs=0.01)


def test_a_flow_keeps_the_dimension_and_a_generator_of_one_number_makes_a_curve(gan_train):
    small = ("steps=20", "dataset.points=3000", "batch_size=64", "log_every=10", "checkpoint_every=0")
    for model, size in (("gan", 1), ("realnvp", 2)):
        run = f"hydra.run.dir={model}"
        assert gan_train("experiment=lecture_dimension", f"model={model}", *small, run).code == 0
        assert Path(model, "figure.png").stat().st_size > 1000
        found = json.loads(Path(model, "figure.json").read_text())
        assert found["latent_size"] == size
        assert found["dimension"] == {"data": pytest.approx(2, abs=0.15), "samples": pytest.approx(size, abs=0.15)}


def test_a_chain_between_two_gaussians_is_as_quadrature_has_it(gan_train):
    from scipy.integrate import quad
    from scipy.special import expit
    from scipy.stats import norm

    small = ("model.hidden=1", "steps=4", "log_every=2", "dataset.points=400", "checkpoint_every=0", "model.chain=3")
    assert gan_train("experiment=lecture_mixing", *small, "hydra.run.dir=run").code == 0
    found = json.loads(Path("run/figure.json").read_text())
    assert found["step"] == [2, 4]
    assert Path("run/figure.png").stat().st_size > 1000
    setup = setup_of("experiment=lecture_mixing", *small)
    figure = Mixing(setup)
    machine = figure.machine
    with torch.no_grad():
        machine.weight.fill_(0.3)
        machine.c.fill_(-0.1)
        machine.log_variance.fill_(-2.4)
        b, precision, mu, lambda_ = (float(t) for t in (machine.b, machine.precision, machine.mu, machine.lambda_))
    means, deviation = [b + 0.3 * (h - lambda_) for h in (0, 1)], precision**-0.5

    def on(x):
        return expit(-0.1 + (x - mu) * precision * 0.3)

    stays = [
        quad(lambda x, m=mean, h=h: norm.pdf(x, m, deviation) * (on(x) if h else 1 - on(x)), -5, 5)[0]
        for h, mean in enumerate(means)
    ]
    share = (1 - stays[0]) / (2 - sum(stays))  # of h = 1, of a chain with two states
    above = [norm.sf(figure.middle, mean, deviation) for mean in means]
    measured = figure.measure(0)
    assert measured["mixing/relaxation"] == pytest.approx(1 / (2 - sum(stays)), rel=1e-4)  # λ₂ = trace − 1
    assert measured["mixing/share"] == pytest.approx((1 - share) * above[0] + share * above[1], abs=2e-3)
    assert measured["mixing/separation"] == pytest.approx(2 / deviation)
    assert measured["mixing/ais_100"] == pytest.approx(measured["mixing/log_z"], abs=0.2)


def test_the_time_of_a_sample_is_measured_at_every_size(gan_train, monkeypatch):
    from gan_cli.runs.figures import sampling_time

    monkeypatch.setattr(sampling_time, "SIDES", (8, 16, 32))
    monkeypatch.setattr(sampling_time, "TIMES", 2)
    small = ("dataset.limit=64", "batch_size=8", "steps=1", "log_every=1", "sample_count=4", "hydra.run.dir=run")
    assert gan_train("experiment=lecture_sampling_time", "model=fvsbn", *small).code == 0
    found = json.loads(Path("run/figure.json").read_text())
    assert found["pixels"] == [64, 256, 1024]
    assert set(found["seconds"]) == {"fvsbn", "gan"}
    assert found["seconds"]["fvsbn"][-1] > 4 * found["seconds"]["fvsbn"][0]  # 16 times the passes
    assert sampling_time.slope([1, 10, 100], [2.0, 20.0, 200.0]) == pytest.approx(1)
    with Image.open("run/figure.png") as picture:
        assert picture.width > 500


def test_imagined_roll_outs_stand_beside_true_ones(gan_train, monkeypatch):
    monkeypatch.setattr(simulator, "FUTURES", 40)
    small = ("dataset.points=300", "batch_size=8", "steps=4", "log_every=2", "checkpoint_every=0", "evaluate_every=2")
    few = ("metrics.conditional_divergence.conditions=4", "metrics.conditional_divergence.draws=50")
    result = gan_train("experiment=lecture_simulator", *small, *few, "hydra.run.dir=run")
    assert result.code == 0, result.err
    found = json.loads(Path("run/figure.json").read_text())
    assert found["jsd"] > 0.5 > found["jsd_floor"] > 0
    assert found["spread"]["angle"]["true"] > 2 > 0.5 > found["spread"]["angle"]["imagined"]
    assert f"JSD {found['jsd']:.4f} nats (of true samples {found['jsd_floor']:.4f}), spread of the angle" in result.err
    with Image.open("run/figure.png") as picture:
        assert picture.width > 1500


def test_roll_outs_tell_a_true_simulator_from_broken_ones():
    pendulum = Library().build_by_name("dataset", "pendulum", points=10)

    def ends(seed: int, heeded: tuple[int, ...] = (1, 1, 1, 1), noise: float = 1.0) -> np.ndarray:
        generator = np.random.default_rng(seed)
        less = replace(pendulum, angle_noise=0.1 * noise, velocity_noise=pendulum.velocity_noise * noise)
        return simulator.roll_out(less, lambda labels: less.given(labels * np.float32(heeded), generator))

    def found(imagined: np.ndarray) -> tuple[float, float]:
        numbers = simulator.compared({"true": true, "imagined": imagined})
        return numbers["worst_spread"]["angle"], numbers["ks"]["velocity"]

    true = ends(0)
    assert true.shape == (51, 2000, 2)
    assert np.abs(true[..., 1]).max() < pendulum.speed  # it stays where it has been learnt
    spread, ks = found(ends(1))
    assert spread < 0.08
    assert ks < 0.06
    assert found(ends(1, heeded=(1, 1, 1, 0)))[1] > 0.2  # no torque
    assert found(ends(1, noise=0.01))[0] > 0.2
    assert simulator.apart(np.arange(4.0), np.arange(4.0) + 1.5) == 0.5


def test_one_digit_against_ten_is_a_sweep_in_the_same_features():
    for classes in ("[]", "[3]"):
        config = config_of("sweep=lecture_narrow", f"dataset.classes={classes}", "-m")
        assert (config.steps, config.dataset.limit, set(config.metrics)) == (1000, 0, {"frechet", "precision_recall"})
