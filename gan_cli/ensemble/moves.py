"""The gradient of one player's cost for all members at once, as one graph of tensors."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from gan_cli.build import Setup
from gan_cli.ensemble.draws import Draw, Recording, Replaying
from gan_cli.ensemble.stack import Stack
from gan_cli.game import Game, Moment, Statistics, View
from gan_cli.random import seed_all

log = logging.getLogger(__name__)
Dials = Mapping[str, float]  # what changes from step to step


@dataclass(frozen=True)
class Dialled:
    """A penalty that is due, its strength read off a dial."""

    penalty: Any
    dial: Any

    def __call__(self, judge: Any, real: Tensor, fake: Tensor) -> Tensor:
        return self.penalty(judge, real, fake)

    def due(self, move: int) -> bool:
        return True

    def strength(self, images: int) -> Any:
        return self.dial


@dataclass(frozen=True, kw_only=True)
class DialledView(View):
    """A view whose instance noise is read off a dial; None: there is none."""

    dial: Any = None

    def noise(self, images: int) -> Any:
        return self.dial


def dials(game: Game, moment: Moment, name: str) -> dict[str, float]:
    """The strengths of the penalties that are due in this move of a player, and the deviation of the noise, if any."""
    found = {}
    if name == "discriminator":
        found = {n: p.strength(moment.images) for n, p in game.penalties.items() if p.due(moment.moves)}
    sigma = game.view.noise(moment.images)
    return found if sigma is None else {**found, "": sigma}


class Cost(nn.Module):
    """A player's cost as a function of everything it depends on: weights, buffers, samples, draws and dials."""

    def __init__(self, setup: Setup, name: str) -> None:
        super().__init__()
        self.generator, self.discriminator = setup.game.generator, setup.game.discriminator
        self.setup, self.name = setup, name

    def forward(self, indices: Tensor, dials: Mapping[str, Any], mode: Any) -> tuple[Tensor, Statistics, dict[str, Tensor]]:
        """The cost, statistics, and the buffers afterwards."""
        game, moment = self.setup.game, Moment(0, 0, 0)
        penalties = {n: Dialled(p, dials[n]) for n, p in game.penalties.items() if n in dials}
        view = DialledView(**vars(game.view), dial=dials.get(""))
        played = Game(self.generator, self.discriminator, game.loss, penalties, view, game.autocast)
        cost = played.discriminator_cost if self.name == "discriminator" else played.generator_cost
        with mode:
            x, labels = self.setup.minibatches.at(indices)
            z = self.setup.sampler.prior.sample(len(indices), self.setup.device)
            value, statistics = cost(x, z, labels, moment)
        return value, statistics, dict(self.named_buffers())


class Move:
    """One kind of move: of one player, with certain dials.

    Args:
        stacks: of the weights, by player, and of the buffers of both networks.
    """

    def __init__(self, setup: Setup, name: str, dials: Sequence[str], weights: Mapping[str, Stack], buffers: Sequence[Stack], seeds: Sequence[int], size: int) -> None:
        self.cost, self.name, self.names = Cost(setup, name), name, tuple(dials)
        self.weights, self.buffers, self.seeds = weights, buffers, seeds
        self.device = setup.device
        self.opponent = next(other for other in weights if other != name)
        self.draws = self.record(size)
        self.places = [torch.empty(len(seeds), *draw.shape, device=self.device) for draw in self.draws]
        self.each = [list(zip(self.draws, views, strict=True)) for views in zip(*(p.unbind() for p in self.places), strict=True)] or [[] for _ in seeds]
        self.graph: Callable[..., Any] | None = None

    def record(self, size: int) -> list[Draw]:
        """What a member draws in this move."""
        mode = Recording()
        kept = {name: buffer.clone() for name, buffer in self.cost.named_buffers()}
        indices = torch.zeros(size, dtype=torch.int64, device=self.cost.setup.minibatches.values.device)
        functional_call(self.cost, kept, (indices, dict.fromkeys(self.names, 1.0), mode))
        return mode.draws

    def draw(self, step: int, move: int) -> None:
        """Draws for every member from its own stream."""
        for seed, pairs in zip(self.seeds, self.each, strict=True):
            seed_all(seed, "move", step, self.name, move, device=self.device)
            for draw, place in pairs:
                draw.into(place)

    def __call__(self, indices: Tensor, dials: Dials) -> tuple[Tensor, Statistics]:
        """The gradient (E, width) and the statistics, each (E,); the buffers are brought up to date.

        Args:
            indices: of every member's minibatch, int64 (E, B).
        """
        values = torch.tensor([dials[name] for name in self.names], device=self.device)
        given = (self.weights[self.name].flat, self.weights[self.opponent].flat, [b.flat for b in self.buffers], indices, values, self.places)
        if self.graph is None:
            self.graph = compiled(make_fx(lambda *tensors: self.all_members(*tensors))(*given), given)
        with torch.no_grad():
            gradient, statistics, buffers = self.graph(*given)
            for stack, flat in zip(self.buffers, buffers, strict=True):
                stack.flat.copy_(flat)
        return gradient, statistics

    def all_members(self, own: Tensor, others: Tensor, buffers: Sequence[Tensor], indices: Tensor, values: Tensor, draws: Sequence[Tensor]) -> tuple[Tensor, Statistics, list[Tensor]]:
        """What is traced: the costs of all members, and the gradient of their sum, which is each member's own."""
        mine = {name: w.detach().requires_grad_(True) for name, w in self.weights[self.name].split(own).items()}
        theirs = self.weights[self.opponent].split(others.detach())
        given = [{name: b.clone() for name, b in stack.split(flat).items()} for stack, flat in zip(self.buffers, buffers, strict=True)]

        def one(mine: Any, theirs: Any, given: Any, indices: Tensor, draws: Sequence[Tensor]) -> Any:
            tensors = {f"{self.name}.{n}": w for n, w in mine.items()} | {f"{self.opponent}.{n}": w for n, w in theirs.items()}
            for group in given:
                tensors |= group
            dials = dict(zip(self.names, values, strict=True))
            return functional_call(self.cost, tensors, (indices, dials, Replaying(draws)))

        costs, statistics, after = vmap(one)(mine, theirs, given, indices, list(draws))
        gradient = self.weights[self.name].join(dict(zip(mine, torch.autograd.grad(costs.sum(), list(mine.values())), strict=True)))
        statistics = {**statistics, f"grad_norm/{self.name}": torch.linalg.vector_norm(gradient, dim=1)}
        return gradient.detach(), {k: v.detach() for k, v in statistics.items()}, [stack.join(after).detach() for stack in self.buffers]


def compiled(graph: Callable[..., Any], given: Sequence[Any]) -> Callable[..., Any]:
    """The graph through torch.compile, or itself if this machine cannot compile it."""
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # it looks for CUDA and says so
    faster = torch.compile(graph, fullgraph=True, dynamic=False)
    try:
        with torch.no_grad():
            faster(*given)
    except Exception as error:  # a missing or broken compiler shows itself in many ways
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        log.warning("not compiled, several times slower: %s", reason)
        return graph
    return faster
