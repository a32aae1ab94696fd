"""The nearest latents, and directions between them, against closed forms."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import TINY_MLP, config_of
from PIL import Image
from scipy.optimize import lsq_linear
from scipy.stats import mannwhitneyu
from torch import nn

from gan_cli.config.library import Library
from gan_cli.data.conditions import Condition, Conditions
from gan_cli.data.knows import DATASET
from gan_cli.data.single import pictures_at
from gan_cli.games.comparing import at_stage_of, features_of
from gan_cli.games.directions import between, first_layer, of_samples, of_weights
from gan_cli.games.game import Judges
from gan_cli.games.sampler import Sampler
from gan_cli.games.view import View
from gan_cli.losses.loss import Loss
from gan_cli.models.architecture import ARCHITECTURE
from gan_cli.models.priors import Normal, Uniform

SIZE, SHAPE = 3, (1, 4, 4)


class Linear(nn.Module):
    """x = W z + b, with W and b of the label."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(7)
        self.weight = 0.1 * torch.randn(max(1, classes), 16, SIZE, generator=generator)
        self.shift = 0.1 * torch.randn(max(1, classes), 16, generator=generator)

    def forward(self, z, labels=None):
        labels = torch.zeros(len(z), dtype=torch.int64) if labels is None else labels
        return (torch.einsum("nij,nj->ni", self.weight[labels], z) + self.shift[labels]).unflatten(1, SHAPE)


@pytest.fixture(scope="module")
def config():
    return config_of(*TINY_MLP)


def least_squares(network: Linear, label: int, x: np.ndarray, bound: float):
    """The latent whose sample is nearest, and the mean squared difference."""
    W, b = network.weight[label].double().numpy(), network.shift[label].double().numpy()
    found = lsq_linear(W, x - b, (-bound, bound))
    return found.x, 2 * found.cost / 16


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("prior", [Normal(size=SIZE, scale=1.0), Uniform(size=SIZE, scale=0.5)], ids=["normal", "cube"])
def test_the_nearest_latent_of_a_linear_generator_is_that_of_least_squares(config, prior, classes):
    network = Linear(classes)
    sampler = Sampler(network, prior, config, classes, torch.device("cpu"))
    picture = 0.3 * torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    x, bound = picture.double().flatten().numpy(), 0.5 if isinstance(prior, Uniform) else np.inf
    expected = {label: least_squares(network, label, x, bound) for label in range(max(1, classes))}
    nearest = min(expected, key=lambda label: expected[label][1])
    how = {"features": "none", "restarts": 2, "iterations": 120}
    found = sampler.project(picture, **how)
    assert found.label == (nearest if classes else None)
    assert np.allclose(found.latent, expected[nearest][0], atol=2e-3)
    labels = torch.arange(classes).repeat_interleave(64) if classes else None
    random = sampler.decode(sampler.latents(64, 0).repeat(max(1, classes), 1), labels)
    scale = float((random - picture).square().mean())  # random latents cost 1
    assert found.end_cost == pytest.approx(expected[nearest][1] / scale, rel=1e-3)
    assert found.rmse == pytest.approx(127.5 * expected[nearest][1] ** 0.5, rel=0.02)  # of bytes
    assert found.start_cost > found.end_cost
    if classes:
        order = sorted(expected, key=lambda each: expected[each][1])
        assert sorted(found.by_label, key=found.by_label.get) == [str(each) for each in order]
        other = (nearest + 1) % classes
        assert np.allclose(sampler.project(picture, other, **how).latent, expected[other][0], atol=2e-3)
    again = sampler.project(picture, **how)
    assert again.latent.numpy().tobytes() == found.latent.numpy().tobytes()


def test_conditions_that_are_not_given_are_those_of_a_sweep_that_come_nearest(config):
    class Shifted(nn.Module):
        def forward(self, z, labels):
            return (torch.cat([z, z], dim=1) * 0.1 + labels.sum(dim=1, keepdim=True)).reshape(-1, 1, 2, 3)

    columns = (Condition("bright", "attribute"), Condition("angle", mean=30, scale=10))
    rows = np.array([[0, -1], [0, 1], [1, -1], [1, 1]], np.float32)
    prior, here = Uniform(size=SIZE, scale=1.0), torch.device("cpu")
    sampler = Sampler(Shifted(), prior, config, 2, here, conditions=Conditions(columns, rows))
    found = sampler.project(torch.full((1, 2, 3), 0.9), features="none", seeds=range(4), iterations=40)
    assert found.label == (0, 1)  # only that is within 0.1
    assert found.by_label.keys() == {"angle:20", "angle:40", "bright+angle:20", "bright+angle:40"}
    assert np.allclose(found.latent, -1, atol=1e-3)
    assert sampler.project(torch.zeros(1, 2, 3), "bright+angle:20", features="none", iterations=8).rmse <= 1
    with pytest.raises(ValueError, match="angle is a number: write one"):
        sampler.project(torch.zeros(1, 2, 3), "angle")


