"""Figures of the lecture's arguments: measured during a run, and drawn at its end.

A figure is a function of ``metrics.jsonl`` and of the finished run, so a resumed run draws the same one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.errors import UserError
from gan_cli.games.adversarial import AdversarialGame
from gan_cli.runs.records import Record

if TYPE_CHECKING:
    from gan_cli.training.setup import Setup


class Figure:
    """Writes ``figure.png`` and, beside it, the numbers in ``figure.json``.

    Raises:
        UserError: if the run is not of the kind the figure is about.
    """

    def __init__(self, setup: Setup, game: AdversarialGame) -> None:
        self.setup, self.game = setup, game

    def measure(self, images: int) -> dict[str, float]:
        """More numbers for a line of ``metrics.jsonl``, after so many images; must not change the networks."""
        return {}

    def draw(self, records: list[Record], path: Path) -> dict[str, object]:
        """Draws ``path`` from the lines of ``metrics.jsonl`` and returns the numbers in it."""
        raise AssertionError("a figure defines draw()")


def figure_of(name: str, setup: Setup) -> Figure:
    """A figure by name.

    Raises:
        UserError: if the game is not one it is about.
    """
    if not isinstance(setup.game, AdversarialGame):
        raise UserError(f"figure={name}: is about model=gan, not model={setup.config.model.name}: leave it out")
    if name == "saturation":
        from gan_cli.runs.figures.saturation import Saturation

        return Saturation(setup, setup.game)
    from gan_cli.runs.figures.kl_vs_js import KLvsJS

    return KLvsJS(setup, setup.game)
