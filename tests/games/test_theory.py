"""Trained games against the theory: the equilibrium of the 2014 paper, and the modes of a ring. Minutes, on a CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import state_in

import gan_cli
from gan_cli.config.library import Library
from gan_cli.training.outline import game_of

QUIET = ("log_every=0", "sample_every=0", "checkpoint_every=0")


@pytest.mark.slow
def test_at_equilibrium_the_discriminator_is_one_half_and_the_moments_are_right(gan_train):
    """Theorem 1 of Goodfellow et al. (2014), with trained networks."""
    assert gan_train("experiment=gaussian", "hydra.run.dir=run", *QUIET).code == 0
    sampler = gan_cli.load("run")
    mean, sigma = sampler.config.dataset.mean, sampler.config.dataset.sigma
    x = sampler.sample(50_000, seed=1)
    assert x.mean().item() == pytest.approx(mean, abs=0.05 * sigma)
    assert x.std().item() == pytest.approx(sigma, rel=0.05)
    discriminator = game_of(sampler.config, Library(), (1,), 0, torch.device("cpu")).networks["discriminator"]
    discriminator.load_state_dict(state_in(Path("run"))["networks"]["discriminator"])
    with torch.no_grad():
        D = discriminator.eval()(torch.linspace(mean - 3 * sigma, mean + 3 * sigma, 61)[:, None]).sigmoid()
    assert (D - 0.5).abs().max() < 0.05


@pytest.mark.slow
def test_the_ring_preset_finds_the_modes(gan_train):
    found = []
    assert gan_train("experiment=ring", "steps=1500", "ensemble=2", "hydra.run.dir=run", *QUIET).code == 0
    for seed in range(2):
        sampler = gan_cli.load(f"run/seed-{seed}")
        ring = Library().build("dataset", sampler.config.dataset)
        distance = np.linalg.norm(sampler.sample(2500, seed=1).numpy()[:, None] - ring.centres, axis=2)
        found.append(len(set(distance.argmin(axis=1)[distance.min(axis=1) < 3 * ring.sigma])))
    assert np.mean(found) >= 7, found
