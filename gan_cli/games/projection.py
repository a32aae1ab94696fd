"""Projection: the latent whose sample is nearest to a picture, by gradient descent, by an encoder, or by an inverse.

The cost of a sample is (1 − w) P/P₀ + w F/F₀: P is the mean squared difference of pixels, F that of features, and P₀
and F₀ are their means over random latents of the prior. So random latents cost 1 on average, whatever the model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.games.comparing import Features, at_stage_of, deviation, features_of, rmse
from gan_cli.games.exactly import as_used, exact_kernels
from gan_cli.games.game import Encodes, Inverts, Likelihood
from gan_cli.games.labels import Label, tensor_of
from gan_cli.models.priors import Uniform
from gan_cli.models.widening import widened

if TYPE_CHECKING:
    from gan_cli.games.sampler import Sampler

Costs = dict["Label | None", float]
AT_ONCE = 64  # samples in a pass without gradients
FIRST, SECOND = 0.9, 0.99  # of Adam's means
RATE = 0.1  # of Adam, in deviations of the prior; it falls along half a cosine to nothing
TRIED = 4  # a label that is one of several is tried for this part of the iterations


@dataclass(frozen=True)
class Search:
    """How a latent is looked for.

    Attributes:
        seeds: whose latents are the random ones; the search begins at the nearest of them.
        restarts: how many of them that is.
        iterations: steps of Adam from each.
        weight: w, the share of the features in the cost.
        encoder: of a model that has one: its code is one more start, or is the result as it is, or is not asked for.
    """

    seeds: Sequence[int] = range(64)
    restarts: int = 4
    iterations: int = 300
    weight: float = 0.2
    encoder: Literal["start", "alone", "none"] = "start"

    def steps(self, labels: int) -> int:
        """How many iterations a search takes that tries so many labels."""
        return self.iterations + (labels * (self.iterations // TRIED) if labels > 1 else 0)


@dataclass(frozen=True)
class Projection:
    """A latent that was found for a picture.

    Attributes:
        latent: float32 (size,).
        label: that it is decoded with; None unless the generator is conditional.
        target: the picture as the model may make it, float32 (C, H, W) in [−1, 1].
        sample: that of the latent.
        rmse: the root of the mean squared difference of both, in levels of 0 to 255.
        random_rmse: the mean of that over the random latents, of all labels that were tried.
        start_cost: the lowest cost at a start; random latents cost 1 on average.
        end_cost: that of the latent.
        iterations: that led from the start to it.
        found: ``seed 12`` or ``code``: the start; ``inverse`` of a flow.
        by_label: what each label that was tried came to, by its name: a cost, or of flows −log p(x | label) in nats.
    """

    latent: Tensor
    label: Label | None
    target: Tensor
    sample: Tensor
    rmse: float
    random_rmse: float
    start_cost: float
    end_cost: float
    iterations: int
    found: str
    by_label: dict[str, float]

    @property
    def psnr(self) -> float:
        """20 log₁₀ (255 / rmse), in decibels; infinite where both are the same."""
        return 20 * math.log10(255 / self.rmse) if self.rmse else math.inf


def project(
    sampler: Sampler,
    target: Tensor,
    label: Label | None,
    search: Search,
    features: Features | Literal["discriminator"] | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Projection:
    """The latent whose sample is nearest to a picture, float32 (C, H, W) in [−1, 1].

    Args:
        label: of a conditional generator; None: each is tried, or those that a sweep of conditions has.
        features: that count beside the pixels: D's, or others.
        tick: called after each iteration.

    Raises:
        UserError: if samples are not finite.
    """
    with exact_kernels(), as_used(sampler.game, sampler.device, 0) if sampler.game else nullcontext():
        return _Projecting(sampler, target, label, search, features, tick).found()


class _Projecting:
    """One search."""

    def __init__(
        self,
        sampler: Sampler,
        target: Tensor,
        label: Label | None,
        search: Search,
        features: Features | Literal["discriminator"] | None,
        tick: Callable[[], None],
    ) -> None:
        self.sampler, self.search, self.tick = sampler, search, tick
        self.target = at_stage_of(sampler.network, target[None].to(sampler.device))
        self.labels: Sequence[Label | None] = [label] if label is not None or not sampler.classes else tried(sampler)
        self.random = sampler.latents_of(search.seeds).to(sampler.device)
        self.features = self._seen_by_discriminator() if features == "discriminator" else features
        self.of_target: dict[Label | None, Tensor] = {}
        parts, distances = zip(*(self._measured(self.random, each) for each in self.labels), strict=True)
        if not torch.stack(parts).isfinite().all():
            raise UserError("its samples are not finite, training diverged: give an earlier checkpoint")
        self.scales = torch.stack(parts).flatten(0, 1).mean(dim=0).clamp(min=1e-12)  # P₀ and F₀
        self.at_random = {each: self._weighed(part) for each, part in zip(self.labels, parts, strict=True)}
        self.random_rmse = float(torch.cat(distances).mean())

    @torch.no_grad()
    def _seen_by_discriminator(self) -> Features:
        some = self.random[:3]
        seen = features_of(self.sampler.game, self._decoded(some, self.labels[0]), self._of(self.labels[0], len(some)))
        assert seen, "asked only of a game that has them"
        return seen

    @torch.no_grad()
    def found(self) -> Projection:
        game = self.sampler.game
        if isinstance(game, Inverts):
            return self._inverted(game)
        code = None
        if isinstance(game, Encodes) and self.search.encoder != "none":
            code = game.encode(self._read())
        if code is not None and self.search.encoder == "alone":
            costs = {label: float(self.cost(code, label)) for label in self.labels}
            label = min(costs, key=lambda each: costs[each])
            return self._told(code[0], label, costs[label], 0, "code", costs)
        starts = {label: self._starts(label, code) for label in self.labels}
        first = self.search.iterations // TRIED if len(self.labels) > 1 else 0
        begun = {label: self._descend(z, label, first) for label, (z, _) in starts.items()}
        costs = {label: float(cost.min()) for label, (_, cost) in begun.items()}
        label = min(costs, key=lambda each: costs[each])
        z, cost = self._descend(begun[label][0], label, self.search.iterations)
        best, (there, names) = int(cost.argmin()), starts[label]
        start = float(self.cost(there, label).min())
        return self._told(z[best], label, start, first + self.search.iterations, names[best], costs)

    def _read(self) -> Tensor:
        """The target as the data are presented to the model, which may be white with the probability of its grey."""
        x = self.target
        if self.sampler.config.dataset.model_dump().get("binarise") == "dynamic":
            x = torch.where(2 * torch.rand_like(x) - 1 < x, 1.0, -1.0)
        return self.sampler.presented(x)

    def _inverted(self, game: Inverts) -> Projection:
        """The only latent of the picture; of several labels, the one under which the picture is likeliest."""
        x, costs = self._read(), {self.labels[0]: 0.0}
        if len(self.labels) > 1:
            assert isinstance(game, Likelihood)
            costs = {each: -float(game.log_likelihood(x, self._of(each, 1)).nats) for each in self.labels}
        label = min(costs, key=lambda each: costs[each])
        z = game.invert(x, self._of(label, 1))
        return self._told(z[0], label, float(self.cost(z, label)), 0, "inverse", costs)

    def _starts(self, label: Label | None, code: Tensor | None) -> tuple[Tensor, list[str]]:
        """The nearest of the random latents, and the encoder's code; and what they are called."""
        nearest = self.at_random[label].argsort(stable=True)[: self.search.restarts].tolist()
        names = [f"seed {self.search.seeds[each]}" for each in nearest]
        if code is None:
            return self.random[nearest], names
        return torch.cat([code, self.random[nearest]]), ["code", *names]

    def _descend(self, z: Tensor, label: Label | None, iterations: int) -> tuple[Tensor, Tensor]:
        """The best latent on the way from each, (n, size), and their costs, (n,)."""
        prior = self.sampler.prior
        bound = prior.scale if isinstance(prior, Uniform) else None
        return descend(lambda z: self.cost(z, label), z, iterations, RATE * deviation(self.random), bound, self.tick)

    def cost(self, z: Tensor, label: Label | None) -> Tensor:
        """(n,), of latents (n, size)."""
        return self._weighed(self._parts(self._decoded(z, label), label))

    def _weighed(self, parts: Tensor) -> Tensor:
        """The cost, (n,), of P or P and F, (n, 1 or 2)."""
        relative, weight = parts / self.scales, self.search.weight
        return relative[:, 0] if self.features is None else (1 - weight) * relative[:, 0] + weight * relative[:, 1]

    def _decoded(self, z: Tensor, label: Label | None) -> Tensor:
        return widened(self.sampler.network(z, self._of(label, len(z))))

    def _of(self, label: Label | None, n: int) -> Tensor | None:
        labels = tensor_of([label] * n)
        return None if labels is None else labels.to(self.sampler.device)

    def _parts(self, x: Tensor, label: Label | None) -> Tensor:
        """P or P and F of samples (n, C, H, W), (n, 1 or 2)."""
        parts = [(x - self.target).square().flatten(1).mean(dim=1)]
        if self.features is not None:
            if label not in self.of_target:
                self.of_target[label] = widened(self.features(self.target, self._of(label, 1)))
            seen = widened(self.features(x, self._of(label, len(x))))
            parts.append((seen - self.of_target[label]).square().flatten(1).mean(dim=1))
        return torch.stack(parts, dim=1)

    @torch.no_grad()
    def _measured(self, z: Tensor, label: Label | None) -> tuple[Tensor, Tensor]:
        """P or P and F of latents, and how far their samples are from the target, in levels."""
        parts, distances = [], []
        for some in z.split(AT_ONCE):
            x = self._decoded(some, label)
            parts.append(self._parts(x, label))
            distances.append(rmse(x, self.target))
        return torch.cat(parts), torch.cat(distances)

    def _told(
        self, z: Tensor, label: Label | None, start: float, iterations: int, found: str, costs: Costs
    ) -> Projection:
        latent = z.float().cpu()
        sample = self.sampler.decode_apart(latent[None], [0], tensor_of([label]))
        end = float(self.cost(z[None], label))
        said = {} if len(costs) == 1 else {self._said(each): cost for each, cost in costs.items()}
        target = self.target.cpu()
        apart = float(rmse(sample, target))
        return Projection(
            latent, label, target[0], sample[0], apart, self.random_rmse, start, end, iterations, found, said
        )

    def _said(self, label: Label | None) -> str:
        return self.sampler.said(torch.tensor(label))


