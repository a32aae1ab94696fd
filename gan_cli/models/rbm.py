"""The restricted Boltzmann machine (Smolensky 1986; Hinton 2002), with binary or Gaussian visible units.

    p(x) = e^−F(x) / Z,   F(x) = −log Σ_h e^−E(x, h),   h in {0, 1}^H

Both energies are centred: μ and λ are offsets of the units, their running means in the data (Montavon & Müller 2012;
Melchior, Fischer & Wiskott 2016), or 0. When they move, the biases follow, so that the distribution does not change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from gan_cli import distributed
from gan_cli.models.counted import Counted
from gan_cli.models.units import from_levels, from_unit_interval, levels, unit_interval

Uniforms = Callable[[Tensor], Tensor]  # one draw of U(0, 1) for each number of a tensor (B, n)
LEAST = 1e-3  # of a mean or a variance that a distribution is made of


class RBM(nn.Module):
    """What both kinds share: with a(x) = c + Wᵀ((x − μ)/σ²), where σ = 1 for binary units,

        F(x) = −V(x) − Σⱼ (log(1 + e^aⱼ) − λⱼ aⱼ),   p(hⱼ = 1 | x) = sigmoid(aⱼ),

    and x given h depends on b + W(h − λ). A distribution at inverse temperature β is

        p_β(x) ∝ base(x)^(1 − β) e^(β (V(x) − λᵀa)) Πⱼ (1 + e^(β aⱼ)):

    at β = 1 the model, at 0 independent units with the mean (and variance) of the data. Its Gibbs chains go from x to h
    and back; those at β = 1 are the model's own.

    States are (B, D), of the D = C·H·W pixels of a picture, or the coordinates of a point.

    Args:
        shape: of a sample.
        hidden: H.
        centred: whether the offsets are the means.
        chain: Gibbs steps of a sample.
    """

    latent, bound = 2, ""  # the second: what makes log_mass() a lower bound, if it is one

    def __init__(self, shape: tuple[int, ...], hidden: int, centred: bool, chain: int) -> None:
        super().__init__()
        self.shape, self.dimensions, self.centred, self.chain = shape, math.prod(shape), centred, chain
        self.weight = nn.Parameter(0.01 * torch.randn(self.dimensions, hidden))
        self.b = nn.Parameter(torch.zeros(self.dimensions))
        self.c = nn.Parameter(torch.zeros(hidden))
        self.register_buffer("mean", torch.zeros(self.dimensions))  # of x in the data
        self.register_buffer("variance", torch.ones(self.dimensions))
        self.register_buffer("active", torch.full((hidden,), 0.5))  # the mean of h, given the data
        self.mean: Tensor
        self.variance: Tensor
        self.active: Tensor

    @property
    def mu(self) -> Tensor:
        """μ, (D,)."""
        return self.mean if self.centred else torch.zeros_like(self.mean)

    @property
    def lambda_(self) -> Tensor:
        """λ, (H,)."""
        return self.active if self.centred else torch.zeros_like(self.active)

    @property
    def precision(self) -> Tensor | float:
        """1/σ²."""
        return 1.0

    def state(self, x: Tensor) -> Tensor:
        """Samples in [−1, 1], or points, as states (B, D)."""
        raise AssertionError("a kind of visible units defines state()")

    def sample(self, state: Tensor) -> Tensor:
        """The inverse."""
        raise AssertionError("a kind of visible units defines sample()")

    def log_scale(self) -> float:
        """log |d state/dy|, to be added to the log-density of a state for that of what the data are: see ``units``."""
        return 0.0

    def visible_term(self, x: Tensor) -> Tensor:
        """V(x), (B,)."""
        raise AssertionError("a kind of visible units defines visible_term()")

    def log_base(self, x: Tensor) -> Tensor:
        """The log-density of independent units, (B,), which β = 0 has."""
        raise AssertionError("a kind of visible units defines log_base()")

    def draw(self, field: Tensor, uniform: Uniforms, beta: float = 1.0) -> Tensor:
        """x given h at β, by b + W(h − λ), (B, D)."""
        raise AssertionError("a kind of visible units defines draw()")

    def log_volume(self, field: Tensor) -> Tensor:
        """log ∫ e^(V(x) + (x − μ)ᵀ(field − b)/σ²) dx, (B,), or the sum over all x."""
        raise AssertionError("a kind of visible units defines log_volume()")

    def inputs(self, x: Tensor) -> Tensor:
        """a(x), (B, H)."""
        return torch.addmm(self.c, (x - self.mu) * self.precision, self.weight)

    def field(self, h: Tensor) -> Tensor:
        """b + W(h − λ), (B, D)."""
        return torch.addmm(self.b, h - self.lambda_, self.weight.T)

    def free_energy(self, x: Tensor) -> Tensor:
        """F(x), (B,)."""
        return -self.log_weights(x, self.inputs(x), (1.0,))[0]

    def log_mass(self, state: Tensor) -> Tensor:
        """log p(x) + log Z of the sample that a state is of, (B,)."""
        return -self.free_energy(state)

    def log_weights(self, x: Tensor, a: Tensor, betas: Sequence[float]) -> list[Tensor]:
        """log p_β(x) without its constant, (B,), at several β: −F(x) at β = 1."""
        linear, base = self.visible_term(x) - a @ self.lambda_, self.log_base(x) if min(betas) < 1 else None
        weights = [beta * linear + softplus(beta * a).sum(dim=1) for beta in betas]
        pairs = zip(weights, betas, strict=True)
        return [weight if beta == 1 or base is None else weight + (1 - beta) * base for weight, beta in pairs]

    def step(self, a: Tensor, uniform: Uniforms, beta: float = 1.0) -> Tensor:
        """x → h → x, a step of the Gibbs chain at β from a state with inputs a."""
        h = (uniform(a) < torch.sigmoid(beta * a)).to(a.dtype)
        return self.draw(self.field(h), uniform, beta)

    def gibbs(self, x: Tensor, uniform: Uniforms, steps: int) -> Tensor:
        """So many steps of the model's own chain."""
        for _ in range(steps):
            x = self.step(self.inputs(x), uniform)
        return x

    def base(self, rows: int, uniform: Uniforms) -> Tensor:
        """Draws of independent units, (rows, D)."""
        field = self.b.expand(rows, -1)
        return self.draw(field, uniform, 0.0)

    @torch.no_grad()
    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """A Markov chain that begins at independent pixels, with the data's means: z (B, 2) in (−1, 1) → its end."""
        uniform = Counted(z)
        return self.sample(self.gibbs(self.base(len(z), uniform), uniform, self.chain))

    @torch.no_grad()
    def follow(self, x: Tensor, rate: float | Tensor) -> None:
        """Moves the means towards those of a minibatch of states, and the biases so that p(x) stays what it is."""
        mu, lambda_ = self.mu.clone(), self.lambda_.clone()
        mean = distributed.mean(x.mean(dim=0))
        spread = distributed.mean((x - mean).square().mean(dim=0))
        active = distributed.mean(torch.sigmoid(self.inputs(x)).mean(dim=0))
        for average, now in ((self.mean, mean), (self.variance, spread), (self.active, active)):
            average.add_(rate * (now - average))
        self.b.add_(self.weight @ (self.lambda_ - lambda_))
        self.c.add_(self.weight.T @ ((self.mu - mu) * self.precision))


