"""Combinations that seldom go well are told of in one line each, before the first step; good ones are not."""

from __future__ import annotations

import pytest
from conftest import TINY_DCGAN, TINY_POINTS, config_of, setup_of

from gan_cli.config.schema import advice
from gan_cli.runs.description import at_rest

FAR, TIES, TWICE = "loss=wasserstein: its critic", "loss=wasserstein: with batch norm", "loss.clip=0.01: keeps"
WASSERSTEIN = "loss=wasserstein discriminator.steps=5"
SAID = {
    "loss=wasserstein": [FAR, TIES],
    WASSERSTEIN: [TIES],
    f"{WASSERSTEIN} architecture.discriminator.norm=layer": [],
    f"{WASSERSTEIN} architecture=mlp": [],
    "loss=wasserstein loss.drift=0.001 architecture.discriminator.norm=none": [],  # as Karras et al. 2018
    "loss=wasserstein discriminator.lr=4e-4 generator.lr=1e-4 architecture=mlp": [],  # as Heusel et al. 2017
    f"{WASSERSTEIN} penalty=gradient_penalty": [TWICE, "penalty=gradient_penalty: asks for a slope"],
    f"{WASSERSTEIN} penalty=gradient_penalty loss.clip=0 architecture=resnet": [],
    f"{WASSERSTEIN} loss.clip=0 architecture.discriminator.norm=spectral": [],
    "penalty=dragan": ["penalty=dragan: asks for a slope"],
    "penalty=[r1,r2]": [],  # as measured in experiment=dcgan_r1
    "loss=hinge": [],
    "experiment=wgan_gp": [],
    "model=made loss=wasserstein": [],
    "model=adversarial_autoencoder penalty=gradient_penalty architecture=dcgan": [],  # its D has no norm
}


@pytest.mark.parametrize("command", SAID)
def test_what_seldom_goes_well_is_told(command):
    words = command.split()
    lines = advice(config_of(*([] if words[0].startswith(("experiment", "model")) else ["experiment=lecture"]), *words))
    assert [line.startswith(said) for line, said in zip(lines, SAID[command], strict=True)] == [True] * len(lines)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("schedule=exponential", None),
        (
            "schedule=exponential schedule.unit=images",
            "schedule=exponential: from step 1,246 of 2,200 on, the rate is below a thousandth of itself "
            "(schedule.half_life=1000 images)",
        ),
        ("schedule=exponential schedule.unit=images schedule.final=0.01", None),
        ("schedule=exponential steps=20000", "schedule=exponential: from step 9,966 of 20,000 on"),
        ("schedule=linear schedule.duration=500 schedule.warmup=100", "schedule=linear: from step 500 of 2,200 on"),
        ("schedule=cosine", None),
        ("schedule=linear schedule.warmup=2000", None),
        ("schedule=linear schedule.duration=3 steps=9", None),
    ],
)
def test_a_rate_that_falls_to_nothing_long_before_the_end_is_told(keys, said):
    """Halved n times it is below a thousandth where n is above log2(1000) = 9.966."""
    found = at_rest(setup_of(*TINY_POINTS, *keys.split()))
    assert found is None if said is None else found.startswith(said)


def test_every_kind_of_run_says_so(gan_train):
    for keys in (("steps=1",), ("steps=1", "ensemble=2"), ("dry_run=true",)):
        result = gan_train(*TINY_POINTS, "loss=wasserstein", *keys)
        assert result.code == 0, result.err
        assert " ".join((result.out + result.err).split()).count(FAR) == 1
    assert "64 pictures are" in " ".join(gan_train(*TINY_DCGAN, "dry_run=true").out.split())
