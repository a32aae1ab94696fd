"""What an adversarial cost does to an autoencoder: reconstructions, samples, and the numbers of both kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gan_cli.data import reading
from gan_cli.data.samples import as_input
from gan_cli.errors import UserError
from gan_cli.games.game import Encodes
from gan_cli.output.pictures import grid
from gan_cli.runs.figures import Figure
from gan_cli.runs.records import Record
from gan_cli.training.averaged import Averaged

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from gan_cli.training.setup import Setup

COLUMNS, ROWS, COUNT = 12, 3, 1_000
MEASURED = ("nats", "reconstruction", "frechet")  # by metrics=…, at the end


class Sharpening(Figure):
    """Held-out pictures, their reconstructions, and samples; beside them what was measured, and how sharp samples are.

    ``sharpness`` is the mean difference of neighbouring pixels, of samples and of reconstructions, in shares of that
    of the data.
    """

    size = (11, 3.4)

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        if len(setup.samples.shape) != 3 or not isinstance(setup.game, Encodes):
            raise UserError("figure=vae_gan: is about pictures that a model encodes: use model=vae or vae_gan")

    def draw(self, records: list[Record], canvas: Canvas) -> dict[str, object]:
        setup, model = self.setup, Averaged(self.setup)
        model.refresh()
        held_out = reading.held_out(setup.dataset)
        source = held_out or setup.samples
        some = source.take(torch.arange(min(COUNT, len(source))).numpy())
        x = as_input(some.values).contiguous()
        labels = torch.from_numpy(some.labels) if model.classes and some.labels is not None else None
        back = model.decode(model.encode(x), labels)
        drawn = model.decode(model.latents(len(x), 0), model.labels_of(range(len(x))))
        found = {key: last(records, f"metric/{key}") for key in MEASURED}
        sharpness = {"reconstructions": edges(back) / edges(x), "samples": edges(drawn) / edges(x)}
        shown = {"held out": x, "reconstructed": back, "samples": drawn}
        for axes, (name, pictures) in zip(canvas.subplots(1, 3), shown.items(), strict=True):
            axes.imshow(grid(pictures[: COLUMNS * ROWS * 4], COLUMNS), cmap="gray")
            axes.set(title=name, xticks=[], yticks=[])
        told = [f"{key} {value:.4g}" for key, value in found.items() if value is not None]
        told.append(f"sharpness of samples {sharpness['samples']:.2f}")
        canvas.suptitle(f"model={setup.config.model.name}: {', '.join(told)}")
        return {"model": setup.config.model.name, **found, "sharpness": sharpness}


def edges(pictures: Tensor) -> float:
    """The mean difference of neighbouring pixels."""
    return float((pictures.diff(dim=2).abs().mean() + pictures.diff(dim=3).abs().mean()) / 2)


def last(records: list[Record], key: str) -> float | None:
    """The newest value of a key, if it was measured."""
    return next((record[key] for record in reversed(records) if key in record), None)
