"""The lecture's arguments, from real runs: the curves and the numbers under them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_cli.runs.figures.kl_vs_js import best_by_js, jsd_on_grid, kl_on_grid, normal


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


@pytest.mark.slow
def test_maximum_likelihood_spreads_over_both_modes(gan_train):
    found = two_modes(gan_train, "maximum_likelihood")
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
