"""Flows against what can be computed otherwise: autograd's Jacobian, the inverse, integrals over the plane, SciPy."""

from __future__ import annotations

import math

import pytest
import scipy.stats
import torch
import zuko.flows
from conftest import setup_of
from torch.autograd.functional import jacobian

from gan_cli.games.flows import FlowGame
from gan_cli.games.sampler import Sampler
from gan_cli.models.flows import LogisticBase, NormalBase, Space
from gan_cli.models.units import levels, unit_interval
from gan_cli.models.zuko_flows import FARTHEST, Autoregressive

POINTS = ("dataset=mixture", "dataset.points=100", "dataset.means=[[0,0,0]]")
PICTURES = ("dataset.size=4", "dataset.limit=64", "conditional=true")
FLOWS = {
    "nice": ("model=nice", "model.hidden=[9]"),
    "nice-normal": ("model=nice", "model.hidden=[9,8]", "model.base=normal", "model.space=logit"),
    "realnvp": ("model=realnvp", "model.hidden=[8]", "model.width=6", "model.couplings=3"),
    "realnvp-flat": ("model=realnvp", "model.network=mlp", "model.hidden=[9]", "model.space=unit", "model.margin=0.05"),
    "maf": ("model=maf", "model.hidden=[9]", "model.layers=2"),
    "spline_flow": ("model=spline_flow", "model.hidden=[9]", "model.bins=4", "model.layers=2", "model.order=random"),
    "spline_flow-full": ("model=spline_flow", "model.hidden=[9]", "model.bins=4", "model.layers=2", "model.passes=0"),
}


def untrained(*keys: str, far: float = 0.2) -> FlowGame:
    """A flow in float64, with weights that are so far from the identity."""
    game = setup_of(*keys, "deterministic=true").game
    assert isinstance(game, FlowGame)
    flow = game.flow.double()
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in flow.named_parameters():
            weight += (0.02 if "scale" in name or "shift" in name else far) * torch.randn_like(weight)
    return game


def some(game: FlowGame, n: int) -> tuple[torch.Tensor, torch.Tensor | None]:
    shape = game.flow.space.shape
    x = torch.randn(n, *shape) if len(shape) == 1 else torch.rand(n, *shape) * 1.98 - 0.99
    return x.double(), torch.arange(n) % 10 if len(shape) == 3 else None


@pytest.mark.parametrize("data", [POINTS, PICTURES], ids=["points", "pictures"])
@pytest.mark.parametrize("flow", FLOWS)
def test_the_log_determinant_is_that_of_the_jacobian_and_the_inverse_is_exact(flow, data):
    if data is POINTS and flow == "realnvp-flat":
        pytest.skip("points are always flat")
    game = untrained(*FLOWS[flow], *data)
    x, labels = some(game, 3)
    y, log_det = game.flow.g(x, labels)
    base = scipy.stats.logistic if flow == "nice" else scipy.stats.norm
    density = base.logpdf(y.detach()).sum(axis=1)
    for i in range(3):
        one = x[i : i + 1]
        label = None if labels is None else labels[i : i + 1]
        matrix = jacobian(lambda one, label=label: game.flow.g(one, label)[0][0], one).reshape(y.shape[1], -1)
        told = torch.linalg.slogdet(matrix).logabsdet
        told += 0.0 if data is POINTS else -math.log(0.5) * y.shape[1]  # of x in [−1, 1], where y is of [0, 1]
        assert log_det[i].item() == pytest.approx(told.item(), abs=1e-9)
        assert game.log_p(one, label).item() == pytest.approx(density[i] + told.item(), abs=1e-8)
    if not flow.startswith("nice"):
        assert log_det.std() > 1e-3
    space, leave = game.flow.space, Space.leave
    back = {}
    with pytest.MonkeyPatch.context() as patch:  # what comes before levels are rounded
        patch.setattr(Space, "leave", lambda self, s: back.setdefault("s", s))
        game.flow(y, labels)
    torch.testing.assert_close(back["s"], space.enter(x)[0], atol=1e-8, rtol=0)
    if data is PICTURES:
        assert torch.equal(levels(leave(space, back["s"])), levels(x))
    single = game.flow.float()
    drawn = single(single.g(x.float(), labels)[0], labels)
    if data is POINTS:
        torch.testing.assert_close(drawn, x.float(), atol=1e-5, rtol=0)
    else:
        assert torch.equal(levels(drawn), levels(x))


