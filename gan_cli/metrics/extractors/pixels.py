"""Pixels as they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from gan_cli.metrics.extractors.extractor import Extractor


class Pixels(Extractor):
    """The flattened picture in [−1, 1]: no network, and no eye for what matters in it either."""

    def features(self, values: np.ndarray) -> np.ndarray:
        """uint8 (N, C, H, W) → float32 (N, C·H·W)."""
        return values.reshape(len(values), -1).astype(np.float32) * np.float32(2 / 255) - 1

    def provenance(self) -> dict[str, Any]:
        return {"resize": "none"}
