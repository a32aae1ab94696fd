"""Ways to tell networks a label besides appending it to what they see: around a network of any architecture.

Labels are classes, int64 (B,), or conditions, float32 (B, k), as in ``gan_cli.models.labels``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

from gan_cli.data.conditions import Columns, Kind
from gan_cli.models.labels import one_hot_of
from gan_cli.models.widening import widened

EMBEDDED, HIDDEN = 16, 64  # numbers that a label is embedded in; units between conditions and these


@runtime_checkable
class HasHead(Protocol):
    """A discriminator whose logit is a layer's output of features.

    Attributes:
        out: the last layer: (B, F) → (B, 1).
    """

    out: nn.Module

    def features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """x (B, *shape) → (B, F)."""
        ...


@runtime_checkable
class TellsLabels(Protocol):
    """A discriminator that also tells the label of what it sees, and so is not given it."""

    def features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """x (B, *shape) → (B, F)."""
        ...

    def logits(self, features: Tensor) -> Tensor:
        """(B, F) → (B,)."""
        ...

    def error(self, features: Tensor, labels: Tensor) -> Tensor:
        """How far what it tells is from the labels, a scalar: in nats; of numbers, half of the square."""
        ...


class Conditioned(nn.Module):
    """A network with what tells it labels.

    Args:
        network: made for other labels than those that this one is given, or for none.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network


def inner(network: nn.Module) -> nn.Module:
    """The network of an architecture, without what tells it labels."""
    return network.network if isinstance(network, Conditioned) else network


class Coded(nn.Module):
    """Labels as ``width`` learnt numbers: a row for each class, or a small perceptron of conditions.

    Args:
        deviation: of a class's numbers at first, and about that of conditions.
        spectral: whether its layers have a spectral norm.
    """

    def __init__(self, classes: int, width: int, deviation: float, *, spectral: bool = False) -> None:
        super().__init__()
        self.classes = classes
        last = nn.Linear(HIDDEN if isinstance(classes, Columns) else classes, width, bias=isinstance(classes, Columns))
        nn.init.normal_(last.weight, 0.0, deviation)
        layers: list[nn.Module] = [last]
        if isinstance(classes, Columns):
            nn.init.normal_(last.weight, 0.0, deviation * (2 / HIDDEN) ** 0.5)
            nn.init.normal_(last.bias, 0.0, deviation)
            layers = [nn.Linear(classes, HIDDEN), nn.LeakyReLU(0.2), last]
        self.layers = nn.Sequential(*layers)
        if spectral:
            for layer in layers:
                if isinstance(layer, nn.Linear):
                    spectral_norm(layer)

    def forward(self, labels: Tensor | None, like: Tensor) -> Tensor:
        """(B, width)."""
        return self.layers(one_hot_of(labels, self.classes, like))


class Embedded(Conditioned):
    """A network that is given a learnt embedding of the label in place of it, (B, ``EMBEDDED``)."""

    def __init__(self, network: nn.Module, classes: int) -> None:
        super().__init__(network)
        self.embedding = Coded(classes, EMBEDDED, 1.0)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.network(x, self.embedding(labels, x))


class EmbeddedJudge(Embedded):
    """The same of a discriminator with features."""

    def features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """The features that the last layer works on, (B, F)."""
        assert isinstance(self.network, HasHead)
        return self.network.features(x, self.embedding(labels, x))


