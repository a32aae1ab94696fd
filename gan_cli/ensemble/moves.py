"""The gradient of one player's cost for all members at once, as one graph of tensors."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from gan_cli.ensemble.draws import Batchable, Draw, Noting, Replaying
from gan_cli.ensemble.stack import Stack
from gan_cli.errors import first_line
from gan_cli.games.game import Statistics, Strengths
from gan_cli.random import seed_all
from gan_cli.training.setup import Setup

log = logging.getLogger(__name__)
Tensors = dict[str, Tensor]
Graph = Callable[..., tuple[Tensor, Statistics, list[Tensor]]]  # → gradient, statistics, buffers afterwards


class Cost(nn.Module):
    """A player's cost as a function of everything it depends on: weights, buffers, samples, draws and strengths."""

    def __init__(self, setup: Setup, name: str) -> None:
        super().__init__()
        for player, network in setup.game.networks.items():
            self.add_module(player, network)
        self.setup, self.name = setup, name

    def forward(
        self, x: Tensor, labels: Tensor | None, strengths: Strengths, mode: Batchable
    ) -> tuple[Tensor, Statistics, Tensors]:
        """The cost, statistics, and the buffers afterwards; ``mode`` handles the draws."""
        with mode:
            z = self.setup.sampler.prior.sample(len(x), self.setup.device)
            value, statistics = self.setup.game.cost(self.name, x, z, labels, strengths)
        return value, statistics, dict(self.named_buffers())


class Move:
    """One kind of move, of all members: of one player, with certain active terms.

    Args:
        setup: the setup of any member.
        name: the player who moves.
        strengths: the names of the active terms.
        size: the size of each member's minibatch.
        weights: the weights of the members' networks, by player.
        buffers: the buffers of the members' networks.
        seeds: the members' seeds.
        compile: whether to compile the graph of the move.
    """

    def __init__(
        self,
        setup: Setup,
        name: str,
        strengths: Sequence[str],
        size: int,
        weights: Mapping[str, Stack],
        buffers: Sequence[Stack],
        seeds: Sequence[int],
        *,
        compile: bool,
    ) -> None:
        self.setup, self.name, self.weights, self.buffers = setup, name, weights, buffers
        self.strengths, self.size = tuple(strengths), size
        self.others = [other for other in weights if other != name]
        self.cost, self.seeds, self.compile = Cost(setup, name), seeds, compile
        self.flips, self.draws = self.record()
        self.drawn = [torch.empty(len(seeds), *draw.shape, device=setup.device) for draw in self.draws]
        self.values, self.told = torch.empty(len(self.strengths), device=setup.device), [math.nan] * len(self.strengths)
        self.graph: Graph | None = None

    def record(self) -> tuple[int, list[Draw]]:
        """The draws of a member in this move, after the number of those that belong to its minibatch (flips)."""
        mode = Noting()
        with mode:
            first = torch.zeros(self.size, dtype=torch.int64, device=self.setup.minibatches.values.device)
            x, labels = self.setup.minibatches.at(first)
        flips = len(mode.draws)
        kept = {name: buffer.clone() for name, buffer in self.cost.named_buffers()}
        functional_call(self.cost, kept, (x, labels, dict.fromkeys(self.strengths, 1.0), mode))
        return flips, mode.draws

    def draw(self, step: int, move: int) -> None:
        """Draws for every member from its own stream."""
        for i, seed in enumerate(self.seeds):
            seed_all(seed, "move", step, self.name, move, device=self.setup.device)
            for draw, drawn in zip(self.draws, self.drawn, strict=True):
                draw.into(drawn[i])

    def __call__(self, indices: Tensor, strengths: Strengths) -> tuple[Tensor, Statistics]:
        """The gradient (E, width) and the statistics, each (E,); the buffers are updated.

        Args:
            indices: the samples in every member's minibatch, int64 (E, B).
        """
        for i, name in enumerate(self.strengths):
            if (value := float(strengths[name])) != self.told[i]:
                self.told[i] = value
                self.values[i].fill_(value)
        given = (
            self.weights[self.name].flat,
            [self.weights[other].flat for other in self.others],
            [stack.flat for stack in self.buffers],
            indices,
            self.values,
            self.drawn,
        )
        if self.graph is None:
            traced: Graph = make_fx(lambda *tensors: self.all_members(*tensors))(*given)
            self.graph = compiled(traced, given) if self.compile else traced
        with torch.no_grad():
            gradient, statistics, buffers = self.graph(*given)
            for stack, flat in zip(self.buffers, buffers, strict=True):
                stack.flat.copy_(flat)
        return gradient, statistics

    def all_members(
        self,
        own: Tensor,
        others: Sequence[Tensor],
        buffers: Sequence[Tensor],
        indices: Tensor,
        values: Tensor,
        drawn: Sequence[Tensor],
    ) -> tuple[Tensor, Statistics, list[Tensor]]:
        """The function that is traced: the costs of all members, and the gradient of their sum.

        A cost depends on the weights of its own member alone, so each row of the gradient is that of one member.
        """
        mine = {name: w.detach().requires_grad_(True) for name, w in self.weights[self.name].split(own).items()}
        theirs = {
            f"{other}.{name}": w
            for other, flat in zip(self.others, others, strict=True)
            for name, w in self.weights[other].split(flat).items()
        }
        before = {n: b.clone() for s, flat in zip(self.buffers, buffers, strict=True) for n, b in s.split(flat).items()}
        with Replaying([draws.flatten(0, 1) for draws in drawn[: self.flips]]):
            minibatches = self.setup.minibatches.at(indices.flatten())
        seen = [part.unflatten(0, indices.shape) for part in minibatches if part is not None]

        def one(
            mine: Tensors, theirs: Tensors, before: Tensors, seen: list[Tensor], drawn: list[Tensor]
        ) -> tuple[Tensor, Statistics, Tensors]:
            tensors = {f"{self.name}.{n}": w for n, w in mine.items()}
            strengths = dict(zip(self.strengths, values, strict=True))
            x, labels = seen if len(seen) == 2 else (seen[0], None)
            return functional_call(self.cost, tensors | theirs | before, (x, labels, strengths, Replaying(drawn)))

        costs, statistics, after = vmap(one)(mine, theirs, before, seen, list(drawn[self.flips :]))
        gradients = torch.autograd.grad(costs.sum(), list(mine.values()))
        gradient = self.weights[self.name].join(dict(zip(mine, gradients, strict=True)))
        statistics = {**statistics, f"grad_norm/{self.name}": torch.linalg.vector_norm(gradient, dim=1)}
        return (
            gradient.detach(),
            {key: value.detach() for key, value in statistics.items()},
            [stack.join(after).detach() for stack in self.buffers],
        )


def compiled(graph: Graph, given: Sequence[object]) -> Graph:
    """The graph through torch.compile, or itself if this machine cannot compile it."""
    logging.getLogger("torch.utils.cpp_extension").setLevel(
        logging.ERROR
    )  # it looks for CUDA and logs that there is none
    faster = torch.compile(graph, fullgraph=True, dynamic=False)
    try:
        with torch.no_grad():
            faster(*given)
    except Exception as error:  # a missing or broken compiler shows itself in many ways
        log.warning("compile=true: not compiled, and slower for it: %s", first_line(error))
        return graph
    return faster
