"""Other people's networks and losses, in the step that their scripts take, on random pictures: a line a minibatch.

Their scripts want a GPU, data and packages that a CPU has no use for. This imports networks and losses from a checkout,
writes out the step, and prints what ``gan-bench --peer`` times:

    gan-bench --config-dir gan_cli/bench/peers experiment=r3gan_authors \\
      --peer 'gan_cli/bench/peers/networks.py r3gan ../R3GAN --batch-size 32'

``r3gan`` is of brownvc/R3GAN, ``sngan`` of w86763777/pytorch-gan-collections, ``progressive`` of
rosinality/progressive-gan-pytorch.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import sys
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import init

PICTURES = 4096
Step = Callable[[Callable[[], Tensor], int], None]  # one move of each player, by minibatches of so many pictures


def adam(network: nn.Module, rate: float, beta: float) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), lr=rate, betas=(0.0, beta))


def r3gan() -> tuple[int, Step]:
    """Their networks at 32 × 32 with a twelfth of the width and one block a stage, and both steps of their trainer."""
    for name in ("torch_utils", "torch_utils.ops", "torch_utils.ops.bias_act", "torch_utils.ops.upfirdn2d"):
        sys.modules[name] = types.ModuleType(name)  # kernels for a GPU, which the classes named Reference do without
    for name, kind in (("bias_act", "FusedOperators"), ("upfirdn2d", "Resamplers")):
        setattr(sys.modules["torch_utils.ops"], name, sys.modules[f"torch_utils.ops.{name}"])
        module: Any = importlib.import_module(f"R3GAN.{kind}")
        for each in ("BiasedActivation", "InterpolativeUpsampler", "InterpolativeDownsampler"):
            if hasattr(module, f"{each}Reference"):
                setattr(module, each, getattr(module, f"{each}Reference"))
    networks: Any = importlib.import_module("R3GAN.Networks")
    trainer: Any = importlib.import_module("R3GAN.Trainer")
    widths = [64, 64, 32, 16]
    groups, blocks = [2 * width // 16 for width in widths], [1] * 4
    generator = networks.Generator(64, widths, groups, blocks, 2)
    discriminator = networks.Discriminator(widths[::-1], groups[::-1], blocks, 2)
    training = trainer.AdversarialTraining(generator, discriminator)
    of_generator, of_discriminator = adam(generator, 2e-4, 0.9), adam(discriminator, 2e-4, 0.9)

    def step(real: Callable[[], Tensor], size: int) -> None:
        discriminator.requires_grad_(True)
        generator.requires_grad_(False)
        of_discriminator.zero_grad()
        training.AccumulateDiscriminatorGradients(torch.randn(size, 64), real(), None, 0.5)
        of_discriminator.step()
        discriminator.requires_grad_(False)
        generator.requires_grad_(True)
        of_generator.zero_grad()
        training.AccumulateGeneratorGradients(torch.randn(size, 64), real(), None)
        of_generator.step()

    return 32, step


def sngan() -> tuple[int, Step]:
    """Their residual networks at 32 × 32 and hinge loss; one step of D, and G judged on as many samples."""
    models: Any = importlib.import_module("source.models.sngan")
    loss: Any = importlib.import_module("source.losses").Hinge()
    generator, discriminator = models.ResGenerator32(128), models.ResDiscriminator32()
    of_generator, of_discriminator = adam(generator, 2e-4, 0.9), adam(discriminator, 2e-4, 0.9)

    def step(real: Callable[[], Tensor], size: int) -> None:
        with torch.no_grad():
            fake = generator(torch.randn(size, 128))
        cost = loss(discriminator(real()), discriminator(fake))
        of_discriminator.zero_grad()
        cost.backward()
        of_discriminator.step()
        cost = loss(discriminator(generator(torch.randn(size, 128))))
        of_generator.zero_grad()
        cost.backward()
        of_generator.step()

    return 32, step


def progressive() -> tuple[int, Step]:
    """Their networks at 16 × 16, faded in, and their step of WGAN-GP with drift and a moving average."""
    init.xavier_normal, init.kaiming_normal = init.xavier_normal_, init.kaiming_normal_  # as torch called them then
    nn.functional.upsample = nn.functional.interpolate
    model: Any = importlib.import_module("model")
    generator, average, discriminator = model.Generator(511, 1), model.Generator(511, 1), model.Discriminator(1)
    of_generator, of_discriminator = adam(generator, 1e-3, 0.99), adam(discriminator, 1e-3, 0.99)

    def critic(x: Tensor) -> Tensor:
        return discriminator(x, 2, 1)[0]

    def step(real: Callable[[], Tensor], size: int) -> None:
        label, x = torch.zeros(size, dtype=torch.int64), real()
        discriminator.zero_grad()
        discriminator.requires_grad_(True)
        generator.requires_grad_(False)
        of_real = critic(x)
        (0.001 * of_real.square().mean() - of_real.mean()).backward()
        fake = generator(torch.randn(size, 511), label, 2, 1)
        critic(fake).mean().backward()
        share = torch.rand(size, 1, 1, 1)
        between = (share * x + (1 - share) * fake).requires_grad_(True)
        (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        (10 * (slope.flatten(1).norm(dim=1) - 1).square().mean()).backward()
        of_discriminator.step()
        generator.zero_grad()
        generator.requires_grad_(True)
        discriminator.requires_grad_(False)
        (-critic(generator(torch.randn(size, 511), label, 2, 1)).mean()).backward()
        of_generator.step()
        with torch.no_grad():
            for mine, theirs in zip(average.parameters(), generator.parameters(), strict=True):
                mine.mul_(0.999).add_(theirs, alpha=0.001)

    return 16, step


PEERS = {"r3gan": r3gan, "sngan": sngan, "progressive": progressive}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("checkout", help="of its repository")
    parser.add_argument("--batch-size", type=int, required=True)
    words = parser.parse_args()
    sys.path.insert(0, words.checkout)
    side, step = PEERS[words.peer]()
    pictures = torch.rand(PICTURES, 3, side, side) * 2 - 1
    for number in itertools.count():
        step(lambda: pictures[torch.randint(PICTURES, (words.batch_size,))], words.batch_size)
        print(f"[0/1][{number}/0]", flush=True)


if __name__ == "__main__":
    main()