def tried(sampler: Sampler) -> list[Label]:
    """The labels that are tried where none is given: each class, or a sweep of conditions."""
    turn = sampler.turn()
    assert turn is not None, "asked only of a conditional generator"
    return [tuple(row) if isinstance(row, list) else row for row in turn.tolist()]


def descend(
    cost: Callable[[Tensor], Tensor],
    starts: Tensor,
    iterations: int,
    rate: float,
    bound: float | None = None,
    tick: Callable[[], None] = lambda: None,
) -> tuple[Tensor, Tensor]:
    """Adam (Kingma & Ba 2015) from each start by itself, its rate falling along half a cosine to nothing.

    Args:
        cost: latents (n, size) → (n,).
        bound: latents stay in [−bound, bound].

    Returns:
        The best latent on each way, (n, size), and its cost, (n,).
    """
    z = starts.detach() if bound is None else starts.detach().clamp(-bound, bound)
    best, lowest = z, z.new_full((len(z),), torch.inf)
    mean, square = torch.zeros_like(z), torch.zeros_like(z)
    for iteration in range(iterations + 1):
        with torch.enable_grad():
            costs = cost(z.requires_grad_())
            whole = costs.sum()
        now = costs.detach()
        better = now < lowest
        best, lowest = torch.where(better[:, None], z.detach(), best), torch.where(better, now, lowest)
        if iteration == iterations:
            break
        (slope,) = torch.autograd.grad(whole, z)
        mean, square = torch.lerp(slope, mean, FIRST), torch.lerp(slope.square(), square, SECOND)
        step = mean / (1 - FIRST ** (iteration + 1))
        step = step / ((square / (1 - SECOND ** (iteration + 1))).sqrt() + 1e-8)
        z = z.detach() - step * rate * (1 + math.cos(math.pi * iteration / iterations)) / 2
        z = z if bound is None else z.clamp(-bound, bound)
        tick()
    return best, lowest
