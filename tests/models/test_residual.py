"""Networks of residual blocks against the papers: how many weights, how they begin, what they compute."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from conftest import config_of, setup_of
from scipy.signal import convolve2d
from torch import nn

from gan_cli.config.library import Library
from gan_cli.models import r3gan, resnet
from gan_cli.models.doubling import doubling_of
from gan_cli.models.norms import ConditionalNorm

SIZES = [8, 16, 32, 64, 128, 256]
SMALL = {
    "resnet": ("architecture=resnet", "architecture.width=4", "architecture.discriminator.smallest=4"),
    "r3gan": ("architecture=r3gan", "architecture.width=16", "architecture.wide_to=256", "architecture.group=4"),
}


def architecture(*keys):
    return Library().build("architecture", config_of(*keys).architecture)


def players(made, shape=(3, 32, 32), classes=0, latent=10):
    torch.manual_seed(0)
    return made.generator(latent, shape, classes), made.discriminator(shape, classes)


def counts(made, size, latent, classes=0):
    """Weights of G and of D, which are not allocated."""
    with torch.device("meta"):
        networks = players(made, (3, size, size), classes, latent)
    return [sum(p.numel() for p in network.parameters()) for network in networks]


def r3gan_of(width, wide_to=32, blocks=2, group=16):
    return r3gan.R3GAN(width, wide_to, blocks, 2, group, *[{"width": width, "blocks": blocks}] * 2)


# --- R3GAN (Huang et al. 2024) ---
def test_config_e_has_the_weights_that_the_authors_networks_have():
    """Counted in brownvc/R3GAN with the presets of its train.py; 23.058 and 23.010 million in the paper's roadmap."""
    config_e = r3gan_of(768)
    assert counts(config_e, 32, 64) == [20_732_160, 20_683_776]  # CIFAR-10
    assert counts(config_e, 32, 64, classes=10) == [20_781_952, 21_280_512]
    assert counts(config_e, 64, 64) == [22_429_824, 22_381_440]  # FFHQ
    assert counts(config_e, 256, 64) == [23_057_952, 23_009_568]
    assert counts(r3gan_of(1536, 64, group=32), 64, 64, classes=1000) == [103_570_432, 107_205_120]  # ImageNet
    assert counts(architecture("experiment=r3gan_256", "dataset.path=x"), 256, 64) == [23_057_952, 23_009_568]


def test_every_block_begins_as_the_identity_and_learns_by_its_last_layer():
    generator, discriminator = players(r3gan_of(16, group=4))
    for network in (generator, discriminator):
        blocks = [module for module in network.modules() if isinstance(module, r3gan.Block)]
        assert len(blocks) == 8
        for block in blocks:
            x = torch.randn(2, 16, 8, 8)
            assert torch.equal(block(x), x)
    discriminator(generator(torch.randn(8, 10))).sum().backward()
    for network in (generator, discriminator):
        for name, weight in network.named_parameters():
            inside = name.startswith("layers") and ("expand" in name or "grouped" in name)
            assert weight.grad.any() != inside, name  # W₃ = 0 lets no gradient through to what comes before it


def test_fix_up_scales_weights_by_the_number_of_blocks():
    block = r3gan.Block(256, 2, 16, blocks=10)
    gain = math.sqrt(2 / 1.04) * 10 ** (-1 / 4)
    assert block.expand.weight.std().item() == pytest.approx(gain / 16, rel=0.02)  # 256 inputs
    assert block.grouped.weight.std().item() == pytest.approx(gain / 12, rel=0.02)  # 16 channels of 3 × 3
    assert not block.project.weight.any()
    assert not block.expand.bias.any()


def test_pictures_are_resampled_by_the_filter_1_2_1():
    kernel = np.outer(line := np.convolve([1, 2, 1], [1, 1]) / 8, line)
    x = torch.randn(1, 2, 8, 8, dtype=torch.float64)
    up, down = r3gan.Up(2, 2).double(), r3gan.Down(2, 2).double()
    for channel in range(2):
        picture = x[0, channel].numpy()
        between = np.zeros((16, 16))
        between[::2, ::2] = picture
        wanted = 4 * convolve2d(between, kernel)[1:-2, 1:-2]
        assert np.allclose(up(x)[0, channel].numpy(), wanted, atol=1e-12)
        assert np.allclose(down(x)[0, channel].numpy(), convolve2d(picture, kernel)[2:-1:2, 2:-1:2], atol=1e-12)


