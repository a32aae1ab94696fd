"""``accumulate=``: a move in parts is the move of the whole minibatch."""

from __future__ import annotations

import pytest
import torch
from conftest import MODELS, TINY_DCGAN, TINY_MLP, TINY_R3GAN, config_of, setup_of

from gan_cli.algorithm import play
from gan_cli.config.library import Library
from gan_cli.errors import UserError
from gan_cli.games.game import Keeps
from gan_cli.training import in_parts

OF_MINIBATCHES = ("relativistic_average", "feature_matching")  # losses
LOSSES = [name for name in Library().options("loss") if name not in OF_MINIBATCHES]
PENALTIES = [name for name in Library().options("penalty") if name != "dragan"]
WITHOUT_STATISTICS = {
    **{f"loss-{name}": (*TINY_MLP, f"loss={name}", "instance_noise.sigma=0.1") for name in LOSSES},
    **{f"penalty-{name}": (*TINY_DCGAN, "architecture.norm=layer", f"penalty={name}") for name in PENALTIES},
    "all-draws": (
        *(*TINY_DCGAN, "architecture.norm=none", "augment=[color,translation,cutout]", "dataset.flip=true"),
        *("pack=2", "conditional=false", "discriminator.steps=2", "updates=extragradient"),
    ),
    "dropout": (*TINY_MLP, "architecture.discriminator.dropout=0.4", "conditional=true", "updates=optimistic"),
    "norms": (*TINY_DCGAN, "architecture.generator.norm=none", "architecture.discriminator.norm=group"),
    "adaptive": (
        *(*TINY_DCGAN, "architecture.norm=none", "augment=[blit,ada_color]", "augmentation.target=0.6"),
        *("augmentation.adapt_images=100", "discriminator.steps=5"),
    ),
    "r3gan": (
        *(*TINY_R3GAN, "loss=relativistic", "penalty=[r1,r2]", "anneal_images=20", "penalty.r1.final_weight=0.1"),
        *("optimizer.final_betas=[0.0,0.9]", "schedule=cosine", "schedule.unit=images", "schedule.duration=20"),
    ),
    "ngram": MODELS["ngram"],
    "made": (*MODELS["made"], "optimizer=sgd", "optimizer.lr=0.01"),
    "vae": (*MODELS["vae-iwae"], "dataset.binarise=dynamic"),
    "vae_gan": (*MODELS["vae_gan"], "architecture.norm=layer"),
    "adversarial_autoencoder": MODELS["adversarial_autoencoder"],
    "realnvp": MODELS["realnvp"],
    "semi_supervised": (
        *("model=semi_supervised", "model.labels=12", "loss=non_saturating", "architecture.discriminator.noise=0.5"),
        *("architecture.discriminator.input_noise=0.3", *TINY_MLP),
    ),
}


@pytest.fixture
def wide(monkeypatch):
    """Everything in float64, pictures and what is widened too."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def played(*keys: str) -> dict[str, torch.Tensor]:
    """Weights and statistics after two steps."""
    setup, found = setup_of(*keys, "steps=2", "device=cpu"), {}

    def observe(step, statistics):
        for move, values in enumerate(statistics):
            found.update({f"step {step} move {move} {name}": value.clone() for name, value in values.items()})

    play(setup, range(1, 3), [observe])
    for player in setup.players:
        found.update({f"{player.name} {name}": value for name, value in player.network.state_dict().items()})
    if isinstance(setup.game, Keeps):
        found |= setup.game.kept()
    return found


@pytest.mark.parametrize("keys", WITHOUT_STATISTICS.values(), ids=WITHOUT_STATISTICS)
def test_quarter_batches_make_the_move_of_one_batch(wide, keys):
    whole, parts = played(*keys), played(*keys, "accumulate=4")
    assert whole.keys() == parts.keys()
    for name, value in whole.items():
        torch.testing.assert_close(
            parts[name], value, rtol=1e-6, atol=1e-9, msg=lambda text, name=name: f"{name} {text}"
        )


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ((*TINY_DCGAN, "penalty=[dragan,consistency]"), "batch norm, the data's deviation in a penalty are"),
        (
            (*TINY_MLP, "loss=feature_matching", "architecture.discriminator.minibatch_std=true"),
            "means in the loss, the",
        ),
        ((*TINY_DCGAN, "architecture.norm=layer", "architecture.discriminator.norm=spectral"), "spectral norm's power"),
        ((*TINY_MLP, "architecture.discriminator.norm=weight"), "weight norm's start on data is of each part"),
        ((*TINY_MLP, "augment=[]"), "of which together every move is that of the whole minibatch"),
    ],
)
def test_what_looks_at_all_samples_is_said(keys, told):
    (line,) = in_parts.told(setup_of(*keys, "accumulate=2", "device=cpu"))
    assert line.startswith("accumulate=2: parts of 4 samples")
    assert told in line
    assert in_parts.told(setup_of(*keys, "device=cpu")) == []


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("accumulate=3",), "batch_size=8: is shared out equally by accumulate=3: must be a multiple of 3, such as"),
        (("accumulate=4", "pack=4"), "batch_size=8: is shared out equally by accumulate=4 pack=4: must be"),
        (("accumulate=2", "reuse_fakes=true"), "reuse_fakes=true: keeps what G has computed until its own move"),
        (("accumulate=2", "ensemble=2"), "accumulate=2: ensemble=2 makes each move at once"),
        (("accumulate=2", "capture=true"), "capture=true: accumulate=2 makes each move in parts"),
        (("activation_checkpointing=true", "compile=true"), "compile=true: cannot follow activations"),
        (("activation_checkpointing=true", "ensemble=2"), "activation_checkpointing=true: ensemble=2 cannot"),
        (("accumulate=0",), "accumulate=0: must be at least 1"),
    ],
)
def test_what_cannot_be_made_in_parts_is_a_line(keys, line):
    with pytest.raises(UserError) as error:
        config_of(*TINY_MLP, *keys)
    assert error.value.problems[0].startswith(line)
    assert len(error.value.problems) == 1
