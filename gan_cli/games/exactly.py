"""How trained networks are asked: as they are used, and with the same bits in every process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from gan_cli.distributed import by_itself
from gan_cli.games.game import Game
from gan_cli.random import seed_all

PRODUCTS: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]  # of CPUs alone, and not in torch's types


@contextmanager
def as_used(game: Game, device: torch.device, seed: int) -> Iterator[None]:
    """The networks of a game as they are used, and draws that follow from the seed and change nobody else's.

    One of several processes that train together asks as if it were the only one.
    """
    modes = {network: network.training for network in game.networks.values()}
    with by_itself(), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        seed_all(seed, "asked", device=device)
        try:
            for network in modes:
                network.eval()
            yield
        finally:
            for network, mode in modes.items():
                network.train(mode)


@contextmanager
def exact_kernels() -> Iterator[None]:
    """Deterministic float32 kernels, whatever precision or library a run has switched on: the same in every process."""
    before = torch.backends.cuda.matmul.allow_tf32, PRODUCTS.fp32_precision
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        torch.backends.cuda.matmul.allow_tf32, PRODUCTS.fp32_precision = False, "ieee"
        try:
            yield
        finally:
            torch.backends.cuda.matmul.allow_tf32, PRODUCTS.fp32_precision = before
