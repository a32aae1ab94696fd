"""Randomness as a function of where the run is, not of what was drawn before.

Every draw comes from a stream named by its place: ``(seed, "move", step, player, move)``, ``(seed, "order", player,
epoch)``, ``(seed, "samples")``. So a checkpoint holds no generator state, observers may draw what they like, and a
resumed run draws what the undisturbed one would have drawn.
"""

from __future__ import annotations

import hashlib

import torch


def key(*place: int | str) -> int:
    """A 63-bit seed for a place: equal places give equal seeds, different ones unrelated seeds."""
    digest = hashlib.blake2b(repr(place).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def stream(*place: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator of its own for a place."""
    return torch.Generator(device).manual_seed(key(*place))


def seed_all(*place: int | str, device: torch.device) -> None:
    """Points the default generators, which dropout and initialisation draw from, at a place."""
    torch.default_generator.manual_seed(key(*place))  # torch.manual_seed would also wake CUDA, at 100 µs a call
    if device.type == "cuda":
        torch.cuda.init()  # before this there are no generators
        number = torch.cuda.current_device() if device.index is None else device.index
        torch.cuda.default_generators[number].manual_seed(key(*place))
    elif device.type == "mps":
        torch.mps.manual_seed(key(*place))
