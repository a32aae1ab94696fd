"""A pendulum with friction and a motor that slips: what comes next, given the state and an action, with its density."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from gan_cli.data.conditions import Condition
from gan_cli.data.densities import Density
from gan_cli.data.samples import Samples


@dataclass(frozen=True, kw_only=True)
class Pendulum(Density):
    """Transitions (state, action) → change of the state in ``interval`` seconds, of states and actions all over.

    The state is the angle (rad, 0 where it hangs) and the angular velocity (rad/s); the action is the torque, as the
    acceleration that it gives (rad/s²). With the probability ``slip`` the motor slips, and there is no torque:

        velocity′ = velocity + interval · (−gravity · sin angle − damping · velocity + torque or 0)
        angle′ = angle + interval · velocity′

    and both get Gaussian noise. So p(s′ | s, a) is a mixture of two Gaussians, ``interval · torque`` apart in the
    velocity, and a model of the mean alone would miss it.

    Neither the condition nor the sample has a jump where the angle comes round to −π: the angle is given as its sine
    and cosine, and the sample is a change, written as a rate: mean velocity (rad/s) and mean acceleration (rad/s²) over
    the interval, whose noise is of the order of one. Angles are uniform on the circle, velocities within ±``speed``,
    torques within ±``torque``.
    """

    interval: float
    gravity: float
    damping: float
    torque: float
    speed: float
    slip: float
    angle_noise: float
    velocity_noise: float

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The columns of the labels, standardised by the moments of their distributions."""
        halves, thirds = math.sqrt(1 / 2), math.sqrt(1 / 3)
        scales = {"sine": halves, "cosine": halves, "velocity": self.speed * thirds, "torque": self.torque * thirds}
        return tuple(Condition(name, "number", 0.0, scale) for name, scale in scales.items())

    @property
    def classes(self) -> int:
        return 0

    @property
    def needs(self) -> int:
        return 16 * 8 * self.points

    def load(self) -> Samples:
        """Rates of change, float32 (points, 2), of situations all over."""
        generator = self.generator
        labels = self.some_labels(self.points, generator)
        return Samples(self.given(labels, generator).astype(np.float32), labels, conditions=self.conditions)

    def some_labels(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """Labels of states and torques as they are in the data, float32 (count, 4)."""
        angle, velocity, torque = generator.uniform(-1, 1, (3, count))
        return self.labels_of(np.stack([np.pi * angle, self.speed * velocity], axis=1), self.torque * torque)

    def labels_of(self, states: np.ndarray, torques: np.ndarray) -> np.ndarray:
        """Labels, float32 (N, 4), of states (N, 2) and torques (N,)."""
        values = np.stack([np.sin(states[:, 0]), np.cos(states[:, 0]), states[:, 1], torques], axis=1)
        return (values / self._scales).astype(np.float32)

    def after(self, states: np.ndarray, rates: np.ndarray) -> np.ndarray:
        """The next states (N, 2); angles go on counting beyond ±π."""
        return states + self.interval * rates

    def given(self, labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """A draw from p(· | label) for each label (N, 4): rates (N, 2)."""
        slips = (generator.random(len(labels)) < self.slip).astype(np.int64)
        noise = self._noise * generator.standard_normal((len(labels), 2))
        return self._means(labels)[np.arange(len(labels)), slips] + noise

    def log_density_given(self, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """log p(x | label) in nats, for rates x (N, 2) and labels (N, 4): (N,)."""
        logs = self._log_parts(self._deviations(x, labels)).sum(axis=2) + self._log_shares
        return np.logaddexp(*logs.T) - np.log(self._noise).sum()

    def ranks_given(self, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The probability of a lower acceleration, and of a lower mean velocity at this acceleration: (N, 2).

        Of draws from p(· | label) both are uniform on [0, 1] and independent (Rosenblatt 1952).
        """
        deviations = self._deviations(x, labels)  # (N, Gaussians, 2)
        below = torch.special.ndtr(torch.from_numpy(deviations)).numpy()
        logs = self._log_parts(deviations)[:, :, 1] + self._log_shares
        shares = np.exp(logs - np.logaddexp(*logs.T)[:, None])  # of each Gaussian, at this acceleration
        return np.stack([below[:, :, 1] @ np.exp(self._log_shares), (shares * below[:, :, 0]).sum(axis=1)], axis=1)

    @property
    def _scales(self) -> np.ndarray:
        return np.array([condition.scale for condition in self.conditions])

    @property
    def _noise(self) -> np.ndarray:
        """Standard deviations of the rates: (2,)."""
        return np.array([self.angle_noise, self.velocity_noise]) / self.interval

    @property
    def _log_shares(self) -> np.ndarray:
        """Of the Gaussian where the motor holds, and of that where it slips: (2,)."""
        return np.log([1 - self.slip, self.slip])

    def _means(self, labels: np.ndarray) -> np.ndarray:
        """The mean rates of both Gaussians, float64 (N, 2 Gaussians, 2)."""
        sine, _, velocity, torque = (labels * self._scales).T
        free = -self.gravity * sine - self.damping * velocity
        accelerations = np.stack([free + torque, free], axis=1)
        return np.stack([velocity[:, None] + self.interval * accelerations, accelerations], axis=2)

    def _deviations(self, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """How far x is from both Gaussians, in standard deviations: (N, 2 Gaussians, 2)."""
        return (x[:, None] - self._means(labels)) / self._noise

    @staticmethod
    def _log_parts(deviations: np.ndarray) -> np.ndarray:
        """log of the standard normal density."""
        return -(deviations**2) / 2 - math.log(2 * math.pi) / 2
