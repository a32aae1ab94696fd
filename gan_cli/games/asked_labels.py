"""The labels that a generator takes: which there are, and how one asks for them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from gan_cli.data.conditions import SWEPT, Conditions
from gan_cli.games.labels import conditions_of, labels_of


class TakesLabels:
    """What takes labels, or none.

    Attributes:
        classes: number of labels, or ``Columns`` of conditions; 0 if it takes none.
        names: the names of those classes by label; empty where they have none.
        conditions: what it is given in place of one of so many classes; None where it is given a class, or nothing.
    """

    classes: int
    names: tuple[str, ...]
    conditions: Conditions | None

    def labels_of(self, seeds: Iterable[int]) -> Tensor | None:
        """The label of each seed: int64 (n,), ``seed % classes``, or float32 (n, k), a row of the conditions.

        None unless the generator is conditional.
        """
        if self.conditions is not None:
            return torch.from_numpy(self.conditions.of(seeds))
        return torch.tensor([seed % self.classes for seed in seeds]) if self.classes else None

    def turn(self) -> Tensor | None:
        """Labels that show what the generator makes of them: each class, or a sweep of conditions.

        None unless the generator is conditional.
        """
        if self.conditions is not None:
            return torch.from_numpy(self.conditions.sweep(SWEPT))
        return torch.arange(self.classes) if self.classes else None

    def labels_named(self, text: str) -> Tensor:
        """The labels that a text names, as ``gan-sample label=`` takes it: int64 (m,), or float32 (m, k).

        Raises:
            ValueError: if there are no such labels, or the generator is not conditional.
        """
        if not self.classes:
            raise ValueError(f"label={text}: not a conditional generator")
        try:
            if self.conditions is not None:
                return torch.tensor(conditions_of(text, self.conditions))
            return torch.tensor(labels_of(text, self.names, self.classes))
        except ValueError as error:
            raise ValueError(f"label={text}: {error}") from error

    def said(self, label: Tensor) -> str:
        """A label in words: the name of its class, or its number; conditions as ``label=…`` takes them."""
        if self.conditions is not None:
            return self.conditions.said(label.tolist())
        return self.names[int(label)] if self.names else str(int(label))

    def require(self, labels: Tensor, n: int) -> None:
        """Raises ValueError if these are no labels for n samples."""
        if not self.classes:
            raise ValueError("labels: not a conditional generator")
        if self.conditions is not None:
            if labels.shape != (n, self.classes) or not labels.is_floating_point():
                names = ", ".join(column.name for column in self.conditions.columns)
                raise ValueError(
                    f"labels: must be float32 ({n}, {self.classes}), conditions as networks see them: {names}"
                )
        elif labels.is_floating_point() or labels.shape != (n,) or not 0 <= labels.min() <= labels.max() < self.classes:
            raise ValueError(f"labels: must be {n} numbers below {self.classes}")
