"""Hints for the user about typical failures of a GAN."""

from __future__ import annotations

import logging

import torch
from torch import Tensor

from gan_cli.runs.records import Record

log = logging.getLogger(__name__)

CERTAIN = 0.99  # D(x) above it and D(G(z)) below its complement: D makes no mistakes


class Hints:
    """Logs each hint once."""

    def __init__(self, loss: str) -> None:
        self.loss = loss
        self._said: set[str] = set()

    def _say(self, state: str, hint: str) -> None:
        if state not in self._said:
            self._said.add(state)
            log.warning("hint: %s", hint)

    def record(self, record: Record) -> None:
        """Checks a record; called by the log."""
        real, fake = record.get("D/real"), record.get("D/fake")  # a critic has none
        if real is None or fake is None or real < CERTAIN or fake > 1 - CERTAIN:
            return
        if self.loss == "minimax":  # dJ(G)/dlogit = -½ D(G(z)); of the non-saturating game, -½ (1 - D(G(z)))
            self._say(
                "certain",
                f"D is certain of every sample, and with loss=minimax the generator's gradient goes with "
                f"D(G(z)) = {fake:.1g}: it has all but vanished: try loss=non_saturating or a lower discriminator.lr",
            )
        elif (record.get("epoch") or 0.0) >= 1:
            self._say(
                "certain",
                "D is certain of every sample, so its gradient tells the generator little: try a smaller or "
                "slower D (discriminator.lr), dropout, or fewer discriminator.steps",
            )

    def samples(self, samples: Tensor) -> None:
        """Checks whether all samples are the same; called by the sample grids."""
        if not torch.isfinite(samples).all():
            self._say("not finite", "the generator's output is not finite")
        elif len(samples) > 1 and samples.std(dim=0).mean() < 1e-3 * max(1e-3, float(samples.abs().max())):
            self._say(
                "constant",
                "the generator gives the same sample for every z (a full mode collapse): try another seed, "
                "a lower lr, or batch norm in G",
            )
