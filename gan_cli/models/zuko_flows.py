"""Autoregressive flows of the package zuko: affine (Papamakarios et al. 2017) and splines (Durkan et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.models.flows import Bijection
from gan_cli.models.labels import one_hot_of

FARTHEST = 1e20  # beyond any sample, and so far below the largest float32 that sums of products stay finite


def zuko_flows(model: str) -> ModuleType:
    """The flows of zuko.

    Raises:
        UserError: if it is not installed.
    """
    try:
        import zuko.flows
    except ImportError as error:
        raise UserError(f"model={model}: needs the package zuko: pip install 'gan-cli[flows]'") from error
    return zuko.flows


class Autoregressive(Bijection):
    """yᵢ = f(xᵢ; θᵢ), where a masked perceptron tells θᵢ of those before xᵢ: log |det ∂y/∂x| = Σ log f′(xᵢ; θᵢ).

    Args:
        kind: ``MAF``, where f is affine, or ``NSF``, where it is a monotonic spline on [−5, 5].
        passes: that the inverse takes; None: as many as there are numbers; 2 are a coupling layer.
        bins: of the splines.
    """

    def __init__(
        self,
        kind: type,
        size: int,
        classes: int,
        layers: int,
        hidden: Sequence[int],
        passes: int | None,
        random: bool,
        bins: int | None,
    ) -> None:
        super().__init__()
        self.classes = classes
        options = {} if bins is None else {"bins": bins}
        flow = kind(
            size, classes, transforms=layers, passes=passes, randperm=random, hidden_features=tuple(hidden), **options
        )
        self.transform = flow.transform

    def told(self, labels: Tensor | None, like: Tensor) -> Tensor | None:
        """Labels, one-hot, or conditions as they are: (B, classes)."""
        return one_hot_of(labels, self.classes, like) if self.classes else None

    def forward(self, x: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        y, log_det = self.transform(self.told(labels, x)).call_and_ladj(x)
        return y, log_det

    def inverse(self, y: Tensor, labels: Tensor | None) -> Tensor:
        for transform in reversed(self.transform(self.told(labels, y)).transforms):
            y = inverse_of(transform, y)
        return y


def inverse_of(transform: Any, y: Tensor) -> Tensor:
    """zuko's inverse of one transform, except that numbers beyond ±``FARTHEST`` stay there.

    Each pass settles one number, given those before it, and guesses the others. A guess that overflows would make NaN
    of all numbers: a masked weight of 0, times ∞.
    """
    if not hasattr(transform, "passes"):  # a coupling or a permutation
        x: Tensor = transform.inv(y)
        return x.clamp(-FARTHEST, FARTHEST)
    x = torch.zeros_like(y)
    for _ in range(transform.passes):
        x = transform.meta(x).inv(y).clamp(-FARTHEST, FARTHEST)
    return x