def test_an_untrained_generator_interpolates_its_basis():
    """Blocks do nothing yet: pictures are sums of the basis' maps, enlarged by the filter, scaled by z."""
    doublings = np.eye(4)
    for size in (4, 8, 16):  # along one side: 3/4 of the nearest pixel and 1/4 of the next
        one = np.zeros((2 * size, size))
        for i in range(size):
            for row, weight in zip(range(2 * i - 1, 2 * i + 3), (0.25, 0.75, 0.75, 0.25), strict=True):
                if 0 <= row < 2 * size:
                    one[row, i] = weight
        doublings = one @ doublings
    generator, _ = players(r3gan_of(16))
    generator.double()
    z = torch.randn(2, 10, dtype=torch.float64)
    maps, weight, out = (p.detach().numpy() for p in (*generator.basis.parameters(), generator.out.weight))
    wanted = np.einsum("oc,bc,chw->bohw", out[:, :, 0, 0], z.numpy() @ weight.T, doublings @ maps @ doublings.T)
    assert np.allclose(generator(z).detach().numpy(), wanted, atol=1e-10)


def test_the_basis_and_what_mixes_channels_keep_the_variance():
    torch.manual_seed(0)
    z = torch.randn(8, 64)
    with torch.no_grad():
        x = r3gan.Basis(64, 20000, doubling_of(4, 4))(z)
        y = r3gan.mixing(64, 2000)(torch.randn(4, 64, 8, 8))
    assert x.var().item() == pytest.approx(z.square().mean().item(), rel=0.05)
    assert y.var().item() == pytest.approx(1, rel=0.05)


# --- residual networks of WGAN-GP and SNGAN ---
def test_residual_networks_have_the_weights_of_the_papers_tables():
    conv, linear = (lambda i, o, k=3: i * o * k * k + o), (lambda i, o: i * o + o)

    def generator(plan, latent, classes=1):
        up = [2 * classes * (i + o) + conv(i, o) + conv(o, o) + conv(i, o, 1) for i, o in itertools.pairwise(plan)]
        return linear(latent, 16 * plan[0]) + sum(up) + 2 * plan[-1] + conv(plan[-1], 3)

    def discriminator(plan, same, classes=0):
        first = conv(3, plan[0]) + conv(plan[0], plan[0]) + conv(3, plan[0], 1)
        down = [conv(i, i) + conv(i, o) + conv(i, o, 1) for i, o in itertools.pairwise(plan)]
        return first + sum(down) + 2 * same * conv(plan[-1], plan[-1]) + linear(plan[-1], 1) + classes * plan[-1]

    sngan = architecture("experiment=sngan_resnet")
    assert counts(sngan, 32, 128) == [generator([256] * 4, 128), discriminator([128] * 2, 2)] == [4_276_739, 1_053_825]
    labelled = [generator([256] * 4, 128, 10), discriminator([128] * 2, 2, 10)]
    assert counts(sngan, 32, 128, classes=10) == labelled
    wgan_gp = architecture("experiment=wgan_gp_resnet")
    assert counts(wgan_gp, 32, 128) == [generator([128] * 4, 128), 1_053_825]
    plan = {"width": 64, "widest": 16}
    ends = {"norm": "spectral", "smallest": 4, "blocks": 1, "pooling": "sum"}
    table_6 = resnet.ResNet(64, 16, {**plan, "norm": "batch"}, {**plan, **ends})
    wide = [1024, 1024, 512, 256, 128, 64]  # ImageNet, 128 × 128
    assert counts(table_6, 128, 128) == [generator(wide, 128), discriminator(wide[:0:-1], 1)]


def test_weights_begin_as_published():
    generator, discriminator = players(architecture("architecture=resnet", "architecture.width=64"))
    for network in (generator, discriminator):
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d) and module.weight.numel() > 4000:
                field = module.kernel_size[0] ** 2
                gain = math.sqrt(2) if name.endswith(("first", "last")) else 1
                limit = gain * math.sqrt(6 / (field * (module.in_channels + module.out_channels)))
                assert 0.99 * limit < module.weight.abs().max() <= limit, name
                assert not module.bias.any(), name


