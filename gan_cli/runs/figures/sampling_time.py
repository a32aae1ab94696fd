"""A fully visible net draws a number at a time, a generator all at once: the time of a sample as pictures grow."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import torch

from gan_cli.config.library import Library
from gan_cli.data.images import ImageDataset
from gan_cli.errors import UserError
from gan_cli.games.sampler import Sampler
from gan_cli.models.architecture import ARCHITECTURE
from gan_cli.models.labels import blank_labels
from gan_cli.output.pictures import DATA, SAMPLES, hexadecimal
from gan_cli.runs.figures import Figure
from gan_cli.runs.records import Record
from gan_cli.training.outline import game_of, prior_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from gan_cli.training.setup import Setup

SIDES = (8, 16, 32, 64)  # of the pictures
TIMES, ENOUGH = 20, 1.0  # repetitions at most, and seconds after which there are no more: the shortest counts


class SamplingTime(Figure):
    """Seconds until one picture is there, of the run's model and of a generator of its ``architecture``.

    Both are built anew for each size, and what they have learnt does not matter. The slope is that of log seconds over
    log pixels at the larger sizes: 1 where each pixel takes its own time.
    """

    size = (6.4, 4.4)

    def __init__(self, setup: Setup) -> None:
        if not isinstance(setup.dataset, ImageDataset):
            raise UserError("figure=sampling_time: is about pictures of several sizes: use dataset=digits")
        super().__init__(setup)

    def measured(self, side: int) -> dict[str, float]:
        """Seconds of one sample, by model, of pictures with so many pixels on a side."""
        setup, library = self.setup, Library()
        config, classes = setup.config, setup.sampler.classes
        dataset = config.dataset.model_copy(update={"size": side})
        config = config.model_copy(update={"dataset": dataset})
        shape = (setup.samples.shape[0], side, side)
        game = game_of(config, library, shape, classes, setup.device)
        prior = prior_of(game, config, library)
        networks = {config.model.name: (game.networks[game.sampler], prior.size)}
        if config.model.name != "gan":
            size = setup.sampler.config.prior.model_dump()["size"]
            made = library.build(ARCHITECTURE, config.architecture).generator(size, shape, classes)
            networks["gan"] = (made.to(setup.device), size)
        found = {}
        for name, (network, size) in networks.items():
            sampler = Sampler(network, prior, config, classes, setup.device, conditions=setup.sampler.conditions)
            z, labels = torch.zeros(1, size), blank_labels(classes, 1)
            seconds: list[float] = []
            while len(seconds) < TIMES and sum(seconds) < ENOUGH:
                began = perf_counter()
                sampler.decode(z, labels)
                seconds.append(perf_counter() - began)
            found[name] = min(seconds)
        return found

    def draw(self, records: list[Record], canvas: Canvas) -> dict[str, object]:
        pixels = [side**2 for side in SIDES]
        each = [self.measured(side) for side in SIDES]
        seconds = {name: [found[name] for found in each] for name in each[0]}
        slopes = {name: slope(pixels[1:], values[1:]) for name, values in seconds.items()}
        axes = canvas.subplots()
        for (name, values), colour in zip(seconds.items(), (hexadecimal(SAMPLES), hexadecimal(DATA)), strict=False):
            how = "pixel by pixel" if name != "gan" else "in one pass"
            label = f"model={name}, {how}: pixels to the power of {slopes[name]:.2f}"
            axes.loglog(pixels, values, marker="o", color=colour, label=label)
        axes.set(xlabel="pixels", ylabel="seconds until one sample is there", xticks=pixels, xticklabels=pixels)
        axes.minorticks_off()
        axes.legend(frameon=False)
        where = {"device": str(self.setup.device), "threads": torch.get_num_threads()}
        return {"pixels": pixels, "seconds": seconds, "slope": slopes, **where}


def slope(x: list[int], y: list[float]) -> float:
    """The power of x that y goes with, by least squares of their logarithms."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])
