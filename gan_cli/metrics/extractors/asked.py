"""Extractors of the user's own, whose outputs are checked."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getmembers

import numpy as np

from gan_cli.config.asking import asked, is_own, kind, method
from gan_cli.config.library import Library
from gan_cli.config.options import Choice
from gan_cli.errors import UserError
from gan_cli.metrics.extractors.extractor import EXTRACTOR, Extractor, Extracts


def extractor_of(library: Library, choice: Choice) -> Extractor:
    """The extractor that an option names; the outputs of one of your own are checked at every call."""
    made = library.build(EXTRACTOR, choice)
    return (
        made if isinstance(made, Extractor) and not is_own(made) else AskedExtractor(made, f"extractor={choice.name}")
    )


class AskedExtractor(Extractor):
    """An extractor of your own, which need not define more than ``features(values)``."""

    def __init__(self, own: Extracts, who: str) -> None:
        self._features, self._who = method(own, who, "features", "values", np.zeros(())), who
        defined = dict(getmembers(own))
        self._probabilities = defined.get("probabilities")
        self.tells_classes = self._probabilities is not None
        optional = ("prepare", "refusal", "provenance", "of_labels")
        self.__dict__.update({name: defined[name] for name in optional if name in defined})

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """float32 (N, classes)."""
        assert self._probabilities is not None, "asked only if tells_classes"
        return self._numbers("probabilities", self._probabilities, values)

    def features(self, values: np.ndarray) -> np.ndarray:
        """float32 (N, F)."""
        found = self._numbers("features", self._features, values)
        if found.ndim != 2:
            raise UserError(f"{self._who}: features() returned {kind(found)}: return float32 ({len(values)}, F)")
        return found

    def _numbers(self, name: str, function: Callable[[np.ndarray], object], values: np.ndarray) -> np.ndarray:
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
