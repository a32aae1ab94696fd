"""The game of a config, and what can be told of it before there are data and a device."""

from __future__ import annotations

import torch

from gan_cli.config.library import Library
from gan_cli.config.schema import Config
from gan_cli.data.conditions import Columns
from gan_cli.data.picture_schemas import FolderOptions
from gan_cli.data.samples import Samples
from gan_cli.errors import UserError
from gan_cli.games.game import MODEL, Game, OwnLatents
from gan_cli.games.parts import Parts
from gan_cli.memory import shortage
from gan_cli.models.priors import PRIOR, Latents
from gan_cli.random import seed_all
from gan_cli.training.undrawn import Undrawn


def game_of(
    config: Config,
    library: Library,
    shape: tuple[int, ...],
    classes: int,
    device: torch.device,
    autocast: torch.dtype | None = None,
) -> Game:
    """The game of a config, its networks freshly initialised.

    Args:
        shape: the shape of one sample.
        classes: the number of labels that the networks see, or ``Columns`` of conditions.

    Raises:
        UserError: if its parts do not fit together.
    """
    model = library.build(MODEL, config.model)
    seed_all(config.seed, "init", device=torch.device("cpu"))  # for draws of your own model outside ``parts.network``
    return model.game(Parts(config, library, shape, classes, device, autocast))


def prior_of(game: Game, config: Config, library: Library) -> Latents:
    """What latents are drawn from: the prior of the config, unless the game has its own."""
    return game.latents if isinstance(game, OwnLatents) else library.build(PRIOR, config.prior)


def blank(config: Config, library: Library, shape: tuple[int, ...], classes: int) -> Game | None:
    """The game of a config without memory, on torch's meta device; None if a part of it cannot be made so.

    Raises:
        UserError: if its parts do not fit together, or are larger than a number can say.
    """
    try:
        with torch.device("meta"), Undrawn():
            return game_of(config, library, shape, classes, torch.device("meta"))
    except Exception as error:
        if own_parts(config, library):
            return None
        if "overflow" in str(error).lower():  # in the number of weights
            raise UserError(
                f"architecture={config.architecture.name}: its networks have more weights than can be counted: "
                "make its layers or prior.size smaller"
            ) from error
        if isinstance(error.__cause__, RuntimeError | NotImplementedError) and shortage(error.__cause__) is None:
            return None
        raise


def own_parts(config: Config, library: Library) -> list[str]:
    """The groups in which the config chooses a class of the user's own that takes part in a move."""
    chosen = {group: [config.one(group)] for group in ("model", "architecture", "loss", "prior")}
    chosen["penalty"] = list(config.penalty.values())
    return [group for group, choices in chosen.items() if any(library.has_own_class(group, c.name) for c in choices)]


def label_count(config: Config, classes: int) -> int:
    """The number of labels that the networks see, or ``Columns`` of conditions: 0 unless the run is conditional.

    Args:
        classes: ``columns`` of the samples.

    Raises:
        UserError: if the run is conditional and the data has no labels.
    """
    if config.conditional and classes < 2 and not isinstance(classes, Columns):
        folders = isinstance(config.dataset, FolderOptions)
        give = "put each class into a folder of its own, two at least, or " if folders else ""
        raise UserError(
            f"conditional=true: dataset={config.dataset.name} has no labels here: {give}use conditional=false"
        )
    return classes if config.conditional else 0


def require_kind(config: Config, samples: Samples) -> None:
    """Refuses samples that a model is not for: points without levels, pictures at full depth, signals, categories.

    Raises:
        UserError: if some have no label and it does not learn labels, or its likelihood counts the levels of bytes, or
            is of pixels or points alone.
    """
    if samples.labels is not None and not config.model.learns_labels and (n := len(samples) - len(samples.labelled)):
        raise UserError(
            f"dataset={config.dataset.name}: {n:,} of {len(samples):,} samples have no label, and "
            f"model={config.model.name} cannot do without: leave them out, or use model=semi_supervised"
        )
    own = not config.model.heeds("architecture")  # networks, which are of pixels or points
    holds = {3: "pictures", 2: "signals"}.get(len(samples.shape), "points")
    if own and holds == "signals":
        raise UserError(
            f"model={config.model.name}: has no networks of signals, and dataset={config.dataset.name} holds signals: "
            "use model=gan or vae with architecture=dcgan1d"
        )
    if config.augment and holds != "pictures":
        raise UserError(
            f"augment=[{','.join(config.augment)}]: is for pictures, and dataset={config.dataset.name} holds {holds}: "
            "leave it out"
        )
    if line := config.model.unreadable(config.dataset.name, holds):
        raise UserError(line)
    if own and (soft := [field.name for field in samples.fields if field.soft]):
        raise UserError(
            f"model={config.model.name}: is a density of numbers, and {soft[0]} is a category, or has cells without a "
            f"value: use model=gan, or leave it out: dataset.leave_out=[{','.join(soft)}]"
        )
    if samples.full_depth and config.model.reads in ("levels", "dequantised"):
        fix = "use dataset.depth=8" if "depth" in type(config.dataset).model_fields else "give it bytes"
        raise UserError(
            f"model={config.model.name}: its likelihood is of pictures of 256 levels, and "
            f"dataset={config.dataset.name} gives them at full depth: {fix}"
        )