class BinaryRBM(RBM):
    """x in {0, 1}^D:  E(x, h) = −(x − μ)ᵀb − (h − λ)ᵀc − (x − μ)ᵀW(h − λ),  V(x) = (x − μ)ᵀb."""

    def __init__(self, shape: tuple[int, ...], hidden: int, centred: bool, chain: int) -> None:
        super().__init__(shape, hidden, centred, chain)
        self.mean.fill_(0.5)

    def state(self, x: Tensor) -> Tensor:
        return levels(x.flatten(1), 2).to(self.weight.dtype)

    def sample(self, state: Tensor) -> Tensor:
        return from_levels(state, 2).view(-1, *self.shape)

    @property
    def rates(self) -> Tensor:
        """The logits of independent pixels with the data's means."""
        return torch.logit(self.mean, eps=LEAST)

    def visible_term(self, x: Tensor) -> Tensor:
        return (x - self.mu) @ self.b

    def log_base(self, x: Tensor) -> Tensor:
        return x @ self.rates - softplus(self.rates).sum()

    def draw(self, field: Tensor, uniform: Uniforms, beta: float = 1.0) -> Tensor:
        logits = field if beta == 1 else beta * field + (1 - beta) * self.rates
        return (uniform(logits) < torch.sigmoid(logits)).to(logits.dtype)

    def log_volume(self, field: Tensor) -> Tensor:
        return softplus(field).sum(dim=1) - field @ self.mu


class GaussianRBM(RBM):
    """x in ℝ^D:  E(x, h) = Σᵢ (xᵢ − bᵢ)²/2σᵢ² − (h − λ)ᵀc − ((x − μ)/σ²)ᵀW(h − λ),  with σ learnt.

    V(x) = −Σᵢ (xᵢ − bᵢ)²/2σᵢ², and x given h is N(b + W(h − λ), σ²): a mixture of 2^H Gaussians of one width (Melchior,
    Wang & Wiskott 2017). Pictures are dequantised ones, x in [−1, 1].
    """

    def __init__(self, shape: tuple[int, ...], hidden: int, centred: bool, chain: int) -> None:
        super().__init__(shape, hidden, centred, chain)
        self.log_variance = nn.Parameter(torch.zeros(self.dimensions))  # log σ²

    @property
    def precision(self) -> Tensor:
        return (-self.log_variance).exp()

    def state(self, x: Tensor) -> Tensor:
        return x.flatten(1).to(self.weight.dtype)

    def sample(self, state: Tensor) -> Tensor:
        x = state.view(-1, *self.shape)
        return x if len(self.shape) == 1 else from_unit_interval(unit_interval(x))

    def log_scale(self) -> float:
        return 0.0 if len(self.shape) == 1 else self.dimensions * math.log(2)

    def visible_term(self, x: Tensor) -> Tensor:
        return -((x - self.b).square() @ self.precision) / 2

    def log_base(self, x: Tensor) -> Tensor:
        variance = self.variance.clamp(min=LEAST)
        return -((x - self.mean).square() @ (1 / variance) + (2 * math.pi * variance).log().sum()) / 2

    def draw(self, field: Tensor, uniform: Uniforms, beta: float = 1.0) -> Tensor:
        of_base = (1 - beta) / self.variance.clamp(min=LEAST)
        precision = of_base + beta * self.precision
        mean = (of_base * self.mean + beta * self.precision * field) / precision
        u = uniform(mean).clamp(2.0**-25, 1 - 2.0**-24)  # 0 and 1 would be infinite
        return mean + torch.special.ndtri(u) * precision.rsqrt()

    def log_volume(self, field: Tensor) -> Tensor:
        shift = field - self.b
        of_shift = (shift * (self.b - self.mu) + shift.square() / 2) @ self.precision
        return of_shift + (2 * math.pi / self.precision).log().sum() / 2
