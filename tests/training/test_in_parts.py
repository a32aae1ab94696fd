"""``accumulate=``: a move in parts is the move of the whole minibatch."""

from __future__ import annotations

import pytest
import torch
from conftest import MODELS, TINY_DCGAN, TINY_MLP, setup_of

from gan_cli.config.library import Library
from gan_cli.train import play

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
    "ngram": MODELS["ngram"],
    "made": (*MODELS["made"], "optimizer=sgd", "optimizer.lr=0.01"),
    "vae": (*MODELS["vae-iwae"], "dataset.binarise=dynamic"),
    "vae_gan": (*MODELS["vae_gan"], "architecture.norm=layer"),
    "adversarial_autoencoder": MODELS["adversarial_autoencoder"],
    "realnvp": MODELS["realnvp"],
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
    return found


@pytest.mark.parametrize("keys", WITHOUT_STATISTICS.values(), ids=WITHOUT_STATISTICS)
def test_quarter_batches_make_the_move_of_one_batch(wide, keys):
    whole, parts = played(*keys), played(*keys, "accumulate=4")
    assert whole.keys() == parts.keys()
    for name, value in whole.items():
        torch.testing.assert_close(
            parts[name], value, rtol=1e-6, atol=1e-9, msg=lambda text, name=name: f"{name} {text}"
        )