def test_an_array_in_a_file_holds_pictures_of_the_models_own_shape():
    x = np.random.default_rng(0).integers(0, 256, (2, 6, 4, 5), dtype=np.uint8)
    np.save("six.npy", x)
    found = pictures_at("six.npy", "project", (6, 4, 5), {}, 2)
    assert (found.names, np.array_equal(found.values, x)) == (["six.npy[0]", "six.npy[1]"], True)
    np.save("one.npy", x[0].astype(np.float32) / 255)
    assert pictures_at("one.npy", "project", (6, 4, 5), {}, 1).values.shape == (1, 6, 4, 5)
    np.save("wide.npy", x[0].astype(np.float32))
    for name, shape, said in [
        ("six.npy", (6, 4, 4), r"is uint8 \(2, 6, 4, 5\)"),
        ("wide.npy", (6, 4, 5), r"not in \[-1, 1\]"),
    ]:
        with pytest.raises(ValueError, match=f"project={name}: .*{said}"):
            pictures_at(name, "project", shape, {}, 2)


def test_more_than_are_taken_are_refused_before_one_is_decoded(monkeypatch):
    monkeypatch.setattr("gan_cli.data.single._decoded", lambda *_: pytest.fail("decoded"))
    Path("p").mkdir()
    for i in range(3):
        Image.new("L", (5, 4)).save(f"p/{i}.png")
    np.save("three.npy", np.zeros((3, 1, 4, 5), np.uint8))
    for name in ("p", "p/*.png", "three.npy"):
        with pytest.raises(ValueError, match=r"project=.*: is 3 pictures: take 2 at a time"):
            pictures_at(name, "project", (1, 4, 5), {}, 2)


def test_a_picture_is_brought_to_a_runs_size_as_its_data_are():
    photo = np.random.default_rng(0).integers(0, 256, (64, 96), dtype=np.uint8)
    Image.fromarray(photo).save("photo.jpg")
    decoded = {}
    for detail in (1, 2):
        typed = ("dataset=image_folder", "dataset.path=.", "dataset.root=data", "dataset.size=8", "dataset.channels=1")
        choice = config_of(*typed, f"dataset.detail={detail}").dataset
        decoded[detail] = Library().build(DATASET, choice).load().values
        found = pictures_at("photo.jpg", "project", (1, 8, 8), choice.model_dump(), 1)
        np.testing.assert_array_equal(found.values, decoded[detail])
    assert (decoded[1] != decoded[2]).any()
    np.save("x.npy", photo[None])
    Image.fromarray(photo).save("photo.png")
    choice = config_of("dataset=arrays", "dataset.path=x.npy", "dataset.size=24", "dataset.fit=pad").dataset
    found = pictures_at("photo.png", "project", (1, 24, 24), choice.model_dump(), 1)
    np.testing.assert_array_equal(found.values, Library().build(DATASET, choice).load().values)
    assert (found.values[0, 0, 0] == 0).all()


def test_features_weigh_as_much_as_they_are_told_to(config):
    network = Linear(0)
    sampler = Sampler(network, Normal(size=SIZE, scale=1.0), config, 0, torch.device("cpu"))
    picture = 0.3 * torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    found = sampler.project(picture, features=lambda x, _: x.flatten(1)[:, :4], feature_weight=1.0)
    expected = np.linalg.lstsq(network.weight[0][:4], picture.flatten()[:4] - network.shift[0][:4], rcond=None)[0]
    assert np.allclose(found.latent, expected, atol=5e-3)
    with pytest.raises(ValueError, match=r"is \(1, 5, 5\), and this model makes \(1, 4, 4\)"):
        sampler.project(torch.zeros(1, 5, 5))
    with pytest.raises(ValueError, match="labels: not a conditional generator"):
        sampler.project(picture, 3)


@pytest.mark.parametrize(("shape", "what"), [((2,), "points"), ((1, 16), "signals")])
def test_what_is_no_picture_is_not_projected(config, shape, what):
    class Still(nn.Module):
        def forward(self, z, labels):
            return z[:, :1].expand(-1, math.prod(shape)).reshape(-1, *shape)

    sampler = Sampler(Still(), Normal(size=SIZE, scale=1.0), config, 0, torch.device("cpu"))
    for picture in ("photo.png", torch.full(shape, 3.0)):
        with pytest.raises(ValueError, match=f"project: is for pictures, and this generator makes {what}"):
            sampler.project(picture)


