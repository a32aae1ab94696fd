"""Paths between latents, and sums of latents."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from gan_cli.commands.sampling.grammar import Term
from gan_cli.games.sampler import Sampler


def linear(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """(1 − t) a + t b: latents (size,) and shares (n,) to (n, size)."""
    return torch.outer(1 - t, a) + torch.outer(t, b)


def spherical(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """sin((1 − t) Ω) / sin Ω · a + sin(t Ω) / sin Ω · b, with Ω the angle between them (Shoemake 1985).

    Between latents of a normal prior, which lie near a sphere when they are long, a straight line leads through
    short ones that the generator has never seen (White 2016, section 2). (size,), (n,) → (n, size).
    """
    angle = torch.arccos((a @ b / (a.norm() * b.norm())).clamp(-1, 1))
    if angle.sin() < 1e-4:  # parallel: there is no arc
        return linear(a, b, t)
    return torch.outer(((1 - t) * angle).sin() / angle.sin(), a) + torch.outer((t * angle).sin() / angle.sin(), b)


WAYS = {"linear": linear, "spherical": spherical}


def legs(latents: Tensor, way: str, frames: int) -> Tensor:
    """From each latent of (k, size) to the next, both included: (k − 1, frames, size)."""
    t = torch.linspace(0, 1, frames)
    return torch.stack([WAYS[way](a, b, t) for a, b in pairwise(latents)])


def loop(latents: Tensor, way: str, frames: int) -> Tensor:
    """From each latent of (k, size) to the next and back to the first, each once: (k · (frames − 1), size)."""
    return legs(torch.cat([latents, latents[:1]]), way, frames)[:, :-1].flatten(0, 1)


def summed(sampler: Sampler, terms: Sequence[Term]) -> Tensor:
    """The average latent of each term, and last their sum (Radford et al. 2016, section 6.3.2): (k + 1, size)."""
    averages = torch.stack([sampler.latents_of(term.seeds).mean(dim=0) for term in terms])
    signs = torch.tensor([float(term.sign) for term in terms])
    return torch.cat([averages, (signs @ averages)[None]])
