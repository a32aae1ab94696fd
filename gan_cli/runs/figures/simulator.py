"""The future given a sequence of actions: a learned simulator applied to its own outputs, beside the true one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch

from gan_cli.data.pendulum import Pendulum
from gan_cli.errors import UserError
from gan_cli.output.pictures import DATA, SAMPLES, hexadecimal
from gan_cli.random import stream
from gan_cli.runs.figures import Figure
from gan_cli.runs.figures.vae_gan import last
from gan_cli.runs.records import Record, step_in

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from gan_cli.training.setup import Setup

STEPS, FUTURES, SHOWN = 50, 2_000, 12
FREE, TURN, STRENGTH = 10, 20, 0.75  # steps without torque; then a wave of so many, with this share of the largest
Ahead = Callable[[np.ndarray], np.ndarray]  # labels (N, 4) → rates (N, 2)
UNITS = {"angle": "rad", "velocity": "rad/s"}
COLOURS = {"true": hexadecimal(DATA), "imagined": hexadecimal(SAMPLES)}
DIVERGENCES = ("jsd", "jsd_floor", "kl", "kl_floor")


class Simulator(Figure):
    """Imagined roll-outs of ``STEPS`` steps beside true ones, from the upright at rest under the same torques.

    No torque at first, while noise decides to which side the pendulum falls, then a wave. ``spread`` are the deviations
    of ``FUTURES`` futures after the last step, ``worst_spread`` the largest share by which imagined ones spread
    otherwise after any step, and ``ks`` Kolmogorov–Smirnov distances of the last states. One step shows the largest
    torque where it hangs at rest, with the motor that holds or slips. Divergences are those of
    metrics=conditional_divergence at the end, None where it was not measured.
    """

    size = (15, 6.4)

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        if not isinstance(setup.dataset, Pendulum) or setup.sampler.conditions is None:
            raise UserError("figure=simulator: is about what follows from states and torques: use dataset=pendulum")
        self.pendulum = setup.dataset

    def draw(self, records: list[Record], canvas: Canvas) -> dict[str, object]:
        models = {"true": self.true(), "imagined": self.imagined()}
        states = {name: roll_out(self.pendulum, ahead) for name, ahead in models.items()}
        axes = canvas.subplots(2, 4)
        for row, (name, unit) in enumerate(UNITS.items()):
            low = min(s[:, :SHOWN, row].min() for s in states.values())
            high = max(s[:, :SHOWN, row].max() for s in states.values())
            for column, (kind, of_kind) in enumerate(states.items()):
                axes[row, column].plot(of_kind[:, :SHOWN, row], color=COLOURS[kind], lw=0.9)
                axes[row, column].set(ylabel=f"{name}, {unit}", ylim=(low, high), xlabel="step")
                axes[row, 2].plot(of_kind[:, :, row].std(axis=1), color=COLOURS[kind], label=kind)
            axes[row, 2].set(ylabel=f"deviation of the {name}, {unit}", xlabel="step")
        axes[0, 0].set(title=f"{SHOWN} true futures")
        axes[0, 1].set(title=f"{SHOWN} imagined futures")
        axes[0, 2].set(title=f"spread of {FUTURES:,} futures")
        axes[0, 2].legend(frameon=False)
        self._one_step(axes[0, 3], models)
        _learnt(axes[1, 3], records)
        found = {key: last(records, f"metric/conditional_{key}") for key in DIVERGENCES} | compared(states)
        canvas.suptitle(self.told(found))
        return {"model": self.setup.config.model.name, **found}

    def told(self, numbers: Mapping[str, object]) -> str:
        jsd, floor, spread = numbers["jsd"], numbers["jsd_floor"], numbers["spread"]
        assert isinstance(spread, dict)
        parts = [f"JSD {jsd:.4f} nats (of true samples {floor:.4f})"] if jsd is not None and floor is not None else []
        for name, unit in UNITS.items():
            true, imagined = spread[name]["true"], spread[name]["imagined"]
            parts.append(f"spread of the {name} after {STEPS} steps {imagined:.2f} {unit} (of true futures {true:.2f})")
        return ", ".join(parts)

    def true(self) -> Ahead:
        """Draws from the known density."""
        generator = np.random.default_rng(0)
        return lambda labels: self.pendulum.given(labels, generator)

    def imagined(self) -> Ahead:
        """Draws from the model."""
        sampler, generator = self.setup.sampler, stream(0, "figure")

        def ahead(labels: np.ndarray) -> np.ndarray:
            z = sampler.prior.sample(len(labels), "cpu", generator)
            return sampler.decode(z, torch.from_numpy(labels), batch_size=len(labels)).numpy().astype(np.float64)

        return ahead

    def _one_step(self, axes: Axes, models: Mapping[str, Ahead]) -> None:
        """Accelerations under the largest torque, where it hangs at rest."""
        label = self.pendulum.labels_of(np.zeros((1, 2)), np.array([self.pendulum.torque]))
        labels = np.repeat(label, 10 * FUTURES, axis=0)
        drawn = {kind: ahead(labels)[:, 1] for kind, ahead in models.items()}
        low, high = np.quantile(drawn["true"], [0.001, 0.999])
        bins = np.linspace(low - 1, high + 1, 61).tolist()
        axes.hist(drawn["true"], bins=bins, density=True, color=COLOURS["true"], alpha=0.45)
        axes.hist(drawn["imagined"], bins=bins, density=True, color=COLOURS["imagined"], histtype="step")
        axes.set(xlabel="acceleration, rad/s²", ylabel="density", title="one step: the motor holds, or slips")


def _learnt(axes: Axes, records: list[Record]) -> None:
    """The divergence over the steps, as far as it was measured."""
    for key, style in (("jsd", "-o"), ("jsd_floor", ":")):
        lines = [(step_in(r), value) for r in records if (value := r.get(f"metric/conditional_{key}")) is not None]
        colour = COLOURS["imagined" if key == "jsd" else "true"]
        axes.plot([step for step, _ in lines], [value for _, value in lines], style, ms=3, color=colour)
    axes.set(xlabel="step of training", ylabel="JSD at unseen conditions, nats", yscale="log")


def wave(largest: float) -> np.ndarray:
    """The torques of the figure, (STEPS,)."""
    step = np.arange(STEPS)
    return np.where(step < FREE, 0.0, STRENGTH * largest * np.sin(2 * np.pi * (step - FREE) / TURN))


def roll_out(pendulum: Pendulum, ahead: Ahead) -> np.ndarray:
    """States (STEPS + 1, FUTURES, 2) from the upright at rest, each step from the outcome of the last."""
    states = [np.tile([np.pi, 0.0], (FUTURES, 1))]
    for torque in wave(pendulum.torque):
        labels = pendulum.labels_of(states[-1], np.full(FUTURES, torque))
        states.append(pendulum.after(states[-1], ahead(labels)))
    return np.stack(states)


def compared(states: Mapping[str, np.ndarray]) -> dict[str, object]:
    """The numbers of the roll-outs, each (STEPS + 1, FUTURES, 2): ``true`` and ``imagined``."""
    spreads = {kind: of_kind.std(axis=1) for kind, of_kind in states.items()}  # (STEPS + 1, 2)
    ratios = spreads["imagined"][1:] / spreads["true"][1:]
    found: dict[str, object] = {
        "spread": {name: {kind: float(s[-1, i]) for kind, s in spreads.items()} for i, name in enumerate(UNITS)},
        "worst_spread": {name: float(np.abs(ratios[:, i] - 1).max()) for i, name in enumerate(UNITS)},
    }
    ends = {kind: np.sort(of_kind[-1], axis=0) for kind, of_kind in states.items()}  # (FUTURES, 2)
    found["ks"] = {name: apart(ends["true"][:, i], ends["imagined"][:, i]) for i, name in enumerate(UNITS)}
    return found


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference of two distribution functions, of sorted samples (n,) and (m,)."""
    every = np.concatenate([one, other])
    below = [np.searchsorted(values, every, side="right") / len(values) for values in (one, other)]
    return float(np.abs(below[0] - below[1]).max())
