"""log Z of a Boltzmann machine: exact by enumeration where one side is small, else by annealing in both directions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.models.rbm import RBM, BinaryRBM

ENUMERATED = 20  # units at most, of which all 2^n states are summed
BLOCK = 2**13  # states at a time


@dataclass(frozen=True)
class Estimate:
    """log Z of the mean of importance weights, and its standard error."""

    value: float
    error: float


@torch.no_grad()
def exact_log_z(rbm: RBM) -> float | None:
    """log Z = log Σ_h ∫ e^−E(x, h) dx by enumeration of h, or of binary x; None if both are too many."""
    visible, hidden = rbm.weight.shape
    if hidden <= ENUMERATED:
        c, lambda_ = rbm.c, rbm.lambda_
        parts = ((h - lambda_) @ c + rbm.log_volume(rbm.field(h)) for h in states(hidden, rbm.weight))
    elif visible <= ENUMERATED and isinstance(rbm, BinaryRBM):
        parts = (-rbm.free_energy(x) for x in states(visible, rbm.weight))
    else:
        return None
    return float(torch.stack([part.double().logsumexp(dim=0) for part in parts]).logsumexp(dim=0))


def states(units: int, like: Tensor) -> Iterator[Tensor]:
    """All 2^units states, as many at a time as ``BLOCK``."""
    bits = torch.arange(units, device=like.device)
    for start in range(0, 2**units, BLOCK):
        numbers = torch.arange(start, min(start + BLOCK, 2**units), device=like.device)
        yield (numbers[:, None] >> bits & 1).to(like.dtype)


@torch.no_grad()
def annealed(rbm: RBM, chains: int, temperatures: int) -> Estimate:
    """Annealed importance sampling (Neal 2001; Salakhutdinov & Murray 2008): from independent units to the model.

    The weights w have the mean Z/Z₀, so that log of their average is below log Z in expectation (Jensen).

    Args:
        temperatures: β = 1/temperatures … 1, evenly.
    """
    x = rbm.base(chains, torch.rand_like)
    return of_weights(_along(rbm, x, [k / temperatures for k in range(temperatures + 1)]), rbm, 1)


@torch.no_grad()
def reversed_annealed(rbm: RBM, x: Tensor, temperatures: int) -> Estimate:
    """The same from the model to independent units (Burda, Grosse & Salakhutdinov 2015): above log Z in expectation.

    Args:
        x: states drawn from the model, (chains, D). Should they be drawn from where it has not all its mass, the
            estimate is of that mass alone.
    """
    return of_weights(_along(rbm, x, [k / temperatures for k in range(temperatures, -1, -1)]), rbm, -1)


def _along(rbm: RBM, x: Tensor, betas: list[float]) -> Tensor:
    """Σ log p_β'(x) − log p_β(x) along chains that begin at x, drawn at the first β: float64 (chains,)."""
    total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    for i in range(len(betas) - 1):
        a = rbm.inputs(x)
        now, then = rbm.log_weights(x, a, betas[i : i + 2])
        total += (then - now).double()
        x = rbm.step(a, torch.rand_like, betas[i + 1])
    return total


def of_weights(logs: Tensor, rbm: RBM, sign: int) -> Estimate:
    """log Z of log-weights, with log Z₀ = H log 2."""
    count = len(logs)
    mean = float(logs.logsumexp(dim=0)) - math.log(count)
    error = float((logs - mean).exp().std()) / math.sqrt(count)
    return Estimate(rbm.c.numel() * math.log(2) + sign * mean, error)
