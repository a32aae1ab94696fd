"""``activation_checkpointing=true`` changes no number, and keeps less."""

from __future__ import annotations

import pytest
import torch
from conftest import MODELS, TINY_DCGAN, TINY_MLP, TINY_POINTS, TINY_R3GAN, TINY_RESNET, setup_of, tensors

from gan_cli.algorithm import play
from gan_cli.training.state import state_of

SAME = {
    "dcgan": (*TINY_DCGAN, "dataset.size=16", "penalty=[r1,gradient_penalty]", "conditional=true"),
    "spectral": (*TINY_DCGAN, "dataset.size=16", "architecture.discriminator.norm=spectral", "accumulate=2"),
    "mlp": (*TINY_POINTS, "architecture.discriminator.hidden=[8,8,8]", "architecture.discriminator.dropout=0.4"),
    "pieces": (
        *TINY_MLP,
        "architecture.discriminator.hidden=[8,8]",
        "architecture.generator.hidden=[8,8]",
        "penalty=r1",
        "architecture.discriminator.activation=maxout",
        "architecture.generator.norm=batch",
        "reuse_fakes=true",
        "architecture.discriminator.dropout=0.5",
        "updates=extragradient",
        "accumulate=1",
        "discriminator.steps=2",
    ),
    "resnet": (*TINY_RESNET, "architecture.discriminator.norm=spectral", "conditional=true"),
    "r3gan": (*TINY_R3GAN, "loss=relativistic", "penalty=[r1,r2]"),
    "vae": (*MODELS["vae"], "dataset.size=16"),
    "pixelcnn": MODELS["pixelcnn"],
    "realnvp": MODELS["realnvp"],
    "in-parts": (*TINY_DCGAN, "dataset.size=16", "accumulate=2", "freeze=discriminator:1", "instance_noise.sigma=0.1"),
}


def played(*keys: str) -> tuple[dict[str, torch.Tensor], int]:
    """The state after three steps, and how many numbers were kept for backward at most in a move."""
    setup, kept = setup_of(*keys, "steps=3", "device=cpu"), 0

    def pack(tensor):
        nonlocal kept
        kept += tensor.numel() if not isinstance(tensor, torch.nn.Parameter) else 0
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        play(setup, range(1, 4))
    return tensors(state_of(setup, 3)), kept


@pytest.mark.parametrize("keys", SAME.values(), ids=SAME)
def test_blocks_computed_again_change_no_bit(keys):
    kept, again = played(*keys), played(*keys, "activation_checkpointing=true")
    assert kept[0].keys() == again[0].keys()
    assert not [name for name, value in kept[0].items() if not torch.equal(value, again[0][name])]
