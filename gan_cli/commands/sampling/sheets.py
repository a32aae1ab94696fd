"""One picture of many samples: a grid, a sheet with the seeds written under the pictures, or a plot of points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gan_cli.commands.sampling.draw import Shot, chosen_labels
from gan_cli.commands.sampling.keys import Sampling
from gan_cli.commands.sampling.knowing import data_of
from gan_cli.config.library import Library
from gan_cli.data.minibatches import Minibatches
from gan_cli.games.sampler import Sampler
from gan_cli.output.captions import captioned
from gan_cli.output.curves import as_pictures
from gan_cli.output.pictures import columns_of, grid
from gan_cli.output.screen import say
from gan_cli.output.titles import drawable, titled, titles
from gan_cli.runs.loading import Trained
from gan_cli.runs.observers.samples import POINTS_PER_PICTURE, shown, some_real


def sheet(config: Sampling, found: Trained, library: Library, wanted: Sequence[Shot], values: Tensor) -> Image.Image:
    """The samples of the shots, in their order."""
    values = as_pictures(values) if len(found.weights.shape) > 1 else values
    if len(found.weights.shape) == 1:
        return shown(values, torch.from_numpy(_real(found, library)), found.sampler.game, found.sampler)
    columns, sampler = config.columns or _columns(config, found, len(wanted)), found.sampler
    if config.captions:
        return captioned(values, columns, [_caption(shot, sampler) for shot in wanted])
    each = list(dict.fromkeys(shot.label for shot in wanted))
    if sampler.conditions is None:
        return titled(grid(values, columns), titles([_class(shot) for shot in wanted], columns, sampler.names))
    rows = [label for label in each if label is not None and not isinstance(label, int)]
    names, place = sampler.conditions.titles(rows), {label: i for i, label in enumerate(each)}
    return titled(grid(values, columns), titles([place[shot.label] for shot in wanted], columns, names))


def _class(shot: Shot) -> int:
    return shot.label if isinstance(shot.label, int) else 0


def _caption(shot: Shot, sampler: Sampler) -> list[str]:
    """The seed, and below it the class, which is no second seed where it has no name, or each condition."""
    if shot.label is None:
        return [str(shot.seed)]
    if sampler.conditions is not None and not isinstance(shot.label, int):
        return [str(shot.seed), *sampler.conditions.words(shot.label)]
    assert isinstance(shot.label, int)
    name = drawable(shot.label, sampler.names)
    return [str(shot.seed), name if name != str(shot.label) else f"class {name}"]


def _columns(config: Sampling, found: Trained, count: int) -> int:
    """About as many columns as rows, each of one label."""
    sampler = found.sampler
    return columns_of(count, len(chosen_labels(config, sampler)) or (0 if sampler.conditions else sampler.classes))


def _real(found: Trained, library: Library) -> np.ndarray:
    """The points of the data in the run's own plots, (n, d); empty if the data cannot be loaded here."""
    sampler = found.sampler
    config = sampler.config
    try:
        _, data = data_of(found, library)
    except ValueError as error:
        say("gan-sample", f"drawn without the data: {error}")
        return np.empty((0, *found.weights.shape), np.float32)
    batches = Minibatches(data, torch.device("cpu"), seed=config.seed)
    count = config.sample_count * POINTS_PER_PICTURE
    return some_real(batches, count, config.seed, sampler.labels_of(range(count))).numpy()
