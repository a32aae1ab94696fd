"""How stored pictures are presented to a model: unchanged, binarised, or dequantised."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.samples import Samples
from gan_cli.random import key, uniform_like

BLOCK = 4096  # pictures that are drawn at a time


@dataclass(frozen=True)
class Presentation:
    """The conversion of stored pictures to the input of a model.

    ``binarise`` (Salakhutdinov & Murray 2008): a pixel is white with the probability of its grey, byte/255, drawn anew
    at each presentation (``dynamic``) or once (``fixed``); ``threshold``: if its byte is above 127. ``dequantise``
    (Uria et al. 2013): a byte k becomes (k + u) / 256 of the way from −1 to 1, u ~ U(0, 1) drawn anew. Pictures at full
    depth have a grey of (x + 1)/2, and nothing between their levels to fill.
    """

    binarise: str = "none"
    dequantise: bool = False

    def stored(self, samples: Samples, part: str) -> Samples:
        """The pictures that a run stores: bytes of 0 and 255 if they are binarised only once.

        Args:
            part: which pictures of their source these are: ``train``, ``test``.
        """
        return samples if self.binarise == "dynamic" else self.still(samples, part)

    def still(self, samples: Samples, part: str) -> Samples:
        """The pictures for metrics; ``dynamic`` ones are binarised once, by the same draw as ``fixed``.

        The draw of a picture depends on its place in its part alone. Binary pictures are not changed.
        """
        if self.binarise in ("auto", "none"):
            return samples
        middle = 0 if samples.full_depth else 127
        generator = np.random.default_rng(key("binarise", part))
        drawn = np.empty_like(samples.values, np.uint8)
        for start in range(0, len(drawn), BLOCK):
            grey = samples.values[start : start + BLOCK]
            if self.binarise == "threshold":
                np.multiply(grey > middle, np.uint8(255), out=drawn[start : start + BLOCK])
                continue
            if samples.full_depth:
                grey = (grey + 1) * np.float32(255 / 2)
            white = generator.random(grey.shape, np.float32) * np.float32(255) < grey
            drawn[start : start + BLOCK] = np.where(white, 255, 0)
        return replace(samples, values=drawn, digest=None)

    def __call__(self, stored: Tensor) -> Tensor:
        """Stored pictures (B, …) → float32 in [−1, 1]; draws come from the device's default generator."""
        if stored.is_floating_point():
            if self.binarise == "dynamic":
                return torch.where(uniform_like(stored) * 2 < stored + 1, 1.0, -1.0)
            return stored
        x = stored.float()
        if self.binarise == "dynamic":
            return torch.where(uniform_like(x) * 255 < x, 1.0, -1.0)
        if self.dequantise is True:
            return x.add_(uniform_like(x)).mul_(2 / 256).sub_(1)
        return x.mul_(2 / 255).sub_(1)


AS_IT_IS = Presentation()