class Headed(Conditioned):
    """A discriminator that is not given the label before its features."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        self.width = features_of(network)

    def features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """The features that the last layer works on, (B, F)."""
        assert isinstance(self.network, HasHead)
        return self.network.features(x)

    def logits(self, features: Tensor) -> Tensor:
        """(B, F) → (B,)."""
        assert isinstance(self.network, HasHead)
        return self.network.out(features).squeeze(1)


class Projecting(Headed):
    """logit = head(φ(x)) + ⟨e(y), φ(x)⟩, with φ the features and e an embedding of the label (Miyato & Koyama 2018)."""

    def __init__(self, network: nn.Module, classes: int) -> None:
        super().__init__(network)
        assert isinstance(network, HasHead)
        self.embedding = Coded(classes, self.width, self.width**-0.5, spectral=is_parametrized(network.out))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        features = self.features(x)
        return self.logits(features) + (features * self.embedding(labels, features)).sum(dim=1)


class Telling(Headed):
    """An auxiliary classifier, or a regressor of conditions, beside the head (AC-GAN, Odena, Olah & Shlens 2017)."""

    def __init__(self, network: nn.Module, classes: int) -> None:
        super().__init__(network)
        self.told = nn.Linear(self.width, classes)
        nn.init.normal_(self.told.weight, 0.0, self.width**-0.5)
        nn.init.zeros_(self.told.bias)
        self.kinds = classes.kinds if isinstance(classes, Columns) else ()

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.logits(self.features(x))

    def error(self, features: Tensor, labels: Tensor) -> Tensor:
        """The mean over samples, and over conditions: −log p(label | x), or half the square of a number's error."""
        return error_of(widened(self.told(features)), labels, self.kinds)


def error_of(told: Tensor, labels: Tensor, kinds: Sequence[Kind]) -> Tensor:
    """−log p(label) of classes by their logits (B, K), or the mean over conditions of that of an attribute by its logit
    and of half the square of a number's error: a scalar.

    Args:
        kinds: of each condition.
    """
    if not labels.is_floating_point():
        return cross_entropy(told, labels)
    labels, parts = labels.to(told.dtype), []
    if some := [i for i, kind in enumerate(kinds) if kind == "attribute"]:
        each = _columns(told, some), _columns(labels, some)
        parts.append(binary_cross_entropy_with_logits(*each, reduction="none"))
    if some := [i for i, kind in enumerate(kinds) if kind == "number"]:
        parts.append((_columns(told, some) - _columns(labels, some)).square() / 2)
    return torch.cat(parts, dim=1).mean()


def _columns(x: Tensor, some: list[int]) -> Tensor:
    """Some columns of x (B, K): without a list as an index, which a GPU would have to wait for."""
    return x if len(some) == x.shape[1] else torch.stack([x[:, i] for i in some], dim=1)


def features_of(network: nn.Module) -> int:
    """The number of features of a discriminator. Raises ValueError if its logit is no layer's output of features."""
    weights = network.out.parameters() if isinstance(network, HasHead) else ()
    matrices = [weight for weight in weights if weight.dim() == 2]
    if not matrices:
        raise ValueError(
            "its discriminator must have features(x, labels=None), (B, F), and out, the layer that makes logits of them"
        )
    return matrices[0].shape[1]


class Around:
    """``conditioning=…``: what labels the networks of an architecture are made for, and what is put around them.

    Args:
        classes: the number of labels that the players see, or ``Columns`` of conditions.
        projects: whether the architecture's own discriminators project on the label.
    """

    def __init__(self, how: str, classes: int, *, projects: bool) -> None:
        self.how, self.classes = how if classes else "concat", classes
        if how == "projection" and projects:
            self.how = "concat"

    def given(self, judge: bool) -> int:
        """The number of labels that a discriminator, or another network, is made for."""
        if self.how == "embedding":
            return Columns.of_numbers(EMBEDDED)
        return 0 if judge and self.how in ("projection", "auxiliary") else self.classes

    def put(self, network: nn.Module, judge: bool) -> nn.Module:
        """A network that was made for ``given`` labels, as it is given those of the players.

        Raises:
            ValueError: if it is no network for that.
        """
        if self.how == "embedding":
            return (EmbeddedJudge if judge and isinstance(network, HasHead) else Embedded)(network, self.classes)
        if judge and self.how == "projection":
            return Projecting(network, self.classes)
        return Telling(network, self.classes) if judge and self.how == "auxiliary" else network
