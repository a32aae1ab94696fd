"""The extractor that fits the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.samples import Samples
from gan_cli.metrics.extractors.classifier import Classifier
from gan_cli.metrics.extractors.efficientnet import INSTALL, EfficientNet, installed
from gan_cli.metrics.extractors.extractor import Extractor


class Auto(Extractor):
    """The classifier where the pictures have labels for it to learn, else EfficientNet-Lite0, if it is installed.

    Args:
        root, seed, epochs: of the classifier.
    """

    def __init__(self, root: str, seed: int, epochs: int) -> None:
        self._classifier, self._other = Classifier(root, seed, epochs), EfficientNet()
        self._chosen: Classifier | EfficientNet = self._classifier
        self.tells_classes = True

    def prepare(self, training: Samples, held_out: Callable[[], Samples | None], device: torch.device) -> None:
        self.refusal(training)
        self._chosen.prepare(training, held_out, device)

    def refusal(self, samples: Samples) -> str | None:
        """As of the extractor that these pictures are for, which is chosen with this."""
        unfit = self._classifier.refusal(samples)
        self._chosen = self._other if unfit and installed() else self._classifier
        self.tells_classes, self.tells_conditions = self._chosen.tells_classes, self._chosen.tells_conditions
        if unfit and not installed():
            return f"{unfit}, or, for features that need no labels: {INSTALL}"
        return self._chosen.refusal(samples)

    def width(self, shape: tuple[int, ...]) -> int | None:
        return self._chosen.width(shape)

    def features(self, values: np.ndarray) -> np.ndarray:
        return self._chosen.features(values)

    def embedded(self, x: Tensor) -> Tensor:
        return self._chosen.embedded(x)

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        return self._chosen.probabilities(values)

    def conditions(self, values: np.ndarray) -> np.ndarray:
        return self._chosen.conditions(values)

    def provenance(self) -> dict[str, object]:
        name = "classifier" if self._chosen is self._classifier else "efficientnet"
        return {"name": name, **self._chosen.provenance()}

    def signature(self) -> Mapping[str, object] | None:
        return self._chosen.signature()
