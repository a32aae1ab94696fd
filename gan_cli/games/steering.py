"""Adaptive augmentation (Karras et al. 2020, section 3.1): the more D overfits, the more it is kept from it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gan_cli.distributed import mean, part, parts, world

EVERY = 4  # moves of D between changes of the probability, as in the paper


class Steering:
    """The probability of augmentation, which follows how sure D is of training data.

    r = E sign(D(x)) is near 0 where D cannot tell data from samples, and 1 where it knows them all by heart. Every few
    moves the probability rises if r is above its target and falls if it is below, by images seen / ``images``. All of
    it lies on the device, so that nothing waits for it.

    Args:
        target: of r.
        images: in which the probability can go from 0 to 1.
        start: the probability at first.
    """

    def __init__(self, target: float, images: int, start: float, device: torch.device) -> None:
        self.target, self.images = target, images
        self.probability = torch.full((), start, device=device)
        self.signs, self.seen = torch.zeros((), device=device), torch.zeros((), device=device)

    @torch.no_grad()
    def saw(self, real_logits: Tensor, images: int, *, change: bool) -> dict[str, Tensor]:
        """Takes D's logits of so many training images into account; the statistics for the log.

        Args:
            change: whether the probability changes now.
        """
        sure = mean(real_logits.sign().float().mean())
        now = self.probability.clone()
        self.signs += sure * images * world()
        self.seen += images * world()
        if change and part() + 1 == parts():  # not before the last part of a move has been seen
            way = (self.signs / self.seen - self.target).sign()
            self.probability.add_(way * self.seen / self.images).clamp_(0, 1)
            self.signs.zero_()
            self.seen.zero_()
        return {"augmentation/probability": now, "augmentation/sign": sure}

    def kept(self) -> dict[str, Tensor]:
        """The state for a checkpoint."""
        return {name: value.clone() for name, value in self._state.items()}

    def restore(self, kept: Mapping[str, Tensor]) -> None:
        """Puts back what ``kept`` returned."""
        for name, value in self._state.items():
            value.copy_(kept[name])

    @property
    def _state(self) -> dict[str, Tensor]:
        return {"probability": self.probability, "signs": self.signs, "seen": self.seen}
