"""Figures of the lecture's arguments: measured during a run, and drawn at its end.

A figure is a function of ``metrics.jsonl`` and of the finished run, so a resumed run draws the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

from gan_cli.errors import UserError
from gan_cli.games.adversarial import AdversarialGame
from gan_cli.runs.records import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from gan_cli.training.setup import Setup


class Figure:
    """What ``figure.png`` shows and, beside it, ``figure.json`` holds as numbers.

    Attributes:
        size: width and height in inches.

    Raises:
        UserError: if the run is not of the kind the figure is about.
    """

    size: ClassVar[tuple[float, float]]

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    def measure(self, images: int) -> dict[str, float]:
        """More numbers for a line of ``metrics.jsonl``, after so many images; must not change the networks."""
        return {}

    def draw(self, records: list[Record], canvas: Canvas) -> dict[str, object]:
        """Draws the lines of ``metrics.jsonl`` on a canvas and returns the numbers in it."""
        raise AssertionError("a figure defines draw()")

    def told(self, numbers: Mapping[str, object]) -> str:
        """Those numbers in a line for the log; empty where the file alone holds them."""
        return ""


FIGURES = {
    "saturation": "saturation.Saturation",
    "kl_vs_js": "kl_vs_js.KLvsJS",
    "dimension": "dimension.Dimension",
    "vae_bias": "vae_bias.VAEBias",
    "vae_gan": "vae_gan.Sharpening",
    "mixing": "mixing.Mixing",
    "sampling_time": "sampling_time.SamplingTime",
    "simulator": "simulator.Simulator",
}


def figure_of(name: str, setup: Setup) -> Figure:
    """A figure by name.

    Raises:
        UserError: if the run is not of the kind it is about.
    """
    module, _, figure = FIGURES[name].rpartition(".")
    made: Figure = getattr(import_module(f"{__name__}.{module}"), figure)(setup)
    return made


def adversarial(setup: Setup) -> AdversarialGame:
    """The game of a figure that is about model=gan.

    Raises:
        UserError: if it is another.
    """
    if not isinstance(setup.game, AdversarialGame):
        config = setup.config
        raise UserError(f"figure={config.figure}: is about model=gan, not model={config.model.name}: leave it out")
    return setup.game
