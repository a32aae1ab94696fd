"""Ways to tell networks a label: projection, an auxiliary head, an embedding; in every architecture."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from conftest import (
    TINY_DCGAN,
    TINY_MLP,
    TINY_PROGRESSIVE,
    TINY_R3GAN,
    TINY_RESNET,
    config_of,
)
from torch import nn

from gan_cli.config.library import Library
from gan_cli.data.conditions import Columns
from gan_cli.errors import UserError
from gan_cli.games.growing import at_stage, growth_of, term_of
from gan_cli.models.conditioning import Embedded, Projecting, Telling
from gan_cli.models.labels import blank_labels
from gan_cli.models.norms import ConditionalNorm
from gan_cli.training.outline import game_of

CPU = torch.device("cpu")
TINY = {"mlp": TINY_MLP, "dcgan": TINY_DCGAN, "progressive": TINY_PROGRESSIVE}
TINY |= {"resnet": TINY_RESNET, "r3gan": TINY_R3GAN}
MIXED = Columns(("attribute", "number", "attribute"))
LABELS = {10: torch.arange(8) % 10, MIXED: torch.tensor([[0.0, 0.5, 1.0], [1.0, -1.0, 0.0]] * 4)}
WAYS = ("concat", "projection", "auxiliary", "embedding")


@pytest.fixture(scope="module")
def configs():
    return {name: config_of(*keys, "conditional=true") for name, keys in TINY.items()}


@pytest.mark.parametrize("classes", LABELS, ids=["classes", "conditions"])
@pytest.mark.parametrize("name", TINY)
def test_every_way_reaches_every_weight_of_every_architecture(configs, name, classes):
    side, labels = (16 if name == "progressive" else 8), LABELS[classes]
    x, z = torch.rand(8, 1, side, side) * 2 - 1, torch.randn(8, 4)
    for how in WAYS:
        config = configs[name].model_copy(update={"conditioning": how})
        game = game_of(config, Library(), (1, side, side), classes, CPU)
        strengths = term_of(game.growth.end) if game.growth else {}
        for player, network in game.networks.items():
            with torch.no_grad():  # what begins at 0 passes nothing on
                for weight in network.parameters():
                    weight.add_(0.05 * torch.randn(weight.shape))
            cost, statistics = game.cost(player, x, z, labels, strengths)
            grown = [w for n, w in network.named_parameters() if "rgb." not in n or n.split("rgb.")[1][0] == "2"]
            slopes = torch.autograd.grad(cost, grown)
            assert all(slope.abs().sum() > 0 for slope in slopes), (how, player)
            assert ("label_error/fake" in statistics) == (how == "auxiliary" and player == "discriminator")
        first, second = (game.generator.eval()(z, of) for of in (labels, labels.flip(0)))
        assert not torch.equal(first, second)
        logits = [game.discriminator.eval()(x, of) for of in (labels, labels.flip(0))]
        assert torch.equal(*logits) == (how == "auxiliary")  # which is not given the label


class Head(nn.Module):
    """A discriminator of (B, 6) with features of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.out = nn.Linear(6, 5), nn.Linear(5, 1)

    def features(self, x, labels=None):
        return self.body(x).tanh()

    def forward(self, x, labels=None):
        return self.out(self.features(x)).squeeze(1)


def test_projection_adds_the_product_of_features_and_the_row_of_the_class():
    network, x = Projecting(Head(), 3).double(), torch.randn(4, 6, dtype=torch.float64)
    rows = network.embedding.layers[0].weight.T.detach().numpy()  # (3, 5)
    features, labels = network.features(x).detach().numpy(), np.array([2, 0, 1, 2])
    expected = network.network(x).detach().numpy() + (features * rows[labels]).sum(axis=1)
    np.testing.assert_allclose(network(x, torch.from_numpy(labels)).detach().numpy(), expected)


def test_an_auxiliary_head_errs_by_nats_of_classes_and_attributes_and_by_half_a_square_of_numbers():
    features = torch.randn(2, 5)
    classes, mixed = Telling(Head(), 3), Telling(Head(), MIXED)
    told = classes.told(features).detach().numpy()
    p = np.exp(told) / np.exp(told).sum(axis=1, keepdims=True)
    error = classes.error(features, torch.tensor([1, 2]))
    assert error.item() == pytest.approx(-np.log([p[0, 1], p[1, 2]]).mean(), rel=1e-5)
    given, labels = mixed.told(features).detach().numpy(), LABELS[MIXED][:2].numpy()
    p = 1 / (1 + np.exp(-given))
    nats = -(labels * np.log(p) + (1 - labels) * np.log(1 - p))
    nats[:, 1] = (given[:, 1] - labels[:, 1]) ** 2 / 2
    assert mixed.error(features, LABELS[MIXED][:2]).item() == pytest.approx(nats.mean(), rel=1e-5)


def test_a_network_grows_inside_what_tells_it_labels(configs):
    config = configs["progressive"].model_copy(update={"conditioning": "embedding"})
    game = game_of(config, Library(), (1, 16, 16), 10, CPU)
    generator = game.generator
    assert isinstance(generator, Embedded)
    assert growth_of([generator]) is generator.network.growth
    with at_stage([generator], game.growth.at(0)):
        assert generator(torch.randn(2, 4), torch.tensor([1, 2])).shape == (2, 1, 4, 4)
    assert game.grow(0, 60)
    assert generator.network.images == 60


def test_columns_survive_copies_and_blank_labels_have_their_form():
    again = copy.deepcopy(MIXED)
    assert (again, again.kinds) == (3, ("attribute", "number", "attribute"))
    assert blank_labels(MIXED, 2).dtype == torch.float32
    assert blank_labels(10, 2).dtype == torch.int64
    assert blank_labels(0, 2) is None


def test_a_norm_is_there_where_all_conditions_are_zero():
    norm, x = ConditionalNorm("batch", 4, MIXED), torch.randn(8, 4, 3, 3)
    torch.testing.assert_close(norm(x, torch.zeros(8, 3)), nn.BatchNorm2d(4)(x))


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("conditional=false", *TINY_MLP), "conditioning=projection: no player is told of labels"),
        (
            ("dataset=ring", "architecture=mlp", "conditional=auto"),
            "conditioning=projection: no player is told of labels",
        ),
        (
            ("model=vae", "conditional=true"),
            "model=vae takes labels in another way: use conditioning=concat or embedding",
        ),
        (("model=made", "conditional=true"), "model=made takes labels in another way: use conditioning=concat"),
    ],
)
def test_a_way_that_nobody_can_follow_is_refused_in_a_line(keys, line):
    with pytest.raises(UserError, match=line):
        config_of(*keys, "conditioning=projection")
