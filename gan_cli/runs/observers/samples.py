"""Sample grids: the pictures of seeds 0, 1, …, the same seeds every time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gan_cli.data.minibatches import Minibatches
from gan_cli.games.game import Game, Statistics
from gan_cli.games.labels import ALL
from gan_cli.games.landscape import landscape
from gan_cli.games.sampler import Sampler
from gan_cli.games.view import View
from gan_cli.memory import enough
from gan_cli.models.priors import Seeds
from gan_cli.output.curves import as_pictures
from gan_cli.output.pictures import TITLED, columns_of, frame, grid, plot, save_png
from gan_cli.output.plane import plane
from gan_cli.output.replacing import written
from gan_cli.output.titles import titled, titles
from gan_cli.random import seed_all, stream
from gan_cli.runs.names import AUGMENTED, GRID, REAL
from gan_cli.runs.observers.rows import of_rows

POINTS_PER_PICTURE = 25


class SampleGrids:
    """Writes ``samples/real.png`` once and ``samples/step-….png`` every ``every`` steps and at the end.

    Where D sees augmented pictures, ``samples/augmented.png`` shows those of ``real.png`` so.

    A grid holds the pictures of seeds 0 to ``count − 1``; their bits are those that ``gan-sample`` draws from the
    checkpoint of that step. Of a conditional generator it shows fewer seeds, each with every class: one latent a row,
    one class a column, and several latents a row where there are few classes. Conditions take the place of classes:
    each combination of attributes that occurs, or a sweep over the quantiles of a number. For a density, it holds
    ``POINTS_PER_PICTURE`` times as many points, each with its seed's label.

    Args:
        seed: chooses the real samples.
        game: whose players are shown around points of the plane.

    Attributes:
        listeners: called with each batch of samples, of as many latents.
    """

    def __init__(
        self,
        folder: Path,
        sampler: Sampler,
        minibatches: Minibatches,
        *,
        every: int,
        steps: int,
        count: int,
        seed: int,
        game: Game | None = None,
    ) -> None:
        self.folder, self.sampler, self.every, self.steps = folder, sampler, every, steps
        self.game = game
        self.listeners: Sequence[Callable[[Tensor], None]] = ()
        self.in_cells, self.count = minibatches.values.ndim > 2, count
        count = count if self.in_cells else count * POINTS_PER_PICTURE
        self.seeds, self.seed = range(count), seed
        self.labels, self.latents = sampler.labels_of(self.seeds), sampler.latents_of(self.seeds)
        turn = sampler.turn()
        self.places = _places(count, turn, sampler, game) if self.in_cells else self.seeds
        self.columns = columns_of(len(self.places), 0 if turn is None else len(turn))
        self.shown, self.titles = self.labels, list[str]()
        if turn is not None and (self.places != self.seeds or sampler.conditions is None):
            places = torch.arange(count) % len(turn)
            self.shown = turn[places]
            names = sampler.conditions.titles(turn.tolist()) if sampler.conditions else sampler.names
            self.titles = titles(places.tolist()[: len(self.places)], self.columns, names)
        self.real = some_real(minibatches, count, seed, self.shown)

    def __call__(self, step: int, statistics: Sequence[Statistics]) -> None:
        if self.due(step):
            self.write(step)

    def due(self, step: int) -> bool:
        return bool(self.every and step % self.every == 0) or step == self.steps

    @property
    def keys(self) -> dict[str, str]:
        """The keys of ``gan-sample`` that draw the grid again."""
        seeds, sampler = {"seeds": f"0-{self.places[-1]}"}, self.sampler
        every = ALL if ALL not in sampler.names else f"0-{sampler.classes - 1}"
        return seeds if self.places == self.seeds else {**seeds, "label": every}

    def write_real(self) -> None:
        self._write(REAL, self.real[:0], self.real)

    def write_augmented(self, view: View) -> None:
        """The real pictures as often as D may see them augmented."""
        with torch.random.fork_rng(devices=[]):
            seed_all(self.seed, "augmented", device=torch.device("cpu"))
            shown = view.augmented(self.real, p := view.highest)
        text = f"{', '.join(view.augment)} with probability {p:g}"
        self._write(AUGMENTED, self.real[:0], shown.clamp(-1, 1), augmentation=text)

    def write(self, step: int) -> None:
        with enough(f"sample_count={self.count}", "use a smaller one"):
            samples = in_places = self.sampler.decode_apart(self.latents, self.seeds, self.labels)
            if self.places != self.seeds and self.shown is not None:
                labels = self.shown[: len(self.places)]
                in_places = self.sampler.decode_apart(self.latents[self.places], self.places, labels)
            self._write(GRID.format(step), in_places, self.real, **self.keys)
        for listener in self.listeners:
            listener(samples)

    def _write(self, name: str, samples: Tensor, real: Tensor, **text: str) -> None:
        """Writes samples, or real ones if there are none; for a density, both."""
        if self.in_cells:
            cells = as_pictures(samples if len(samples) else real[: len(self.places)])
            image = titled(grid(cells, self.columns), self.titles)
        else:
            image = shown(samples, real, self.game, self.sampler)
        with written(self.folder / name, f"then continue with resume={self.folder.parent}"):
            save_png(image, self.folder / name, **text)


def shown(samples: Tensor, real: Tensor, game: Game | None, sampler: Sampler) -> Image.Image:
    """Samples and data of a density, and in the plane what the players make of it."""
    points, data = samples.numpy(), real.numpy()
    if any(field.soft for field in sampler.fields) or (sampler.fields and points.shape[1] > 2):
        return of_rows(sampler.fields, points, data)
    if game is not None and len(points) and np.isfinite(points).all():
        low, high = frame(data if len(data) else points)
        if (seen := landscape(game, sampler, samples, real if len(real) else samples, low, high)) is not None:
            return plane(points, data, seen)
    return plot(points, data)


def _places(count: int, turn: Tensor | None, sampler: Sampler, game: Game | None) -> Sequence[int]:
    """The seed at each place of a grid of pictures, of at most ``count``: each with all labels of ``turn`` in turn.

    Each place has a seed of its own where there are no classes or many, and where a sample is drawn in steps: it takes
    long then, and its latent only seeds what is drawn.
    """
    classes = 0 if turn is None else len(turn)
    in_steps = isinstance(sampler.prior, Seeds) or (game is not None and game.draws_in_steps)
    if not 1 < classes <= min(TITLED, count) or in_steps:
        return range(count)
    return [seed for seed in range(count // classes) for _ in range(classes)]


def some_real(minibatches: Minibatches, count: int, seed: int, labels: Tensor | None) -> Tensor:
    """Training samples to compare with; for a conditional run, of the class ``labels[i]`` at each place i.

    The place of a class without samples stays empty. Of conditions, those that are nearest to ``labels[i]``.
    """
    order = torch.randperm(minibatches.count, generator=stream(seed, "real"))
    chosen = order[torch.arange(count) % minibatches.count]
    empty = torch.zeros(count, dtype=torch.bool)
    if labels is not None and minibatches.labels is not None and labels.ndim == 2:
        of_sample = minibatches.labels.cpu()[order]
        for row in labels.unique(dim=0):
            places = (labels == row).all(dim=1).nonzero()[:, 0]
            distance = (of_sample - row).square().sum(dim=1)
            least = distance.kthvalue(min(len(places), len(distance))).values  # sorting all of them takes seconds
            near = (distance <= least).nonzero()[:, 0]
            nearest = order[near[distance[near].argsort(stable=True)[: len(places)]]]
            chosen[places] = nearest[torch.arange(len(places)) % len(nearest)]
    elif labels is not None and minibatches.labels is not None:
        of_class = minibatches.labels.cpu()[order]
        for label in labels.unique():
            places, members = (labels == label).nonzero()[:, 0], order[of_class == label]
            if len(members):
                chosen[places] = members[torch.arange(len(places)) % len(members)]
            else:
                empty[places] = True
    values = minibatches.values[chosen.to(minibatches.values.device)].cpu()
    if values.ndim == 2:
        return values[~empty]
    deep = values.is_floating_point()
    values[empty] = (-1 if deep else 0) if minibatches.is_image else 0
    if not minibatches.is_image:
        return values
    if minibatches.presentation.binarise == "dynamic":
        grey = (values + 1) * (255 / 2) if deep else values
        white = torch.rand(values.shape, generator=stream(seed, "real", "binarise")) * 255 < grey
        return torch.where(white, 1.0, -1.0).permute(0, 3, 1, 2)
    return (values if deep else values.float().mul_(2 / 255).sub_(1)).permute(0, 3, 1, 2)
