"""Pixels as features."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from gan_cli.metrics.extractors.extractor import Extractor


class Pixels(Extractor):
    """The flattened picture in [−1, 1], without a network; every pixel counts equally."""

    def width(self, shape: tuple[int, ...]) -> int:
        return math.prod(shape)

    def features(self, values: np.ndarray) -> np.ndarray:
        """(N, C, H, W) → float32 (N, C·H·W)."""
        flat = values.reshape(len(values), -1)
        return flat if flat.dtype == np.float32 else flat.astype(np.float32) * np.float32(2 / 255) - 1

    def embedded(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C·H·W)."""
        return x.flatten(1)

    def provenance(self) -> dict[str, object]:
        return {"resize": "none"}
