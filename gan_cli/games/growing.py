"""Networks that grow while they are trained: at which stage they are in a move, and what they see there."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from gan_cli.games.game import Strengths
from gan_cli.models.conditioning import inner
from gan_cli.models.equalised import enlarged, faded, reduced
from gan_cli.models.growth import Growth, Stage

log = logging.getLogger(__name__)
STAGE = "growth/"  # of the strength that names the stage of a move: growth/8, or growth/8-16 while 16 fades in


@runtime_checkable
class Growing(Protocol):
    """A network that grows. In a move it makes or sees pictures of the stage's size, at other times whole ones.

    Attributes:
        growth: its stage as a function of the images seen.
        stage: of the move that is being made; None outside of moves.
        images: the images seen, int64, from which the stage follows outside of moves.
    """

    growth: Growth
    stage: Stage | None
    images: Tensor


def growth_of(networks: Iterable[nn.Module]) -> Growth | None:
    """How networks grow; None if they do not."""
    return next((network.growth for network in growing(networks)), None)


def growing(networks: Iterable[nn.Module]) -> list[Growing]:
    """Those of the networks that grow."""
    return [network for network in map(inner, networks) if isinstance(network, Growing)]


def term_of(stage: Stage) -> dict[str, float]:
    """The stage as an active term: moves of one name are of the same operations, and α is its strength."""
    resolution, alpha = stage
    if alpha is None:
        return {f"{STAGE}{resolution}": 1.0}
    return {f"{STAGE}{resolution // 2}-{resolution}": float(alpha)}


def stage_in(strengths: Strengths, growth: Growth, device: torch.device) -> Stage:
    """The stage that the strengths of a move say; without any, the last."""
    for name, alpha in strengths.items():
        if name.startswith(STAGE):
            *below, resolution = name.removeprefix(STAGE).split("-")
            if not below:
                return Stage(int(resolution))
            alpha = alpha if isinstance(alpha, Tensor) else torch.full((), alpha, device=device)  # as in recorded moves
            return Stage(int(resolution), alpha)
    return growth.end


@contextmanager
def at_stage(networks: Iterable[nn.Module], stage: Stage | None) -> Iterator[None]:
    """In this context networks that grow are at a stage."""
    some = growing(networks)
    for network in some:
        network.stage = stage
    try:
        yield
    finally:
        for network in some:
            network.stage = None


def shown_at(stage: Stage, x: Tensor, size: int) -> Tensor:
    """Data (B, C, H, W) as D sees them at a stage: (B, C, h, w), faded as the samples are.

    Args:
        size: the resolution of the data.
    """
    times = size // stage.resolution
    now = reduced(x, times)
    if stage.alpha is None:
        return now
    return faded(enlarged(reduced(x, 2 * times)), now, stage.alpha)


def note_images(growth: Growth, networks: Iterable[nn.Module], before: int, images: int) -> bool:
    """Keeps the images seen in the networks that grow; whether optimizers start afresh with a phase that begins."""
    for network in growing(networks):
        network.images.fill_(images)
    if growth.phase(before) == growth.phase(images):
        return False
    log.info("%s", growth.told(images))
    return growth.resets
