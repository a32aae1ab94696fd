"""Extractors, whose features are looked at."""

from __future__ import annotations

from typing import Any

import numpy as np

from gan_cli.config.asking import asked, is_own, kind, method
from gan_cli.config.library import Library
from gan_cli.config.options import Choice
from gan_cli.errors import UserError
from gan_cli.metrics.extractors.extractor import Extractor


def extractor_of(library: Library, choice: Choice) -> Any:
    """The extractor that an option names; one of one's own is looked at whenever it is asked."""
    made = library.build("extractor", choice)
    return AskedExtractor(made, f"extractor={choice.name}") if is_own(made) else made


class AskedExtractor:
    """An extractor of one's own, which need not define more than ``features(values)``."""

    def __init__(self, own: Any, who: str) -> None:
        method(own, who, "features", "values", np.zeros(()))
        self._own, self._who = own, who

    def __getattr__(self, name: str) -> Any:
        if name == "probabilities":
            own = self._own.probabilities
            return lambda values: self._numbers(name, own, values)
        if name in ("prepare", "refusal", "provenance") and not hasattr(self._own, name):
            return getattr(Extractor(), name)
        return getattr(self._own, name)

    def features(self, values: np.ndarray) -> np.ndarray:
        """float32 (N, F)."""
        found = self._numbers("features", self._own.features, values)
        if found.ndim != 2:
            raise UserError(f"{self._who}: features() returned {kind(found)}: return float32 ({len(values)}, F)")
        return found

    def _numbers(self, name: str, function: Any, values: np.ndarray) -> np.ndarray:
        with asked(f"{self._who}: {name}({kind(values)})"):
            found = function(values)
        if not isinstance(found, np.ndarray) or len(found) != len(values) or found.dtype.kind != "f":
            raise UserError(
                f"{self._who}: {name}() returned {kind(found)} for {len(values)} pictures: return a NumPy array, "
                f"float32 ({len(values)}, F)"
            )
        if not np.isfinite(found).all():
            raise UserError(f"{self._who}: {name}() returned numbers that are not finite")
        return found
