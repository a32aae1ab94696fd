"""The best fit of a generator that cannot fit the data: all modes under maximum likelihood, one under the JSD."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from gan_cli.data.knows import KnowsDensity, KnowsModes
from gan_cli.errors import UserError
from gan_cli.output.pictures import DATA, SAMPLES, hexadecimal
from gan_cli.runs.figures import Figure, adversarial
from gan_cli.runs.records import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from gan_cli.training.setup import Setup

POINTS = 20_000


@runtime_checkable
class IsMixture(KnowsDensity, KnowsModes, Protocol):
    """A mixture of Gaussians with the same standard deviation."""

    @property
    def centres(self) -> np.ndarray:
        """float64 (modes, d)."""
        ...

    @property
    def sigma(self) -> float:
        """The standard deviation of each Gaussian."""
        ...


class KLvsJS(Figure):
    """Samples of a one-dimensional run over the data's density and the two best Gaussians.

    The best Gaussian by KL(data‖model) has the data's moments; the best by the Jensen–Shannon divergence is found on a
    grid of means and deviations, by quadrature.
    """

    size = (7.5, 4.2)

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.game = adversarial(setup)
        if setup.samples.shape != (1,) or not isinstance(setup.dataset, IsMixture):
            raise UserError("figure=kl_vs_js: is about one-dimensional mixtures: use dataset=mixture")
        self.mixture: IsMixture = setup.dataset

    def draw(self, records: list[Record], canvas: Canvas) -> dict[str, object]:
        data, loss = self.mixture, self.setup.config.loss.name
        samples = self.setup.sampler.sample(POINTS, seed=1).numpy()[:, 0].astype(np.float64)
        centre = float(data.shares @ data.centres[:, 0])
        spread = float(np.sqrt(data.shares @ (data.centres[:, 0] - centre) ** 2 + data.sigma**2))
        x = np.linspace(centre - 5 * spread, centre + 5 * spread, 4001)
        p = np.exp(data.log_density(x[:, None]))
        by_kl = (centre, spread)
        by_js = best_by_js(x, p)
        fitted = (float(samples.mean()), float(samples.std()))

        axes = canvas.subplots()
        axes.fill_between(x, p, color=hexadecimal(DATA), alpha=0.45, label="data")
        bins = np.linspace(x[0], x[-1], 161).tolist()
        axes.hist(samples, bins=bins, density=True, color=hexadecimal(SAMPLES), alpha=0.6, label="samples")
        axes.plot(x, normal(x, *by_kl), color="#3c9646", label="best Gaussian by KL(data‖model)")
        axes.plot(x, normal(x, *by_js), color="0.15", label="best Gaussian by JSD")
        top = 1.1 * max(p.max(), normal(x, *by_js).max())
        axes.set(xlabel="x", ylabel="density", ylim=(0, top), title=f"a Gaussian generator trained by {loss}")
        axes.legend(frameon=False)

        nearest = np.abs(samples[:, None] - data.centres[:, 0]).argmin(axis=1)
        return {
            "loss": loss,
            "mean": fitted[0],
            "deviation": fitted[1],
            "share_of_each_mode": (np.bincount(nearest, minlength=len(data.centres)) / POINTS).tolist(),
            "kl": kl_on_grid(x, p, normal(x, *fitted)),
            "jsd": jsd_on_grid(x, p, normal(x, *fitted)),
            "best_by_kl": {"mean": by_kl[0], "deviation": by_kl[1], "kl": kl_on_grid(x, p, normal(x, *by_kl))},
            "best_by_jsd": {"mean": by_js[0], "deviation": by_js[1], "jsd": jsd_on_grid(x, p, normal(x, *by_js))},
        }


def normal(x: np.ndarray, mean: float, deviation: float) -> np.ndarray:
    return np.exp(-(((x - mean) / deviation) ** 2) / 2) / (deviation * np.sqrt(2 * np.pi))


def kl_on_grid(x: np.ndarray, p: np.ndarray, q: np.ndarray) -> float:
    """KL(p‖q) in nats, for densities at the points x of an even grid; all (N,)."""
    tiny = np.finfo(np.float64).tiny
    return float(np.sum(p * (np.log(np.maximum(p, tiny)) - np.log(np.maximum(q, tiny)))) * (x[1] - x[0]))


def jsd_on_grid(x: np.ndarray, p: np.ndarray, q: np.ndarray) -> float:
    """The Jensen–Shannon divergence in nats, for densities at the points x of an even grid; all (N,)."""
    return (kl_on_grid(x, p, (p + q) / 2) + kl_on_grid(x, q, (p + q) / 2)) / 2


def best_by_js(x: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """Mean and deviation of the Gaussian nearest to ``p`` by the JSD: the best of a grid, then of finer ones."""
    mass = p * (x[1] - x[0])
    mean, deviation = float((mass * x).sum()), float(np.sqrt((mass * x**2).sum() - (mass * x).sum() ** 2))
    wide, ratio = 1.5 * deviation, 30.0
    for _ in range(4):
        means = mean + wide * np.linspace(-1, 1, 41)
        deviations = deviation * ratio ** np.linspace(-1, 1, 41)
        candidates = [(float(m), float(s)) for m in means for s in deviations]
        mean, deviation = min(candidates, key=lambda at: jsd_on_grid(x, p, normal(x, *at)))
        wide, ratio = wide / 10, ratio**0.1
    return mean, deviation
