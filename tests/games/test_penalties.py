"""Penalties on critics for which they are known exactly; Dirac-GAN through the real training step."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from gan_cli.algorithm import train
from gan_cli.config.batch_sizes import BatchSizes
from gan_cli.config.library import Library
from gan_cli.data.minibatches import Minibatches
from gan_cli.data.samples import Samples
from gan_cli.games.adversarial import AdversarialGame
from gan_cli.games.augmentation import AUGMENTATIONS, translated
from gan_cli.games.view import View, packed
from gan_cli.training.capture import Eager
from gan_cli.training.player import Player
from gan_cli.training.schedules import Constant


def penalty(name, **options):
    return Library().build_by_name("penalty", name, **{"anneal_images": 0, **options})


W = torch.tensor([3.0, -4.0], dtype=torch.float64)  # ‖w‖ = 5
REAL = torch.randn(64, 2, dtype=torch.float64)
FAKE = torch.randn(64, 2, dtype=torch.float64) + 3


def linear(x):
    return x @ W


def quadratic(x):  # ∇ = 2x
    return x.square().sum(dim=1)


def test_linear_critics():
    assert penalty("r1")(linear, REAL, FAKE).item() == pytest.approx(12.5)
    assert penalty("r2")(linear, REAL, FAKE).item() == pytest.approx(12.5)
    for name in ("gradient_penalty", "dragan"):
        assert penalty(name)(linear, REAL, FAKE).item() == pytest.approx(16.0, abs=1e-6)  # (‖w‖ − 1)²
        assert penalty(name, target=0.0)(linear, REAL, FAKE).item() == pytest.approx(25.0, abs=1e-6)
        assert penalty(name, sides="one")(lambda x: 0.1 * linear(x), REAL, FAKE).item() == 0
        assert penalty(name, sides="two")(lambda x: 0.1 * linear(x), REAL, FAKE).item() == pytest.approx(0.25, abs=1e-6)


def test_quadratic_critics():
    assert penalty("r1")(quadratic, REAL, FAKE).item() == pytest.approx(2 * REAL.square().sum(1).mean().item())
    assert penalty("r2")(quadratic, REAL, FAKE).item() == pytest.approx(2 * FAKE.square().sum(1).mean().item())
    on_data = penalty("gradient_penalty")(quadratic, REAL, REAL)  # lines between equal ends stay there
    assert on_data.item() == pytest.approx((2 * REAL.norm(dim=1) - 1).square().mean().item(), abs=1e-6)
    torch.manual_seed(0)
    many = torch.zeros(200_000, 2, dtype=torch.float64)
    many[::2] = 2.0  # standard deviation 1
    noisy = penalty("dragan", target=0.0, deviation=0.5)(quadratic, many, many)  # 4 E‖x + δ‖² = 4 (E‖x‖² + 2 · ¼)
    assert noisy.item() == pytest.approx(4 * (4 + 0.5), rel=0.01)


def test_consistency_of_a_critic_that_does_not_care_is_zero():
    pictures = torch.randn(8, 1, 16, 16)
    consistent = penalty("consistency")
    assert consistent(lambda x: torch.full((len(x),), 2.0), pictures, pictures).item() == 0
    assert consistent(lambda x: x[:, 0, :8].mean(dim=(1, 2)), pictures, pictures).item() > 0
    points = penalty("consistency", noise=0.5)
    torch.manual_seed(0)
    flat = torch.randn(100_000, 2, dtype=torch.float64)
    assert points(linear, flat, flat).item() == pytest.approx(25 * 0.25, rel=0.03)  # Var(w·δ) = ‖w‖² σ²


@pytest.mark.parametrize("name", ["r1", "r2", "gradient_penalty", "dragan", "consistency"])
def test_penalties_reach_the_weights_of_the_discriminator(name):
    network = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    value = penalty(name)(lambda x: network(x).squeeze(1), REAL, FAKE)
    gradients = torch.autograd.grad(value, list(network.parameters()), allow_unused=True)
    assert torch.isfinite(value)
    assert gradients[0].abs().sum() > 0


def test_weights_are_annealed_over_images_and_lazy_penalties_keep_their_mean():
    annealed = penalty("r1", weight=1.0, final_weight=0.1, anneal_images=1000)
    assert [annealed.strength(n) for n in (0, 500, 1000, 5000)] == pytest.approx([1.0, 0.55, 0.1, 0.1])
    lazy = penalty("r1", weight=2.0, interval=4)
    assert np.mean([lazy.strength(0) * lazy.due(move) for move in range(8)]) == pytest.approx(2.0)


# --- Dirac-GAN -------------------------------------------------------------------------------------------------------
class Dirac(nn.Module):
    """G(z) = θ, or D(x) = ψ x, in float64."""

    def __init__(self, value: float, judge: bool) -> None:
        super().__init__()
        self.value, self.judge = nn.Parameter(torch.tensor(value, dtype=torch.float64)), judge

    def forward(self, x, labels=None):
        return (self.value * x.double()).squeeze(1) if self.judge else self.value.expand(len(x), 1)


class Nothing:
    size = 1

    def sample(self, n, device="cpu", generator=None):
        return torch.zeros(n, 1)


def one_step(theta, psi, loss, h, updates, penalties=(), steps=1, **options):
    """(θ, ψ) after one real training step of plain gradient descent, from the code that trains everything."""
    library = Library()
    made = {name: penalty(name, weight=weight) for name, weight in penalties}
    game = AdversarialGame(Dirac(theta, False), Dirac(psi, True), library.build_by_name("loss", loss, **options), made)

    def player(name, network):
        optimizer = torch.optim.SGD(network.parameters(), lr=h)
        return Player(
            name, network, game.opponents(name), optimizer, lr=h, schedule=Constant(unit="steps", warmup=0), steps=1
        )

    players = [player(name, network) for name, network in game.networks.items()]
    data = Minibatches(Samples(np.zeros((4, 1), np.float32)), torch.device("cpu"), seed=0)
    train(
        game,
        players,
        data,
        Nothing(),
        None,
        (),
        batch_sizes=BatchSizes(2),
        steps=range(1, steps + 1),
        updates=updates,
        seed=0,
        device=torch.device("cpu"),
        executor=Eager(),
    )
    return np.array([game.generator.value.item(), game.discriminator.value.item()])


def spectral_radius(*arguments, **options):
    """Of the Jacobian of one step at the equilibrium (0, 0), by central differences."""
    e = 1e-6
    columns = []
    for direction in np.eye(2):
        ahead = one_step(*(e * direction), *arguments, **options)
        behind = one_step(*(-e * direction), *arguments, **options)
        columns.append((ahead - behind) / (2 * e))
    return max(abs(np.linalg.eigvals(np.stack(columns, axis=1))))


# The field at (0, 0): θ' = aψ, ψ' = −bθ − cψ, c from the penalty. With our ½ on each term of the cross-entropy games,
# f′(0)/2 = ¼; the least-squares and f-divergence games are taken about D = 0, where their field has the same form.
ROTATION = {
    "minimax": ("minimax", {}, 0.25, 0.25),
    "non_saturating": ("non_saturating", {}, 0.25, 0.25),
    "maximum_likelihood": ("maximum_likelihood", {}, 0.5, 0.25),
    "least_squares": ("least_squares", {"a": -1.0, "b": 1.0, "c": 1.0}, 1.0, 1.0),
    "wasserstein": ("wasserstein", {"clip": 0.0}, 1.0, 1.0),
    "hinge": ("hinge", {}, 1.0, 1.0),
    "relativistic": ("relativistic", {}, 0.5, 0.5),
    "relativistic_average": ("relativistic_average", {}, 1.0, 1.0),
    "f_gan kl": ("f_gan", {"divergence": "kl", "generator_step": "paper"}, math.exp(-1), math.exp(-1)),
    "f_gan kl, alternative": ("f_gan", {"divergence": "kl", "generator_step": "alternative"}, 1.0, math.exp(-1)),
    "f_gan reverse_kl": ("f_gan", {"divergence": "reverse_kl", "generator_step": "paper"}, 1.0, 1.0),
    "f_gan pearson": ("f_gan", {"divergence": "pearson", "generator_step": "paper"}, 1.0, 1.0),
    "f_gan squared_hellinger": ("f_gan", {"divergence": "squared_hellinger", "generator_step": "paper"}, 1.0, 1.0),
    "f_gan jensen_shannon": ("f_gan", {"divergence": "jensen_shannon", "generator_step": "paper"}, 0.5, 0.5),
    "f_gan gan": ("f_gan", {"divergence": "gan", "generator_step": "paper"}, 0.5, 0.5),
    "f_gan total_variation": ("f_gan", {"divergence": "total_variation", "generator_step": "paper"}, 0.5, 0.5),
}


def closed_form(a, b, c, h, updates):
    """The spectral radius of one step of size h in this field."""
    field = np.array([[0, a], [-b, -c]])
    if updates == "simultaneous":
        step = np.eye(2) + h * field
    elif updates == "extragradient":
        step = np.eye(2) + h * field @ (np.eye(2) + h * field)
    else:  # D first, then G at the new ψ
        move_D = np.array([[1, 0], [-h * b, 1 - h * c]])
        move_G = np.array([[1, h * a], [0, 1]])
        step = move_G @ move_D
    return max(abs(np.linalg.eigvals(step)))


@pytest.mark.parametrize("gamma", [0.0, 0.6])
@pytest.mark.parametrize("updates", ["simultaneous", "alternating", "extragradient"])
@pytest.mark.parametrize("game", ROTATION)
def test_dirac_gan_has_the_spectral_radius_of_the_theory(game, updates, gamma):
    loss, options, a, b = ROTATION[game]
    penalties = [("r1", gamma)] if gamma else []
    h = 0.2
    found = spectral_radius(loss, h, updates, penalties, **options)
    assert found == pytest.approx(closed_form(a, b, gamma, h, updates), abs=1e-6)


def test_which_games_converge_is_as_the_paper_says():
    """Mescheder et al. 2018: simultaneous descent spirals out at √(1 + h²ab); alternating circles; R1 converges."""
    h = 0.3
    assert spectral_radius("minimax", h, "simultaneous") == pytest.approx(math.sqrt(1 + (h / 4) ** 2), abs=1e-6)
    assert spectral_radius("minimax", h, "alternating") == pytest.approx(1, abs=1e-6)
    assert spectral_radius("wasserstein", h, "alternating", clip=0.0) == pytest.approx(1, abs=1e-6)
    assert spectral_radius("minimax", h, "extragradient") < 1
    for loss, options, _, _ in ROTATION.values():
        assert spectral_radius(loss, h, "alternating", [("r1", 0.5)], **options) < 1


def test_wgan_gp_never_converges():
    """Off the equilibrium the slope of the critic is pushed to 1, so ψ does not come to rest at 0."""
    end = one_step(0.1, 0.1, "wasserstein", 0.05, "alternating", [("gradient_penalty", 1.0)], steps=600, clip=0.0)
    r1 = one_step(0.1, 0.1, "wasserstein", 0.05, "alternating", [("r1", 1.0)], steps=600, clip=0.0)
    assert np.abs(end).max() > 0.3
    assert np.abs(r1).max() < 1e-6


def test_optimistic_descent_converges_where_simultaneous_descent_spirals_out():
    """Daskalakis et al. 2018: w ← w − 2hg + hg′ on a bilinear game."""
    start = (0.5, 0.5)
    spiral = one_step(*start, "wasserstein", 0.1, "simultaneous", steps=500, clip=0.0)
    optimistic = one_step(*start, "wasserstein", 0.1, "optimistic", steps=500, clip=0.0)
    assert np.linalg.norm(spiral) > 5
    assert np.linalg.norm(optimistic) < 0.1
    # the recursion itself: θ ← θ + 2hψ − hψ′, ψ ← ψ − 2hθ + hθ′
    now, last = np.array(start), None
    for _ in range(500):
        step = 0.1 * np.array([now[1], -now[0]])
        now, last = now + (2 * step - last if last is not None else step), step
    assert optimistic == pytest.approx(now, abs=1e-9)


# --- what D sees -----------------------------------------------------------------------------------------------------
def test_packing_puts_samples_side_by_side():
    x = torch.arange(24.0).reshape(6, 4)
    assert packed(x, 3).tolist() == [list(range(12)), list(range(12, 24))]
    pictures = torch.randn(6, 2, 4, 4)
    together = packed(pictures, 2)
    assert together.shape == (3, 4, 4, 4)
    assert torch.equal(together[1, 2:], pictures[3])


def test_instance_noise_falls_to_zero():
    view = View(sigma=2.0, noise_images=100)
    x = torch.zeros(20_000, 1)
    assert view(x, view.strengths(0)).std().item() == pytest.approx(2, rel=0.03)
    assert view(x, view.strengths(50)).std().item() == pytest.approx(1, rel=0.03)
    assert view.strengths(100) == {}
    assert torch.equal(View()(x), x)


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_augmentations_change_pictures_and_let_gradients_through(name, channels):
    x = torch.rand(16, channels, 8, 8).mul(2).sub(1).requires_grad_(True)
    torch.manual_seed(0)
    y = AUGMENTATIONS[name](x, None)
    assert y.shape == x.shape
    assert not torch.equal(x, y)
    y.sum().backward()
    assert torch.isfinite(x.grad).all()
    assert x.grad.abs().sum() > 0


def test_translation_moves_by_whole_pixels_up_to_an_eighth():
    x = torch.zeros(500, 1, 16, 16)
    x[:, :, 8, 8] = 1
    torch.manual_seed(0)
    places = translated(x).nonzero()
    assert len(places) == 500
    for axis in (2, 3):
        assert set((places[:, axis] - 8).tolist()) == {-2, -1, 0, 1, 2}
    edge = torch.ones(50, 1, 16, 16)
    assert translated(edge).min() == 0
    assert torch.equal(translated(edge, fill=None), edge)


def test_cutout_takes_out_half_a_side():
    torch.manual_seed(0)
    gone = (AUGMENTATIONS["cutout"](torch.ones(300, 1, 16, 16), None) == 0).sum(dim=(1, 2, 3))
    assert gone.max() == 64
    assert gone.min() >= 16


class Flat:
    """A penalty of one's own with what README asks for, and no interval."""

    def __call__(self, judge, real, fake):
        return judge(real).square().mean()

    def due(self, move):
        return True

    def strength(self, images):
        return 1.0


def test_only_penalties_with_an_interval_set_the_period_of_a_game():
    loss, r1 = Library().build_by_name("loss", "minimax"), penalty("r1", interval=3)
    game = AdversarialGame(Dirac(1.0, False), Dirac(1.0, True), loss, {"flat": Flat(), "r1": r1})
    assert (game.period("discriminator"), game.period("generator")) == (3, 1)
    game.penalties = {"flat": Flat()}
    assert game.period("discriminator") == 1
