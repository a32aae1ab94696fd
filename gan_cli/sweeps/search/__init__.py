"""Searches: which values to try next, and which runs to end early. Torch-free."""

from __future__ import annotations

import sys
from pathlib import Path


def register() -> None:
    """Tells Hydra of the class that ``hydra/sweeper=random`` and ``optuna`` name."""
    place = str(Path(__file__).parent)  # a part of the namespace package ``hydra_plugins`` lies here
    if place not in sys.path:
        sys.path.append(place)
    from hydra.core.plugins import Plugins
    from hydra_plugins.gan_cli_search import Search

    Plugins.instance().register(Search)
