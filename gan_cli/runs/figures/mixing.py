"""A Boltzmann machine's chain crosses from mode to mode ever more rarely as they part, and estimates of log Z drift."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from gan_cli.errors import UserError
from gan_cli.games.boltzmann import RBMGame
from gan_cli.models.annealing import annealed, exact_log_z, reversed_annealed, states
from gan_cli.models.rbm import GaussianRBM
from gan_cli.output.pictures import DATA, SAMPLES, hexadecimal
from gan_cli.random import seed_all
from gan_cli.runs.figures import Figure
from gan_cli.runs.figures.kl_vs_js import IsMixture
from gan_cli.runs.records import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from gan_cli.training.setup import Setup

UNITS = 8  # hidden ones, of which all states are enumerated
CHAINS, TEMPERATURES, POINTS = 100, (10, 100), 4001
ANNEALED = {f"ais_{n}": f"{n} temperatures" for n in TEMPERATURES}
KEYS = ("separation", "relaxation", "log_z", *ANNEALED, "reverse", "share", "particles")


class Mixing(Figure):
    """What has become of a machine with Gaussian units on a line, at every line of the log.

    - ``separation``: of the data's outermost modes, in deviations of the machine's Gaussians;
    - ``relaxation``: Gibbs steps in which its chain forgets where it began, 1/(1 − λ₂) by the second eigenvalue of the
      exact transitions between hidden states;
    - ``log_z`` by enumeration; ``ais_10`` and ``ais_100`` by annealing over as many temperatures, and ``reverse`` back
      from the data;
    - ``share``: of the machine's mass above the middle, and ``particles``: of its persistent chains.
    """

    size = (15, 4.2)

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        game, data = setup.game, setup.dataset
        if not isinstance(game, RBMGame) or not isinstance(game.rbm, GaussianRBM) or game.rbm.c.numel() > UNITS:
            raise UserError(
                f"figure=mixing: enumerates a small machine: use model=rbm model.visible=gaussian model.hidden={UNITS} "
                "or fewer"
            )
        if setup.samples.shape != (1,) or not isinstance(data, IsMixture) or len(data.centres) < 2:
            raise UserError("figure=mixing: is about two modes or more on a line: use dataset=mixture")
        self.game, self.machine, self.centres = game, game.rbm, np.sort(data.centres[:, 0])
        self.middle = float(self.centres[:: len(self.centres) - 1].mean())
        self.real = torch.from_numpy(setup.samples.values[:CHAINS]).to(setup.device)
        self.share_of_data = float((setup.samples.values > self.middle).mean())

    @torch.no_grad()
    def measure(self, images: int) -> dict[str, float]:
        machine = self.machine
        found = {
            "separation": float(self.centres[-1] - self.centres[0]) / float(machine.precision.rsqrt()),
            "log_z": float(exact_log_z(machine) or 0.0),
            **self.chain(),
        }
        with torch.random.fork_rng(devices=[]):
            seed_all(images, "figure", device=torch.device("cpu"))
            for n in TEMPERATURES:
                found[f"ais_{n}"] = annealed(machine, CHAINS, n).value
            found["reverse"] = reversed_annealed(machine, machine.state(self.real), TEMPERATURES[-1]).value
        return {f"mixing/{key}": found[key] for key in KEYS if key in found}

    def chain(self) -> dict[str, float]:
        """Exact facts about the Gibbs chain, from hidden states to hidden states and back through x by quadrature."""
        machine = self.machine
        h = next(states(machine.c.numel(), machine.weight)).double()
        parts = (machine.b, machine.c, machine.weight, machine.mu, machine.lambda_)
        b, c, weight, mu, lambda_ = (part.double() for part in parts)
        precision = machine.precision.double()
        mean, deviation = (b + (h - lambda_) @ weight.T)[:, 0].cpu().numpy(), float(precision.rsqrt())
        x = np.linspace(mean.min() - 8 * deviation, mean.max() + 8 * deviation, POINTS)
        given_h = np.exp(-(((x - mean[:, None]) / deviation) ** 2) / 2)  # (2^H, points)
        given_h /= given_h.sum(axis=1, keepdims=True)
        inputs = c.cpu().numpy() + (x[:, None] - float(mu)) * float(precision) * weight[0].cpu().numpy()
        on, bits = torch.from_numpy(inputs).sigmoid().numpy(), h.cpu().numpy().astype(bool)
        given_x = np.prod(np.where(bits[:, None], on, 1 - on), axis=2)  # (2^H, points)
        transitions = given_h @ given_x.T
        values, vectors = np.linalg.eig(transitions.T)
        order = np.argsort(-values.real)
        stationary = np.abs(vectors[:, order[0]].real)
        second = float(values.real[order[1]]) if len(order) > 1 else 0.0
        share = float((stationary / stationary.sum()) @ given_h[:, x > self.middle].sum(axis=1))
        found = {"relaxation": 1 / max(1 - second, 1e-12), "share": share}
        if self.game.particles is not None:
            found["particles"] = float((self.game.particles > self.middle).float().mean())
        return found

    def draw(self, records: list[Record], canvas: Canvas) -> dict[str, object]:
        records = [record for record in records if record.get("mixing/separation") is not None]
        numbers = {key: [r[f"mixing/{key}"] for r in records] for key in KEYS if f"mixing/{key}" in records[0]}
        steps, exact = [record["step"] for record in records], np.array(numbers["log_z"])
        mixing, drift, mass = canvas.subplots(1, 3)
        apart = numbers["separation"]
        mixing.scatter(apart, numbers["relaxation"], s=12, color=hexadecimal(SAMPLES))
        mixing.set(yscale="log", ylabel="Gibbs steps until the chain forgets", title="exact, by enumeration")
        drift.axhline(0, color="0.15", lw=1, label="exact, by enumeration")
        for key, colour in (*zip(ANNEALED, ("#c8a028", "#2860c8"), strict=True), ("reverse", "#7a3fa8")):
            label = ANNEALED.get(key, f"{TEMPERATURES[-1]} temperatures, back from the data")
            drift.scatter(apart, np.array(numbers[key]) - exact, s=12, color=colour, label=label)
        drift.set(ylabel="estimate less log Z, nats", title="annealed importance sampling")
        for axes in (mixing, drift):
            axes.set_xlabel("distance of the modes, in deviations of the model")
        mass.axhline(self.share_of_data, color=hexadecimal(DATA), label="data")
        mass.plot(steps, numbers["share"], color=hexadecimal(SAMPLES), label="model, exact")
        if "particles" in numbers:
            mass.plot(steps, numbers["particles"], color="0.5", ls=":", label="its persistent chains")
        mass.set(xlabel="step", ylabel="mass above the middle", ylim=(0, 1), title="what the chains know of the modes")
        for axes in (drift, mass):
            axes.legend(loc="lower left")
        return {"step": steps, **numbers, "share_of_data": self.share_of_data}