def networks(name: str, classes: int, *options: str) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator of an architecture, for pictures of 1 × 8 × 8 and latents of 6 numbers."""
    chosen = config_of("experiment=lecture", f"architecture={name}", "dataset.size=8", *options).architecture
    made = Library().build(ARCHITECTURE, chosen)
    torch.manual_seed(0)
    return made.generator(6, (1, 8, 8), classes).eval(), made.discriminator((1, 8, 8), classes).eval()


TINY = {
    "mlp": ("mlp", "architecture.generator.hidden=[12]", "architecture.discriminator.hidden=[12]"),
    "maxout": ("mlp", "architecture.generator.hidden=[12]", "architecture.generator.activation=maxout"),
    "dcgan": ("dcgan", "architecture.width=4"),
    "resnet": ("resnet", "architecture.width=4", "architecture.discriminator.smallest=4"),
    "r3gan": ("r3gan", "architecture.width=8", "architecture.group=4"),
    "progressive": ("progressive", "architecture.base=16", "architecture.most=8"),
}


def first_weight(name: str, G: nn.Module) -> np.ndarray:
    """The first layer's weight, from the definition of each architecture."""
    if name in ("mlp", "maxout"):
        return (G.hidden[0] if name == "mlp" else G.hidden[0].linear).weight.detach().numpy()
    if name == "r3gan":
        return torch.einsum("chw,ci->chwi", G.basis.maps, G.basis.weight).flatten(0, 2).detach().numpy()
    if name == "progressive":
        return (G.first.weight * G.first.scale).detach().numpy()
    return G.project.weight.detach().numpy()


@pytest.mark.parametrize("classes", [0, 7])
@pytest.mark.parametrize("name", TINY)
def test_principal_directions_are_the_eigenvectors_of_the_first_layer(name, classes):
    G, _ = networks(TINY[name][0], classes, *TINY[name][1:])
    z = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    found = of_weights(first_layer(G, z, torch.arange(4) if classes else None).weight, 6)
    A = first_weight(name, G)[:, :6].astype(np.float64)
    values, vectors = np.linalg.eigh(A.T @ A)  # ascending
    cosines = np.abs((found.vectors.numpy() * vectors.T[::-1]).sum(axis=1))
    assert np.allclose(cosines, 1, atol=1e-3)
    assert np.allclose(found.strengths, np.sqrt(values[::-1]), rtol=1e-3)
    assert np.allclose(found.shares, values[::-1] / values.sum(), rtol=1e-3)


def test_a_network_without_a_first_layer_has_none():
    class Bent(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Tanh(), nn.Linear(6, 4))

        def forward(self, z, labels=None):
            return self.body(z)

    assert first_layer(Bent(), torch.randn(4, 6), None) is None


def test_directions_by_samples_are_regressions_on_their_principal_components():
    rng = np.random.default_rng(0)
    z, M = rng.normal(size=(400, 5)), rng.normal(size=(12, 5)) * [5, 3, 2, 1, 0.5]
    x = z @ M.T
    found = of_samples(torch.from_numpy(z), torch.from_numpy(x).float(), 2)
    values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
    coordinates = (x - x.mean(axis=0)) @ vectors[:, ::-1][:, :2]
    regressed = np.linalg.lstsq(coordinates, z - z.mean(axis=0), rcond=None)[0]  # (2, 5)
    regressed /= np.linalg.norm(regressed, axis=1, keepdims=True)
    assert np.allclose(np.abs((found.vectors.numpy() * regressed).sum(axis=1)), 1, atol=1e-4)
    assert np.allclose(found.strengths, np.sqrt(values[::-1][:2]), rtol=1e-4)
    assert np.allclose(found.shares, values[::-1][:2] / values.sum(), rtol=1e-4)


def test_a_direction_between_classes_tells_those_apart_that_it_has_not_seen():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(90, 4)), rng.normal([2, 0, 0, 0], size=(60, 4))
    vector, area = between(torch.from_numpy(one).float(), torch.from_numpy(other).float())
    expected = other.mean(axis=0) - one.mean(axis=0)
    assert np.allclose(vector, expected / np.linalg.norm(expected), atol=1e-5)
    along = other[::2].mean(axis=0) - one[::2].mean(axis=0)
    u = mannwhitneyu(other[1::2] @ along, one[1::2] @ along).statistic
    assert area == pytest.approx(u / (30 * 45), abs=1e-6)


def test_a_network_that_grows_is_given_the_detail_of_its_stage():
    G, _ = networks("progressive", 0, *TINY["progressive"][1:], "architecture.train_images=10")
    x = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    blocks = x.unflatten(2, (4, 2)).unflatten(4, (4, 2)).mean(dim=(3, 5))
    assert torch.allclose(at_stage_of(G, x), blocks.repeat_interleave(2, 2).repeat_interleave(2, 3), atol=1e-6)
    G.images.fill_(10**9)
    assert torch.equal(at_stage_of(G, x), x)


@pytest.mark.parametrize("name", ["dcgan", "mlp"])
def test_the_features_of_a_sample_do_not_depend_on_the_others(name):
    options = [*TINY[name][1:], "architecture.discriminator.minibatch_std=true"]
    _, D = networks(name, 0, *options)
    game = SimpleNamespace(discriminator=D, loss=Loss, view=View(pack=1))
    assert isinstance(game, Judges)
    x = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        seen = features_of(game, x, None)
        assert torch.allclose(seen(x, None)[:1], D.features(x[:1]), atol=1e-5)
        assert not torch.allclose(D.features(x)[:1], D.features(x[:1]), atol=1e-5)
