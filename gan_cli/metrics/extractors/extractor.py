"""What all feature extractors share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from gan_cli.data.samples import Samples


class Extractor:
    """Pictures to features.

    An extractor of one's own needs ``features``; with ``probabilities`` it serves the metrics that look at classes, and
    says by ``of_labels = False`` that these are others than the dataset's.
    """

    device = torch.device("cpu")
    tells_classes = False  # has probabilities()
    of_labels = True  # probabilities() are those of the dataset's own labels, in their order

    def prepare(self, training: Samples, held_out: Callable[[], Samples | None], device: torch.device) -> None:
        """Called once with the data of the run; ``held_out`` loads what was not trained on."""
        self.device = device

    def refusal(self, samples: Samples) -> str | None:
        """Why it cannot be used with these pictures, with what would help; None if it can. Needs no preparation."""
        return None

    def features(self, values: np.ndarray) -> np.ndarray:
        """uint8 (N, C, H, W) → float32 (N, F)."""
        raise AssertionError("an extractor defines features()")

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """uint8 (N, C, H, W) → float32 (N, classes), of an extractor that tells classes."""
        raise AssertionError("an extractor that tells classes defines probabilities()")

    def provenance(self) -> dict[str, Any]:
        """What a reader must know to compare figures: the weights' hash, how pictures are resized."""
        return {}
