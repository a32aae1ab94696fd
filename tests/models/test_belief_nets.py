"""Fully visible belief nets against what can be counted: all pictures of twelve pixels, no leak to a later pixel."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats
import torch

from gan_cli.models.fvsbn import FVSBN
from gan_cli.models.heads import Bernoulli, Categorical, LogisticMixture, in_raster_order, uniform_of
from gan_cli.models.made import MADE
from gan_cli.models.ngram import NGram
from gan_cli.models.pixelcnn import PixelCNN
from gan_cli.models.pixelcnn_bodies import Gated, Residual
from gan_cli.models.units import levels

TOY, COLOUR = (1, 3, 4), (3, 2, 2)  # twelve numbers each


def pixelcnn(shape, head, body, classes=0):
    return PixelCNN(shape, head, body(6, 2, 3, shape[0], classes), 6)


NETS = {
    "fvsbn": lambda shape, head, classes=0: FVSBN(shape, classes, head),
    "made": lambda shape, head, classes=0: MADE(shape, classes, head, [9, 11], 1, "natural", True, 0),
    "made-orders": lambda shape, head, classes=0: MADE(shape, classes, head, [9], 3, "random", False, 0),
    "pixelcnn": lambda shape, head, classes=0: pixelcnn(shape, head, Gated, classes),
    "pixelcnn-blind": lambda shape, head, classes=0: pixelcnn(shape, head, Residual, classes),
    "ngram": lambda shape, head, classes=0: NGram(shape, classes, head.levels, 4, 0.5),
}
HEADS = {"binary": Bernoulli(), "categorical": Categorical(3), "logistic": LogisticMixture(3, 2)}


@pytest.fixture(autouse=True)
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def untrained(net, shape=TOY, head="binary", classes=0):
    """With weights that are far from uniform."""
    torch.manual_seed(0)
    network = NETS[net](shape, HEADS[head], classes).requires_grad_(False)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(torch.randint(0, 9, weight.shape) if net == "ngram" else 0.7 * torch.randn(weight.shape))
    return network


def every_picture(shape, count=2):
    rows = torch.tensor(list(itertools.product(range(count), repeat=math.prod(shape))))
    return rows.view(-1, *shape)


@pytest.mark.parametrize("shape", [TOY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("net", NETS)
def test_the_probabilities_of_all_pictures_sum_to_1(net, shape):
    nats = untrained(net, shape).log_p(every_picture(shape), None)
    assert nats.dtype == torch.float64
    assert nats.logsumexp(dim=0).exp().item() == pytest.approx(1, abs=1e-6)
    assert nats.std() > 0.5  # not the uniform distribution


@pytest.mark.parametrize("head", ["categorical", "logistic"])
@pytest.mark.parametrize("net", NETS)
def test_so_do_those_of_more_levels_and_of_a_label(net, head):
    shape = (1, 2, 3)
    network, pictures = untrained(net, shape, head, classes=2), every_picture((1, 2, 3), 3)
    each = [network.log_p(pictures, torch.full((len(pictures),), label)) for label in (0, 1)]
    for nats in each:
        assert nats.logsumexp(dim=0).exp().item() == pytest.approx(1, abs=1e-6)
    assert not torch.allclose(*each)


@pytest.mark.parametrize("count", [2, 5, 256])
def test_a_head_is_a_distribution_whose_quantiles_are_its_own(count):
    torch.manual_seed(1)
    for head in (Categorical(count), LogisticMixture(count, 3), *([Bernoulli()] if count == 2 else [])):
        given = 3 * torch.randn(7, head.size)
        each = torch.stack([head.log_prob(given, torch.full((7,), k)) for k in range(count)], dim=1).exp()
        np.testing.assert_allclose(each.sum(dim=1), 1, atol=1e-12)
        edges = torch.cat([torch.zeros(7, 1), each.cumsum(dim=1)], dim=1)
        wide = each > 1e-9
        for k in range(count):
            for u in (edges[:, k] + 1e-11, edges[:, k + 1] - 1e-11):
                assert (head.quantile(given, u) == k)[wide[:, k]].all()
    far = LogisticMixture(256, 1).log_prob(torch.tensor([[0.0, 1.0, -9.0]]), torch.tensor([3]))
    assert far.isfinite().all()  # a level that is all but impossible
    assert far < -100


@pytest.mark.parametrize("shape", [(1, 5, 5), (3, 3, 3)], ids=["grey", "colour"])
@pytest.mark.parametrize("net", [name for name in NETS if name not in ("ngram", "made-orders")])
def test_no_pixel_sees_itself_or_what_comes_after(net, shape):
    network, size = untrained(net, shape), math.prod(shape)
    y = torch.rand(2, *shape, requires_grad=True)
    rows = in_raster_order(y)
    if isinstance(network, PixelCNN):
        given = network.conditionals(y, None).flatten(1, 3)
    elif isinstance(network, MADE):
        given = network.conditionals(rows, None, torch.tensor([0]))
    else:
        given = network.conditionals(rows, None)
    sees = torch.zeros(size, size, dtype=torch.bool)
    for i in range(size):
        (slope,) = torch.autograd.grad(given[:, i].sum(), y, retain_graph=True, allow_unused=True)
        sees[i] = False if slope is None else in_raster_order(slope).abs().sum(dim=0) > 0
    earlier = torch.ones(size, size, dtype=torch.bool).tril(-1)
    assert not (sees & ~earlier).any()
    if net in ("fvsbn", "made"):  # and all of them see everything before
        assert torch.equal(sees, earlier)


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("order", ["natural", "random"])
def test_every_pixel_sees_the_label(direct, order):
    torch.manual_seed(0)
    network = MADE(TOY, 3, Bernoulli(), [64, 64], 1, order, direct, 0)
    rows = torch.rand(1, 12).expand(3, 12)
    given = network.conditionals(rows, torch.arange(3), torch.tensor([0]))[..., 0]
    assert (given.std(dim=0) > 1e-6).all()
    state = network.state_dict()
    before = MADE(TOY, 0, Bernoulli(), [64, 64], 1, order, direct, 0).state_dict()
    same = {**state, **{name: tensor for name, tensor in before.items() if name.startswith("degrees")}}
    network.load_state_dict(same)  # runs of before, whose degrees are in their checkpoints, stay what they were
    given = network.conditionals(rows, torch.arange(3), torch.tensor([0]))[:, network.degrees0[0].argmin(), 0]
    assert (given.std(dim=0) > 1e-6).all() == direct


def test_two_stacks_see_everything_before_and_one_has_a_blind_spot():
    sees = {}
    for net in ("pixelcnn", "pixelcnn-blind"):
        torch.manual_seed(0)
        body = Gated if net == "pixelcnn" else Residual
        network = PixelCNN((1, 12, 12), Bernoulli(), body(6, 5, 3, 1, 0), 6)
        y = torch.rand(1, 1, 12, 12, requires_grad=True)
        (slope,) = torch.autograd.grad(network.conditionals(y, None)[0, 8, 5].sum(), y)
        sees[net] = slope[0, 0] != 0
    before = torch.zeros(12, 12, dtype=torch.bool)
    before[:8], before[8, :5] = True, True
    assert torch.equal(sees["pixelcnn"], before)
    assert not sees["pixelcnn-blind"][6, 11]  # to the upper right
    assert sees["pixelcnn-blind"].sum() > 40


@pytest.mark.parametrize("shape", [TOY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("net", NETS)
def test_what_is_drawn_has_the_frequencies_of_the_likelihood(net, shape):
    network, draws = untrained(net, shape), 20_000
    generator = torch.Generator().manual_seed(3)
    z = 2 * torch.rand(draws, network.latent, generator=generator) - 1
    drawn = in_raster_order(levels(network(z), 2))
    powers = 2 ** torch.arange(11, -1, -1)
    counts = torch.bincount((drawn * powers).sum(dim=1), minlength=4096).double()
    pictures = in_raster_order(every_picture(shape))
    probability = network.log_p(every_picture(shape), None).exp()[(pictures * powers).sum(dim=1).argsort()].detach()
    often = probability * draws >= 5
    observed = np.append(counts[often].numpy(), counts[~often].sum())
    expected = draws * np.append(probability[often].numpy(), probability[~often].sum())
    assert scipy.stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-3


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("net", [name for name in NETS if name not in ("ngram", "made-orders")])
def test_what_is_kept_while_drawing_is_what_one_pass_computes(net, head):
    """Each pixel drawn is the quantile of the conditional that the whole picture gives it."""
    shape = (3, 4, 5)
    network = untrained(net, shape, head, classes=2)
    z, labels = 2 * torch.rand(6, network.latent) - 1, torch.tensor([0, 1, 0, 1, 0, 1])
    k = levels(network(z, labels), network.head.levels)
    y = k.double() / (network.head.levels - 1)
    if isinstance(network, PixelCNN):
        given = network.conditionals(y, labels).flatten(1, 3)
    elif isinstance(network, MADE):
        given = network.conditionals(in_raster_order(y), labels, torch.tensor([0]))
    else:
        given = network.conditionals(in_raster_order(y), labels)
    assert torch.equal(network.head.quantile(given, uniform_of(z)), in_raster_order(k))


def test_ngrams_are_counted_as_by_hand():
    network = NGram((1, 2, 3), 0, levels=2, n=3, smoothing=0.5)
    k = torch.tensor([[0, 1, 1, 0, 1, 1], [1, 1, 1, 1, 1, 1]]).view(2, 1, 2, 3)
    network.counts.data += torch.bincount(network.places(k, None).flatten(), minlength=18).view(9, 2)
    told = {}  # contexts with "." for what comes before the first pixel
    for row in k.flatten(1).tolist():
        text = ".." + "".join(map(str, row))
        for i in range(6):
            told[text[i : i + 3]] = told.get(text[i : i + 3], 0) + 1
    for text, count in told.items():
        one, two = (2 if character == "." else int(character) for character in text[:2])
        assert network.counts[3 * one + two, int(text[2])] == count
    assert network.counts.sum() == 12
    p = math.log((told["..0"] + 0.5) / 3) + math.log((told[".01"] + 0.5) / 2) + 2 * math.log((told["011"] + 0.5) / 3)
    p += math.log((told["110"] + 0.5) / (told["110"] + told["111"] + 1)) + math.log((told["101"] + 0.5) / 2)
    assert network.log_p(k[:1], None).item() == pytest.approx(p)


def test_degrees_are_those_of_the_paper_and_another_mask_has_others():
    network = MADE((1, 5, 5), 0, Bernoulli(), [40, 30], 3, "random", False, 7)
    for mask in range(3):
        inputs, first, second = network.degrees(torch.tensor([mask]))
        assert sorted(inputs.tolist()) == list(range(1, 26))
        assert first.min() >= 1
        assert second.min() >= first.min()
        assert max(first.max(), second.max()) <= 24
    assert not torch.equal(network.degrees0[0], network.degrees0[1])
    k = torch.randint(2, (4, 1, 5, 5))
    alone = torch.stack([network.log_p(k, None, {"mask": float(mask)}) for mask in range(3)])
    torch.testing.assert_close(network.log_p(k, None), alone.logsumexp(dim=0) - math.log(3))


@pytest.mark.parametrize("net", NETS)
def test_narrow_networks_sum_in_float32(net):
    torch.set_default_dtype(torch.float32)
    network, k = untrained(net, (1, 6, 6)), torch.randint(2, (8, 1, 6, 6), generator=torch.Generator().manual_seed(2))
    exact = network.log_p(k, None)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        narrow = network.log_p(k, None)
    assert narrow.dtype in (torch.float32, torch.float64)
    torch.testing.assert_close(narrow, exact, rtol=0.02, atol=0.1)
