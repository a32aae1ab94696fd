"""Change of variables: p_x(x) = p_y(g(x)) |det ∂g(x)/∂x|, of points and of dequantised pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from gan_cli.games.game import LogLikelihood, Strengths
from gan_cli.games.likelihood import LikelihoodGame, in_parts, require_presented
from gan_cli.games.parts import Parts
from gan_cli.models.couplings import (
    AdditiveCoupling,
    AffineCoupling,
    Convolutions,
    MakeNet,
    Perceptron,
    Scale,
    alternating,
)
from gan_cli.models.flows import BASES, Affine, Bijection, Flow, Space
from gan_cli.models.units import of_densities
from gan_cli.models.widening import widened
from gan_cli.models.zuko_flows import Autoregressive, zuko_flows

WIDE = 0.25  # of the first layer in logit space, where black and white are at about ∓6


class FlowGame(LikelihoodGame):
    """One player who minimises −log p(x), exactly. A latent is a draw from the base, and the sample its inverse."""

    def __init__(self, flow: Flow, shape: tuple[int, ...], autocast: torch.dtype | None) -> None:
        super().__init__(flow, of_densities(shape), autocast)
        self.flow, self.latents = flow, flow.base

    def log_p(self, x: Tensor, labels: Tensor | None, strengths: Strengths | None = None) -> Tensor:
        return self.flow.log_p(x, labels)

    def log_likelihood(self, x: Tensor, labels: Tensor | None = None) -> LogLikelihood:
        """Exact; of a flow in logit space, also what it is there."""
        found, space = super().log_likelihood(x, labels), self.flow.space
        if space.margin is None or len(space.shape) == 1:
            return found
        return replace(found, in_logit_space=found.nats - in_parts(lambda x, _: space.enter(x)[1], x, None))

    def invert(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """z = g(x)."""
        return in_parts(lambda x, labels: widened(self.flow.g(x, labels)[0]), x, labels)


class EncodingFlowGame(FlowGame):
    """A flow that needs no labels to encode: z = g(x)."""

    def encode(self, x: Tensor) -> Tensor:
        return self.invert(x, None)


class ChangesVariables:
    """The base of the flows that the YAML names: the space of the data, and the base."""

    def __init__(self, base: str, space: str, margin: float) -> None:
        self.base, self.margin = BASES[base], margin if space == "logit" else None

    def playing(self, parts: Parts, make: Callable[[int], Sequence[Bijection]]) -> FlowGame:
        """The game of a flow of the bijections that ``make`` makes for D numbers."""
        require_presented(parts)
        size, space = math.prod(parts.shape), Space(parts.shape, self.margin)
        flow = parts.network("model", lambda: Flow(space, make(size), self.base(size=size, scale=1.0)))
        assert isinstance(flow, Flow)
        return (FlowGame if parts.classes else EncodingFlowGame)(flow, parts.shape, parts.autocast)

    def first(self, parts: Parts) -> float:
        """The scale of the first layer at the start."""
        return 1.0 if len(parts.shape) == 1 or self.margin is None else WIDE


class AdditiveCouplings(ChangesVariables):
    """``model=nice``: additive couplings, then a scale for each number."""

    def __init__(self, base: str, space: str, margin: float, couplings: int, hidden: list[int]) -> None:
        super().__init__(base, space, margin)
        self.couplings, self.hidden = couplings, hidden

    def game(self, parts: Parts) -> FlowGame:
        make = perceptrons(parts.classes, self.hidden)

        def bijections(size: int) -> list[Bijection]:
            couplings = [AdditiveCoupling(split, make) for split in alternating(size, self.couplings)]
            return [*couplings, Affine(size, self.first(parts), shift=False)]

        return self.playing(parts, bijections)


class AffineCouplings(ChangesVariables):
    """``model=realnvp``: affine couplings, of perceptrons, or of convolutions at several scales."""

    def __init__(
        self,
        base: str,
        space: str,
        margin: float,
        couplings: int,
        hidden: list[int],
        network: str,
        scales: int,
        width: int,
        blocks: int,
    ) -> None:
        super().__init__(base, space, margin)
        self.couplings, self.hidden, self.network = couplings, hidden, network
        self.scales, self.width, self.blocks = scales, width, blocks

    def game(self, parts: Parts) -> FlowGame:
        classes, width, blocks = parts.classes, self.width, self.blocks
        pictures = len(parts.shape) == 3 and self.network != "mlp"

        def convolutions(inputs: int, outputs: int) -> nn.Module:
            return Convolutions(inputs, outputs, classes, width, blocks)

        def bijections(size: int) -> list[Bijection]:
            first = Affine(size, self.first(parts))
            if pictures:
                return [first, Scale(parts.shape, self.scales, self.couplings, convolutions)]
            make = perceptrons(classes, self.hidden)
            return [first, *(AffineCoupling(split, make) for split in alternating(size, self.couplings))]

        return self.playing(parts, bijections)


class AutoregressiveFlow(ChangesVariables):
    """``model=maf`` and, with bins, ``model=spline_flow``."""

    def __init__(
        self,
        base: str,
        space: str,
        margin: float,
        layers: int,
        hidden: list[int],
        order: str,
        passes: int,
        bins: int | None = None,
    ) -> None:
        super().__init__(base, space, margin)
        self.layers, self.hidden, self.order, self.passes, self.bins = layers, hidden, order, passes, bins

    def game(self, parts: Parts) -> FlowGame:
        flows = zuko_flows(parts.config.model.name)
        kind = flows.MAF if self.bins is None else flows.NSF
        random, passes = self.order == "random", self.passes or None

        def bijections(size: int) -> list[Bijection]:
            flow = Autoregressive(kind, size, parts.classes, self.layers, self.hidden, passes, random, self.bins)
            return [Affine(size, self.first(parts)), flow]

        return self.playing(parts, bijections)


def perceptrons(classes: int, hidden: list[int]) -> MakeNet:
    return lambda inputs, outputs: Perceptron(inputs, outputs, classes, hidden)
