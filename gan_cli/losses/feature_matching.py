"""Feature matching (Salimans et al. 2016, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from gan_cli.distributed import mean
from gan_cli.losses.games import CrossEntropyGame


@dataclass(frozen=True, kw_only=True)
class FeatureMatching(CrossEntropyGame):
    """D plays the cross-entropy game; G matches the mean of D's last features on data and on samples.

    ``over_features``: the ``sum`` of the paper's norm, or the ``mean`` of the authors' code. That is a factor, which
    Adam heeds where gradients are as small as its epsilon.
    """

    over_features: Literal["sum", "mean"]

    generator_sees_real: ClassVar[bool] = True
    generator_sees_features: ClassVar[bool] = True

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """‖E f(x) − E f(G(z))‖², or that / F, of features (B, F)."""
        if real_logits is None:
            raise ValueError("feature matching needs the features of real samples too")
        squares = mean(real_logits.mean(dim=0) - fake_logits.mean(dim=0)).square()
        return squares.sum() if self.over_features == "sum" else squares.mean()
