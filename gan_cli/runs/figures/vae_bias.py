"""Asymptotic consistency: what is left between model and data however much data there is, of a VAE and of a game."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gan_cli.data.knows import Redraws, with_options
from gan_cli.errors import UserError
from gan_cli.metrics.densities import cell_counts, jsd_of_counts
from gan_cli.models.observations import Scaled
from gan_cli.models.vae import VAE
from gan_cli.output.pictures import DATA, SAMPLES, hexadecimal
from gan_cli.random import stream
from gan_cli.runs.figures import Figure
from gan_cli.runs.records import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from gan_cli.training.setup import Setup

POINTS, DRAWS, CELLS, SHOWN = 10_000, 100_000, 100, 2_000


class VAEBias(Figure):
    """The Jensen–Shannon divergence of a run in the plane to its density, as it learns, beside its last samples.

    It is taken over cells of equal mass, as ``metrics=divergence`` takes it; ``floor`` is that of as many draws from
    the density itself. Samples of a VAE are of its whole density: its decoder's noise is added to the mean, which
    metrics judge without it.
    """

    size = (10, 4.2)

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        if setup.samples.shape != (2,) or not isinstance(setup.dataset, Redraws):
            raise UserError("figure=vae_bias: is about densities in the plane: use dataset=mixture, ring or grid")
        data, generator = setup.dataset, stream(0, "figure")
        self.latents = setup.sampler.prior.sample(POINTS, "cpu", generator)
        self.noise = torch.randn(POINTS, 2, generator=generator)
        self.density = with_options(data, points=DRAWS, seed=data.seed + 1).load().values
        fresh = with_options(data, points=POINTS, seed=data.seed + 2).load().values
        self.floor = jsd_of_counts(*cell_counts([self.density, fresh], CELLS))

    @torch.no_grad()
    def points(self) -> torch.Tensor:
        """Samples of the model, (POINTS, 2): the same latents and noise every time."""
        sampler, network = self.setup.sampler, self.setup.sampler.network
        x = sampler.decode(self.latents, batch_size=POINTS)
        if isinstance(network, VAE) and isinstance(network.decoder.observation, Scaled):
            x = x + network.decoder.observation.log_scale.exp().cpu() * self.noise
        return x

    def measure(self, images: int) -> dict[str, float]:
        return {"vae_bias/jsd": jsd_of_counts(*cell_counts([self.density, self.points().numpy()], CELLS))}

    def draw(self, records: list[Record], canvas: Canvas) -> dict[str, object]:
        lines = [(r["step"], value) for r in records if (value := r.get("vae_bias/jsd")) is not None]
        steps, values = [step for step, _ in lines], [value for _, value in lines]
        model, count = self.setup.config.model.name, len(self.setup.samples)
        curve, plane = canvas.subplots(1, 2)
        curve.semilogy(steps, values, color=hexadecimal(SAMPLES), label=f"{model}, {count:,} points")
        curve.axhline(self.floor, color="0.6", ls=":", label=f"{POINTS:,} draws of the density itself")
        curve.set(xlabel="step", ylabel="Jensen–Shannon divergence, nats", ylim=(self.floor / 2, 1))
        curve.legend(frameon=False)
        for points, colour, label in ((self.density, DATA, "data"), (self.points().numpy(), SAMPLES, "samples")):
            plane.scatter(*points[:SHOWN].T, s=3, color=hexadecimal(colour), alpha=0.4, lw=0, label=label)
        plane.set(aspect="equal", title=f"model={model}")
        plane.legend(frameon=False, markerscale=4)
        return {"model": model, "points": count, "step": steps, "jsd": values, "floor": self.floor}
