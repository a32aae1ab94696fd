"""Feature matching (Salimans et al. 2016, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gan_cli.distributed import mean
from gan_cli.losses.games import CrossEntropyGame


@dataclass(frozen=True, kw_only=True)
class FeatureMatching(CrossEntropyGame):
    """D plays the cross-entropy game; G matches the mean of D's last features on data and on samples."""

    generator_sees_real: ClassVar[bool] = True
    generator_sees_features: ClassVar[bool] = True

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """‖E f(x) − E f(G(z))‖², of features (B, F)."""
        if real_logits is None:
            raise ValueError("feature matching needs the features of real samples too")
        return mean(real_logits.mean(dim=0) - fake_logits.mean(dim=0)).square().sum()
