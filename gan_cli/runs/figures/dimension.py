"""A flow keeps the dimension of the data; a generator with fewer latents covers a curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gan_cli.data.samples import as_input
from gan_cli.errors import UserError
from gan_cli.output.pictures import DATA, SAMPLES, hexadecimal
from gan_cli.runs.figures import Figure
from gan_cli.runs.records import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from gan_cli.training.setup import Setup

POINTS = 2000


class Dimension(Figure):
    """Samples in the plane over the data, and the dimension of both by their nearest neighbours."""

    size = (5.2, 5.2)

    def __init__(self, setup: Setup) -> None:
        if setup.samples.shape != (2,):
            raise UserError("figure=dimension: is about points in the plane: use dataset=ring, grid or swiss_roll")
        super().__init__(setup)

    def draw(self, records: list[Record], canvas: Canvas) -> dict[str, object]:
        sampler = self.setup.sampler
        samples = sampler.sample(POINTS, seed=1).numpy().astype(np.float64)
        data = as_input(self.setup.samples.values[:POINTS]).numpy().astype(np.float64)
        found = {"data": dimension_of(data), "samples": dimension_of(samples)}

        axes = canvas.subplots()
        axes.scatter(
            data[:, 0],
            data[:, 1],
            s=3,
            color=hexadecimal(DATA),
            alpha=0.6,
            label=f"data, {found['data']:.2f} dimensions",
        )
        label = f"samples, {found['samples']:.2f} dimensions"
        axes.scatter(samples[:, 0], samples[:, 1], s=3, color=hexadecimal(SAMPLES), label=label)
        model, size = self.setup.config.model.name, sampler.prior.size
        low, high = data.min(axis=0), data.max(axis=0)
        axes.set(aspect="equal", xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        axes.set(title=f"model={model}, latents of {size} number{'s' * (size > 1)}")
        axes.legend(frameon=False, loc="upper right")
        return {"model": model, "latent_size": size, "data_size": 2, "dimension": found}


def dimension_of(points: np.ndarray) -> float:
    """The dimension of points (n, d) by the ratios of their second to their first nearest neighbour's distance.

    Where the density is locally even they are Pareto distributed, and n / Σ log(r₂/r₁) is the exponent's maximum
    likelihood (Facco et al. 2017).
    """
    squares = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    first, second = np.sqrt(np.partition(squares, 1, axis=1)[:, :2]).T
    apart = first > 0
    return float(apart.sum() / np.log(second[apart] / first[apart]).sum())
