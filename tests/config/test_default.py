"""What a command trains that chooses nothing, and what that does not touch."""

from pathlib import Path

import pytest
from conftest import config_of, state_in

from gan_cli.config.library import Library
from gan_cli.config.schema import from_saved


def test_the_game_of_the_lecture_has_nothing_beside_it():
    """Algorithm 1 with k = 1, and what the lecture maximises in place of J(G)."""
    plain = config_of("experiment=lecture")
    assert config_of().penalty
    assert not plain.penalty
    assert plain.schedule.model_dump() == {"name": "constant", "unit": "steps", "warmup": 0}
    assert plain.loss.model_dump() == {"name": "non_saturating", "smoothing": 0.0}
    assert (plain.updates, plain.reuse_fakes, plain.conditional, plain.pack) == ("alternating", False, False, 1)
    assert (plain.discriminator.steps, plain.generator.steps) == (1, 1)
    assert (plain.augment, plain.instance_noise.sigma, plain.final_ema_half_life) == ([], 0, None)


def test_what_the_default_adds_is_laid_over_nothing_that_somebody_chose():
    """Another preset, a sweep, a model; and the keys that an old checkpoint does not have."""
    plain = config_of("experiment=lecture")
    assert config_of("model=gan").saved() == config_of("-m", "sweep=lr", "name=null").saved() == plain.saved()
    for model in set(Library().options("model")) - {"gan"}:
        assert not config_of(f"model={model}").penalty
    assert config_of("model=gan", "experiment=default").saved() == config_of().saved()
    old = {key: value for key, value in plain.saved().items() if key not in ("penalty", "batch_size", "seed")}
    assert from_saved(old, Library()).saved() == plain.saved()


@pytest.mark.parametrize(
    ("keys", "seen"),
    [
        ((), True),
        (("dataset=cifar10", "architecture=resnet"), True),
        (("dataset=stl10", "dataset.split=test"), True),
        (("dataset=stl10", "dataset.split=train+unlabeled"), False),
        (("dataset=celeba",), False),
        (("dataset=image_folder", "dataset.path=."), False),  # it may have, once it is read
        (("dataset=stacked_mnist",), False),
        (("dataset=ring", "architecture=mlp"), False),
        (("dataset.classes=[3,5]",), False),
        (("pack=2",), False),
        (("model=rbm", "conditional=auto"), False),
        (("model=vae", "conditional=auto"), True),
        (("conditional=false",), False),
    ],
    ids=lambda value: " ".join(value) or "none" if isinstance(value, tuple) else str(value),
)
def test_labels_are_seen_where_the_data_has_them_for_certain(keys, seen):
    assert config_of(*keys).conditional is seen


def test_everything_that_the_default_adds_gives_way_to_what_is_typed():
    for keys in (
        ("loss=wasserstein",),
        ("optimizer=sgd", "schedule=cosine", "penalty=[]"),
        ("penalty=gradient_penalty", "loss=relativistic"),
        ("architecture=mlp", "dataset=ring", "ensemble=4"),
        ("architecture=progressive",),
        ("devices=2", "accumulate=2"),
        ("updates=extragradient",),
        ("precision=bf16", "capture=true", "device=cuda"),
    ):
        config_of(*keys)


def test_a_sweep_of_ones_own_over_models_trains_what_each_is(gan_train):
    Path("mine/sweep").mkdir(parents=True)
    Path("mine/sweep/mine.yaml").write_text(
        "# @package _global_\nname: mine\nhydra:\n  sweeper:\n    params:\n      model: gan,made\n"
    )
    quick = ("dataset.size=8", "dataset.limit=64", "steps=1", "sample_every=0", "checkpoint_every=0")
    assert gan_train("--config-dir", "mine", "-m", "sweep=mine", "batch_size=8", *quick).code == 0
    for model in ("gan", "made"):
        config = state_in(Path(f"outputs/sweeps/mine/model-{model}"))["config"]
        assert (config["penalty"], config["conditional"]) == ({}, False)
