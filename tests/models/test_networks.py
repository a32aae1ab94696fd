"""Architectures against the papers they come from."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from conftest import TINY_POINTS, config_of, state_in
from torch import nn

from gan_cli.config.library import Library
from gan_cli.models.averaging import AveragedNetwork


def players(*overrides: str, shape=(1, 32, 32), classes=0):
    architecture = Library().build("architecture", config_of(*overrides).architecture)
    torch.manual_seed(0)
    return architecture.generator(10, shape, classes), architecture.discriminator(shape, classes)


@pytest.mark.parametrize("size", [8, 16, 32, 64, 128, 256])
@pytest.mark.parametrize("channels", [1, 3])
def test_dcgan_makes_any_power_of_two(size, channels):
    generator, discriminator = players("architecture.width=4", shape=(channels, size, size))
    x = generator(torch.randn(2, 10))
    assert x.shape == (2, channels, size, size)
    assert x.abs().max() <= 1
    assert discriminator(x).shape == (2,)


def test_dcgan_is_the_paper_at_64():
    generator, discriminator = players("architecture.width=128", shape=(3, 64, 64))
    convolutions = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [m.in_channels for m in convolutions] == [1024, 512, 256, 128]  # figure 1
    assert convolutions[-1].out_channels == 3
    assert sum(isinstance(m, nn.BatchNorm2d) for m in generator.modules()) == 4  # all but the output
    assert not isinstance(generator.stages[-2], nn.BatchNorm2d)
    assert sum(isinstance(m, nn.BatchNorm2d) for m in discriminator.modules()) == 3  # all but the input
    assert not isinstance(discriminator.stages[1], nn.BatchNorm2d)
    assert all(m.negative_slope == 0.2 for m in discriminator.modules() if isinstance(m, nn.LeakyReLU))
    for network in (generator, discriminator):
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.weight.numel() > 10000:
                assert module.weight.mean().abs() < 5e-4
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.02)
            if isinstance(module, nn.BatchNorm2d):
                assert module.weight.mean().item() == pytest.approx(1, abs=0.01)
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.25)


@pytest.mark.parametrize(("upsampling", "chequered"), [("transposed", True), ("nearest", False), ("bilinear", False)])
def test_pictures_that_are_enlarged_and_then_convolved_have_no_checkerboard(upsampling, chequered):
    """A map of one value comes out as one value, away from the edges, unless each place has weights of its own."""
    keys = (f"architecture.generator.upsampling={upsampling}", "architecture.width=4")
    generator, _ = players(*keys, shape=(3, 16, 16))
    layers = [layer for layer in generator.stages if next(layer.parameters(), torch.ones(1)).dim() == 4]
    assert len(layers) == 2
    for layer in layers:
        inputs = next(layer.parameters()).shape[0 if chequered else 1]
        inner = layer(torch.ones(1, inputs, 8, 8))[0, :, 4:-4, 4:-4]
        assert (inner.std(dim=(1, 2)) > 1e-3).any() == chequered
    x = generator(torch.randn(2, 10))
    assert x.shape == (2, 3, 16, 16)
    assert sum(p.numel() for p in layers[0].parameters()) == (16 if chequered else 9) * 8 * 4


@pytest.mark.parametrize("norm", ["batch", "instance", "group", "layer", "none"])
def test_dcgan_norms(norm):
    generator, discriminator = players(f"architecture.norm={norm}", "architecture.width=4")
    logits = discriminator(generator(torch.randn(4, 10)))
    logits.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in generator.parameters())
    kinds = {type(m).__name__ for m in generator.modules()}
    wanted = {"batch": "BatchNorm2d", "instance": "InstanceNorm2d", "group": "GroupNorm", "layer": "GroupNorm"}
    assert norm == "none" or wanted[norm] in kinds


@pytest.mark.parametrize("name", ["dcgan", "mlp", "resnet"])
def test_spectral_norm_bounds_every_layer_of_the_discriminator(name):
    _, discriminator = players(f"architecture={name}", "architecture.discriminator.norm=spectral")
    discriminator.train()
    for _ in range(30):  # power iterations
        discriminator(torch.randn(4, 1, 32, 32))
    layers = [m for m in discriminator.modules() if hasattr(m, "parametrizations")]
    assert len(layers) >= 3
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.02)


def test_mlp_is_the_2014_paper():
    generator, discriminator = players("architecture=mlp", shape=(1, 28, 28))
    kinds = [type(m).__name__ for m in generator.hidden]
    assert kinds == ["Linear", "ReLU", "Linear", "ReLU"]
    assert [m.out_features for m in generator.hidden if isinstance(m, nn.Linear)] == [1200, 1200]
    assert [type(m).__name__ for m in discriminator.hidden] == ["Dropout", "Maxout", "Dropout", "Maxout", "Dropout"]
    assert [m.p for m in discriminator.hidden if isinstance(m, nn.Dropout)] == [0.2, 0.5, 0.5]
    assert discriminator.hidden[1].linear.weight.shape == (240 * 5, 784)


@pytest.mark.parametrize("norm", [torch.nn.utils.parametrizations.spectral_norm, torch.nn.utils.spectral_norm])
def test_the_average_of_a_layer_with_spectral_norm_has_it_too(norm):
    torch.manual_seed(0)
    layer = norm(nn.Linear(8, 8))
    average, optimizer = AveragedNetwork(layer), torch.optim.Adam(layer.parameters(), lr=0.03)
    for _ in range(200):
        optimizer.zero_grad()
        (layer(torch.randn(4, 8)) * torch.randn(4, 8)).sum().backward()
        optimizer.step()
        average.follow(0.99)
    weight = average.network(torch.eye(8)) - average.network(torch.zeros(1, 8))
    assert torch.linalg.matrix_norm(weight, 2).item() == pytest.approx(1, abs=0.1)


def test_maxout_is_the_largest_of_its_affine_pieces():
    from gan_cli.models.mlp import Maxout

    unit = Maxout(3, 2, pieces=4)
    x = torch.randn(5, 3)
    pieces = torch.stack([x @ unit.linear.weight[i] + unit.linear.bias[i] for i in range(8)], dim=1)
    assert torch.allclose(unit(x), pieces.reshape(5, 2, 4).max(dim=2).values, atol=1e-6)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "elu", "gelu", "silu", "maxout"])
def test_mlp_activations(activation):
    generator, discriminator = players(
        "architecture=mlp",
        f"architecture.generator.activation={activation}",
        f"architecture.discriminator.activation={activation}",
        "architecture.generator.norm=batch",
        "architecture.discriminator.norm=layer",
        shape=(2,),
    )
    x = generator(torch.randn(6, 10))
    assert x.shape == (6, 2)
    assert discriminator(x).shape == (6,)


@pytest.mark.parametrize(
    ("output", "low", "high"), [("tanh", -1, 1), ("sigmoid", -1, 1), ("none", -99, 99), ("auto", -1, 1)]
)
def test_mlp_outputs(output, low, high):
    generator, _ = players("architecture=mlp", f"architecture.generator.output={output}", shape=(1, 4, 4))
    x = generator(50 * torch.randn(64, 10))
    assert low <= x.min() < -0.9
    assert 0.9 < x.max() <= high
    assert output != "none" or x.abs().max() > 1


def test_the_weights_of_2014_are_small_and_uniform_with_biases_of_nothing():
    options = (
        "architecture.generator.init=0.05",
        "architecture.generator.norm=batch",
        "architecture.discriminator.init=0.005",
    )
    for network, limit in zip(players("architecture=mlp", *options), (0.05, 0.005), strict=True):
        for name, parameter in network.named_parameters():
            if parameter.dim() == 2:
                assert 0.9 * limit < parameter.abs().max() <= limit, name
            else:
                assert (parameter == (0 if "bias" in name else 1)).all(), name


def test_glorot_weights_are_uniform_by_their_inputs_and_outputs():
    generator, discriminator = players(
        "architecture=mlp", "architecture.generator.init=glorot", "architecture.discriminator.init=glorot"
    )
    for name, parameter in (*generator.named_parameters(), *discriminator.named_parameters()):
        if parameter.dim() == 2:
            limit = math.sqrt(6 / sum(parameter.shape))
            assert 0.9 * limit < parameter.abs().max() <= limit, name
        else:
            assert (parameter == 0).all(), name


def test_a_discriminator_can_be_fed_pixels_from_0_to_1():
    _, signed = players("architecture=mlp")
    _, unit = players("architecture=mlp", "architecture.discriminator.pixels=unit")
    x = torch.rand(3, 1, 32, 32)
    assert torch.equal(unit.eval()(2 * x - 1), signed.eval()((2 * x - 1 + 1) / 2))


@pytest.mark.parametrize("name", ["dcgan", "mlp", "r3gan"])
def test_labels_reach_both_players(name):
    generator, discriminator = players(f"architecture={name}", classes=3)
    generator.eval(), discriminator.eval()
    z, x = torch.randn(1, 10).expand(3, -1), torch.randn(1, 1, 32, 32).expand(3, -1, -1, -1)
    labels = torch.arange(3)
    assert len(generator(z, labels).flatten(1).unique(dim=0)) == 3
    assert len(discriminator(x, labels).unique()) == 3
    with pytest.raises(ValueError, match="labels"):
        generator(z)


def test_momentum_changes_on_a_straight_line_as_the_2014_paper_has_it(gan_train):
    keys = ("optimizer=sgd", "optimizer.momentum=0.5", "optimizer.final_momentum=0.7", "optimizer.momentum_steps=4")
    for steps, momentum in ((1, 0.55), (4, 0.7), (5, 0.7)):
        assert gan_train(*TINY_POINTS, *keys, f"steps={steps}", f"hydra.run.dir=run{steps}").code == 0
        for player in state_in(Path(f"run{steps}"))["players"].values():
            assert player["optimizer"]["param_groups"][0]["momentum"] == pytest.approx(momentum)
    result = gan_train(*TINY_POINTS, "optimizer=sgd", "optimizer.final_momentum=0.7", "steps=1")
    assert "optimizer.final_momentum and optimizer.momentum_steps go together" in result.err
