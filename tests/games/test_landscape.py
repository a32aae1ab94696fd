"""What the players make of the plane, for players that are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import TINY_POINTS, setup_of
from torch import nn

from gan_cli.games.landscape import CELLS, landscape
from gan_cli.losses.games import NonSaturating
from gan_cli.losses.relativistic import Relativistic
from gan_cli.output.pictures import DATA, HALF, PAPER, SAMPLES
from gan_cli.output.plane import Landscape, plane

LOW, HIGH = np.array([-2.0, -1.0]), np.array([2.0, 3.0])


class Slope(nn.Module):
    """D's logit 3 x₁ + 1."""

    def forward(self, x, labels=None):
        return 3 * x[:, 0] + 1


class Minibatch(nn.Module):
    def forward(self, x, labels=None):
        return x[:, 0] - x[:, 0].mean()


def seen_by(discriminator, *keys, samples=None):
    setup = setup_of(*TINY_POINTS, *keys)
    setup.game.discriminator = discriminator
    samples = torch.tensor([[0.5, 0.0], [-1.0, 2.0]]) if samples is None else samples
    return landscape(setup.game, setup.sampler, samples, samples + 1, LOW, HIGH), samples


def test_the_surface_is_d_at_the_middle_of_each_cell():
    seen, _ = seen_by(Slope())
    columns = -2 + 4 * (np.arange(CELLS) + 0.5) / CELLS
    wanted = 1 / (1 + np.exp(-(3 * columns + 1)))
    np.testing.assert_allclose(seen.surface, np.tile(wanted, (CELLS, 1)), atol=1e-6)
    assert seen.half
    critic, _ = seen_by(Slope(), "loss=wasserstein")
    np.testing.assert_allclose(critic.surface[0], (columns - columns[0]) / (columns[-1] - columns[0]), atol=1e-6)
    assert not critic.half


def test_samples_are_pulled_along_the_gradient_of_their_own_cost():
    seen, samples = seen_by(Slope())
    starts, ways = seen.pulls
    np.testing.assert_array_equal(starts, samples)
    d = 1 / (1 + np.exp(-(3 * samples[:, 0].numpy() + 1)))
    np.testing.assert_allclose(ways[:, 0], 3 * (1 - d) / 2, rtol=1e-5)  # of −½ log D
    np.testing.assert_array_equal(ways[:, 1], 0)
    for loss in (NonSaturating, Relativistic):
        assert loss.generator_sees_real == (loss is Relativistic)
    relative, _ = seen_by(Slope(), "loss=relativistic")
    assert (relative.pulls[1][:, 0] > 0).all()


def test_what_depends_on_the_minibatch_has_no_surface():
    for seen, _ in (seen_by(Minibatch()), seen_by(Slope(), "pack=2")):
        assert seen.surface is None
        assert seen.pulls is None
        assert len(seen.lines) == 22
    assert seen_by(Slope(), samples=torch.zeros(3, 4))[0] is None
    assert len(seen_by(Slope(), "prior.size=1")[0].lines) == 1


def test_the_latent_grid_is_bent_by_the_generator():
    setup = setup_of(*TINY_POINTS, "ema_half_life=0", "prior=uniform", "prior.scale=2")
    for network in setup.game.networks.values():
        network.eval()
    samples = setup.sampler.sample(5)
    first, *_, last = landscape(setup.game, setup.sampler, samples, samples, LOW, HIGH).lines
    z = torch.stack([torch.linspace(-1.92, 1.92, 41), torch.full((41,), -1.92)], dim=1)  # 2 to 98 % of [−2, 2]
    with torch.no_grad():
        np.testing.assert_allclose(first, setup.game.generator(z, None), atol=0.05)
        np.testing.assert_allclose(last, setup.game.generator(torch.stack([-z[:, 1], z[:, 0]], dim=1), None), atol=0.05)


@pytest.mark.parametrize(
    "keys", [(), ("architecture.discriminator.dropout=0.5", "loss=feature_matching"), ("model=vae",)]
)
def test_looking_changes_nothing(keys):
    setup = setup_of(*TINY_POINTS, *keys)
    before = {f"{n} {k}": v.clone() for n, net in setup.game.networks.items() for k, v in net.state_dict().items()}
    modes = [module.training for net in setup.game.networks.values() for module in net.modules()]
    drawn, samples = torch.get_rng_state(), setup.sampler.sample(20)
    assert landscape(setup.game, setup.sampler, samples, samples, LOW, HIGH) is not None
    assert torch.equal(torch.get_rng_state(), drawn)
    assert [module.training for net in setup.game.networks.values() for module in net.modules()] == modes
    for name, network in setup.game.networks.items():
        assert all(parameter.grad is None for parameter in network.parameters())
        for key, value in network.state_dict().items():
            assert torch.equal(value, before[f"{name} {key}"])


def test_the_picture_has_a_line_at_one_half():
    rng = np.random.default_rng(0)
    real = rng.uniform(-1, 1, (4000, 2)).astype(np.float32)
    columns = np.linspace(-1.3, 1.3, CELLS, endpoint=False) + 1.3 / CELLS
    surface = np.tile(1 / (1 + np.exp(-4 * (columns - 0.5))), (CELLS, 1))
    line = np.array([[-9.0, 0.0], [9.0, 0.0]])
    image = np.asarray(plane(real[:0], real[:100], Landscape(surface, True, [line], None)))
    (places,) = np.nonzero((image[300] == HALF).all(axis=1))
    assert len(places)
    assert abs(places.mean() / 511 - (0.5 + 1.3) / 2.6) < 0.02
    assert (image[300, 500] < PAPER).all()
    assert image[300, 505, 2] > image[300, 505, 0]  # blue as data where D takes it for data
    assert image[300, 5, 0] > image[300, 5, 2]
    assert {DATA} <= {tuple(colour) for colour in image.reshape(-1, 3)}
    assert SAMPLES not in {tuple(colour) for colour in image.reshape(-1, 3)}
