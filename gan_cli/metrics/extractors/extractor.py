"""The interface of a feature extractor, and the base of the shipped ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from gan_cli.config.options import Group
from gan_cli.data.samples import Samples


class Extracts(Protocol):
    """What an extractor must define. Pictures are given as they are stored: uint8, or float32 in [−1, 1]."""

    def features(self, values: np.ndarray) -> np.ndarray:
        """(N, C, H, W) → float32 (N, F)."""
        ...


EXTRACTOR = Group[Extracts]("extractor")


@runtime_checkable
class Differentiable(Protocol):
    """An extractor whose features have a gradient."""

    def embedded(self, x: Tensor) -> Tensor:
        """Pictures (N, C, H, W) in [−1, 1] → the features that their bytes would have, (N, F)."""
        ...


class Extractor:
    """Maps pictures to features.

    An extractor of your own needs only ``features``. With ``probabilities`` it serves the metrics of classes too;
    ``of_labels = False`` then says that its classes are not those of the dataset.
    """

    device = torch.device("cpu")
    tells_classes = False  # whether there is probabilities()
    tells_conditions = False  # whether there is conditions()
    of_labels = True  # whether probabilities() are of the dataset's own labels, in their order

    def prepare(self, training: Samples, held_out: Callable[[], Samples | None], device: torch.device) -> None:
        """Called once with the training data; ``held_out`` loads the samples that were not trained on."""
        self.device = device

    def refusal(self, samples: Samples) -> str | None:
        """Why it cannot be used with these pictures, and what would help; None if it can. Works before ``prepare``."""
        return None

    def width(self, shape: tuple[int, ...]) -> int | None:
        """F for pictures of a shape (C, H, W), before any are seen; None where only features tell."""
        return None

    def features(self, values: np.ndarray) -> np.ndarray:
        """(N, C, H, W) → float32 (N, F)."""
        raise AssertionError("an extractor defines features()")

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """(N, C, H, W) → float32 (N, classes), if the extractor tells classes."""
        raise AssertionError("an extractor that tells classes defines probabilities()")

    def conditions(self, values: np.ndarray) -> np.ndarray:
        """uint8 (N, C, H, W) → float32 (N, k): logits of attributes, standardised numbers; if it tells conditions."""
        raise AssertionError("an extractor that tells conditions defines conditions()")

    def provenance(self) -> dict[str, object]:
        """What a reader must know to compare values: the weights' hash, how pictures are resized."""
        return {}

    def signature(self) -> Mapping[str, object] | None:
        """All that features depend on, besides the pictures; None if nobody knows, or they are as soon computed."""
        return None


def signature_of(name: str, provenance: Mapping[str, object]) -> Mapping[str, object] | None:
    """That of a network, by the hash of its weights and how it is shown a picture; None before it is there."""
    if "weights" not in provenance:
        return None
    return {"name": name, **{key: provenance[key] for key in ("weights", "resize")}}


def channels_refused(extractor: str, samples: Samples) -> str | None:
    """Why a network that has seen photographs cannot take these pictures; None if it can."""
    if samples.is_image and samples.shape[0] > 4:
        return f"extractor={extractor} sees 1 to 4 channels, and these have {samples.shape[0]}: use extractor=pixels"
    return None


def bytes_of(values: np.ndarray) -> Tensor:
    """Stored pictures, (N, 1 or 3, H, W), from 0 to 255; at full depth, between the bytes too. Alpha is over white."""
    pictures = torch.from_numpy(np.ascontiguousarray(values))
    bytes_ = (pictures + 1) * 127.5 if pictures.is_floating_point() else pictures.float()
    return over_white(bytes_)


def over_white(levels: Tensor) -> Tensor:
    """Pictures of 1 to 4 channels, from 0 to 255, without their alpha: (N, 1 or 3, H, W)."""
    if levels.shape[1] in (1, 3):
        return levels
    return 255 + (levels[:, :-1] - 255) * levels[:, -1:] / 255