def test_shortcuts_are_resampled_as_the_paper_has_it():
    """Of the shortcut the side is changed where that is cheaper, which makes no difference."""
    torch.manual_seed(0)
    x = torch.randn(2, 4, 8, 8)
    up, first = resnet.UpBlock(4, 6, "none", 0), resnet.FirstBlock(4, 6, "none")
    bigger = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    wanted = up.last(up.first(bigger.relu()).relu()) + up.shortcut(bigger)
    assert torch.allclose(up(x, None), wanted, atol=1e-5)
    smaller = first.last(first.first(x).relu()) + first.shortcut(x)
    assert torch.allclose(first(x), smaller.unflatten(2, (4, 2)).unflatten(4, (4, 2)).mean(dim=(3, 5)), atol=1e-5)
    same = resnet.Block(4, 4, "none", down=False)
    assert torch.allclose(same(x), same.last(same.first(x.relu()).relu()) + x, atol=1e-5)


def test_pooling_is_a_sum_or_a_mean():
    made = {}
    for pooling in ("sum", "mean"):
        _, made[pooling] = players(architecture(*SMALL["resnet"], f"architecture.discriminator.pooling={pooling}"))
    x = torch.randn(2, 3, 32, 32)
    assert torch.allclose(made["sum"].features(x), 16 * made["mean"].features(x), rtol=1e-4)  # of 4 × 4


@pytest.mark.parametrize("norm", ["batch", "instance", "group", "layer", "none"])
def test_a_conditional_norm_is_that_of_each_label_alone(norm):
    conditional, plain = ConditionalNorm(norm, 8, 3), ConditionalNorm(norm, 8, 0)
    nn.init.normal_(conditional.of_label.scale), nn.init.normal_(conditional.of_label.shift)
    x, labels = torch.randn(6, 8, 4, 4), torch.arange(6) % 3
    y = conditional(x, nn.functional.one_hot(labels, 3).float())
    scale, shift = (weight[labels][:, :, None, None] for weight in conditional.of_label.parameters())
    assert torch.allclose(y, plain(x) * scale + shift, atol=1e-5)  # plain begins with a scale of 1 and a shift of 0


def test_the_logit_of_a_label_is_a_projection():
    _, discriminator = players(architecture(*SMALL["resnet"]), classes=3)
    x, labels = torch.randn(6, 3, 32, 32), torch.arange(6) % 3
    features = discriminator.features(x)
    wanted = discriminator.out(features)[:, 0] + (features * discriminator.embedding.weight.T[labels]).sum(dim=1)
    assert torch.allclose(discriminator(x, labels), wanted, atol=1e-4)


# --- both ---
@pytest.mark.parametrize("name", SMALL)
def test_they_make_any_power_of_two_and_gradients_reach_every_weight(name):
    made = architecture(*SMALL[name])
    for size in SIZES:
        shape = (3, size, size)
        generator, discriminator = players(made, shape, classes=2)
        labels = torch.arange(2)
        x = generator(torch.randn(2, 10), labels)
        assert x.shape == (2, *shape)
        assert x.is_contiguous(memory_format=torch.channels_last)
        logits = discriminator(x, labels)
        assert logits.shape == (2,)
        logits.square().sum().backward()
        for weight in (*generator.parameters(), *discriminator.parameters()):
            assert weight.grad is not None
            assert weight.grad.isfinite().all()


@pytest.mark.parametrize("name", SMALL)
def test_autoencoders_can_have_them(name):
    made, shape = architecture(*SMALL[name]), (1, 32, 32)
    encoder, decoder = made.encoder(shape, 7), made.decoder(5, shape, 0)
    assert encoder(torch.randn(2, *shape)).shape == (2, 7)
    assert decoder(1000 * torch.randn(2, 5)).abs().max() > 1
    setup_of("model=vae", *SMALL[name])


@pytest.mark.parametrize("name", SMALL)
def test_bf16_computes_what_fp32_does(name):
    generator, discriminator = players(architecture(*SMALL[name]))
    z, x = torch.randn(4, 10), torch.randn(4, 3, 32, 32)
    for network, given in ((generator, z), (discriminator.features, x)):
        wanted = network(given)
        with torch.autocast("cpu", torch.bfloat16):
            found = network(given)
        assert (found - wanted).norm() < 0.05 * wanted.norm()
