"""The divergence of a conditional density from a known one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from gan_cli.data.knows import KnowsConditional
from gan_cli.games.sampler import Sampler
from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.likelihood import asked
from gan_cli.metrics.metric import Better, Metric
from gan_cli.random import stream

TOGETHER = 1024  # samples that are drawn at a time
OF_MODEL = ("conditional_jsd", "conditional_kl", "conditional_log_density_gap")


@dataclass(frozen=True, kw_only=True)
class ConditionalDivergence(Metric):
    """The Jensen–Shannon and the KL divergence of p_model(x | c) from a known p(x | c), in nats, averaged over c.

    At each of ``conditions`` unseen conditions the model draws ``draws`` samples. Their ranks under p(x | c), which are
    uniform on the unit cube where the model is p, are counted in ``side``^d equal cells, so that p has the same known
    mass in each, at every condition. By the data processing inequality no cells show more than the true divergence.
    ``…_floor`` is the value of as many draws from p itself at the same conditions: what counting leaves of no
    divergence. ``conditional_log_density_gap`` is E_p log p(x | c) − E_model log p(x | c).
    """

    judges_samples = False  # it draws its own

    conditions: int
    draws: int
    side: int

    def better(self, evidence: Evidence) -> Better:
        return {"conditional_jsd": "low", "conditional_kl": "low"}

    def refusal(self, evidence: Evidence) -> str | None:
        if not isinstance(evidence.dataset, KnowsConditional):
            return "needs a known density given conditions, such as dataset=pendulum: leave it out"
        if evidence.model is None or evidence.model.conditions is None:
            return "needs a model that is told the conditions: train with conditional=true"
        return None

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        data, generator = evidence.dataset, evidence.generator("conditional_divergence")
        assert isinstance(data, KnowsConditional)
        labels = np.repeat(data.some_labels(self.conditions, generator), self.draws, axis=0)
        real = data.given(labels, generator)
        fake = drawn_given(asked(evidence), labels, evidence.seed)
        evidence.note(
            [*OF_MODEL, "conditional_jsd_floor", "conditional_kl_floor"],
            f"{self.conditions} conditions, {self.draws:,} samples at each",
        )
        floor = self.shares(data.ranks_given(real, labels))
        values = {"conditional_jsd_floor": jsd_from_even(floor), "conditional_kl_floor": kl_from_even(floor)}
        if not np.isfinite(fake).all():
            return dict.fromkeys(OF_MODEL, math.nan) | values
        shares = self.shares(data.ranks_given(fake, labels))
        gap = data.log_density_given(real, labels).mean() - data.log_density_given(fake, labels).mean()
        return dict(zip(OF_MODEL, (jsd_from_even(shares), kl_from_even(shares), float(gap)), strict=True)) | values

    def shares(self, ranks: np.ndarray) -> np.ndarray:
        """The shares of cells, (conditions, side^d), of ranks (conditions · draws, d) in [0, 1]."""
        places = np.clip((ranks * self.side).astype(np.int64), 0, self.side - 1)
        cells = self.side ** ranks.shape[1]
        number = places @ self.side ** np.arange(ranks.shape[1])
        which = np.repeat(np.arange(self.conditions), self.draws)
        counts = np.bincount(which * cells + number, minlength=self.conditions * cells)
        return counts.reshape(self.conditions, cells) / self.draws


def drawn_given(model: Sampler, labels: np.ndarray, seed: int) -> np.ndarray:
    """A sample of the model for each label, float64 (N, d)."""
    z = model.prior.sample(len(labels), "cpu", stream(seed, "conditional_divergence"))
    return model.decode(z, torch.from_numpy(labels), batch_size=TOGETHER).numpy().astype(np.float64)


def jsd_from_even(shares: np.ndarray) -> float:
    """Jensen–Shannon divergence in nats of histograms (K, cells), whose sums are 1, from even ones: their mean."""
    even = np.full_like(shares, 1 / shares.shape[1])
    middle = (shares + even) / 2
    return float((xlogy(shares, shares / middle) + xlogy(even, even / middle)).sum(axis=1).mean() / 2)


def kl_from_even(shares: np.ndarray) -> float:
    """KL divergence in nats of histograms (K, cells), whose sums are 1, from even ones: their mean."""
    return float(xlogy(shares, shares * shares.shape[1]).sum(axis=1).mean())


def xlogy(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x log y, and 0 where x is 0."""
    return x * np.log(np.where(x == 0, 1.0, y))