@pytest.mark.parametrize("flow", ["nice", "realnvp", "maf", "spline_flow"])
def test_a_density_integrates_to_1(flow):
    game = untrained(*FLOWS[flow], "dataset=ring", "dataset.points=100", far=0.05)
    side = torch.linspace(-20, 20, 401, dtype=torch.float64)
    with torch.no_grad():
        mass = game.log_p(torch.cartesian_prod(side, side), None).exp().sum() * (side[1] - side[0]) ** 2
    assert mass.item() == pytest.approx(1, abs=3e-3)


def test_the_density_of_pictures_integrates_to_1_over_the_unit_cube_in_logit_space_alone():
    """Of one pixel: logit space is of (0, 1) alone, and its Jacobian is counted once."""
    from gan_cli.models.flows import Affine, Flow

    flow = Flow(Space((1, 1, 1), 1e-6), [Affine(1, 0.5)], NormalBase(size=1, scale=1.0)).double()
    y = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    mass = flow.log_p((2 * y - 1).view(-1, 1, 1, 1)).exp().mean()
    assert mass.item() == pytest.approx(1, abs=1e-3)


def test_logit_space_is_told_beside_the_unit_interval(monkeypatch):
    game = untrained(*FLOWS["realnvp"], *PICTURES)
    x, labels = some(game, 300)
    found = game.log_likelihood(x, labels)
    y = unit_interval(x).flatten(1)
    inner = 1e-6 + (1 - 2e-6) * y
    slope = ((1 - 2e-6) / (inner * (1 - inner))).log().sum(dim=1)
    torch.testing.assert_close(found.in_logit_space, found.nats - slope)
    assert found.kind == "exact"
    assert untrained(*FLOWS["nice"], *PICTURES).log_likelihood(x, labels).in_logit_space is None
    setup, fetched = setup_of(*FLOWS["realnvp"], *PICTURES), []
    s = setup.sampler
    sampler = Sampler(s.network, s.prior, s.config, s.classes, s.device, game=setup.game)
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: fetched.append(tensor) or tensor)
    found = sampler.likelihood(x.float(), labels)
    assert {id(found.nats), id(found.in_logit_space)} <= set(map(id, fetched))  # neither stays on a GPU
    points = untrained(*FLOWS["realnvp"], *POINTS)
    assert points.log_likelihood(*some(points, 3)).in_logit_space is None


def test_a_number_that_overflows_spoils_none_of_those_before_it():
    torch.manual_seed(0)
    flow = Autoregressive(zuko.flows.MAF, 64, 0, 1, [32], None, False, None)
    y = torch.randn(10, 64)
    before = flow.inverse(y, None)
    assert torch.equal(before, flow.transform(None).inv(y))
    with torch.no_grad():
        flow.transform.transforms[0].hyper[-1].bias[2 * 60 : 2 * 61] = torch.tensor([3e38, -20.0])  # shift and scale
    assert flow.transform(None).inv(y).isnan().any(dim=1).all()
    after = flow.inverse(y, None)
    assert torch.equal(after[:, :60], before[:, :60])
    assert (after[:, 60] == -FARTHEST).all()
    assert after.isfinite().all()


def test_draws_from_the_logistic_base_are_logistic_and_finite():
    drawn = LogisticBase(size=50, scale=1.0).sample(400, generator=torch.Generator().manual_seed(0))
    assert scipy.stats.kstest(drawn.flatten().numpy(), "logistic").pvalue > 0.01
    y = drawn[:4].double()
    found = LogisticBase(size=50, scale=1.0).log_density(y)
    assert found.tolist() == pytest.approx(scipy.stats.logistic.logpdf(y).sum(axis=1).tolist())

    class Zeros(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            made = function(*args, **(kwargs or {}))
            return torch.zeros_like(made) if function is torch.rand else made

    with Zeros():
        assert LogisticBase(size=3, scale=1.0).sample(2).isfinite().all()


def test_what_stays_in_a_coupling_stays_and_every_number_moves_in_two():
    from gan_cli.models.couplings import AffineCoupling, Perceptron, Scale, alternating

    torch.manual_seed(0)
    x = torch.randn(2, 7)
    for split in alternating(7, 2):
        layer = AffineCoupling(split, lambda inputs, outputs: Perceptron(inputs, outputs, 0, [5]))
        torch.nn.init.normal_(layer.network.out.weight)
        moved = (layer(x, None)[0] != x).all(dim=0)
        assert moved.tolist() == [not one for one in split]
    assert torch.equal(layer(x, None)[0].isfinite(), torch.ones(2, 7, dtype=torch.bool))
    scale = Scale((1, 4, 4), 1, 4, lambda inputs, outputs: torch.nn.Identity())
    squares = [layer.get_buffer("a").tolist() for layer in scale.couplings]
    assert squares == [[0, 3], [1, 2], [0, 1], [2, 3]]  # of a block ┌0 1┐ └2 3┘: a checkerboard, then rows
