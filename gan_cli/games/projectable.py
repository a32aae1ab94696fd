"""Of which models a latent can be looked for, and what it can be looked for by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gan_cli.data.samples import as_input
from gan_cli.data.single import picture_like, pictures_at
from gan_cli.errors import UserError
from gan_cli.games.adversarial import SeesFeatures
from gan_cli.games.game import Judges
from gan_cli.games.labels import one_label
from gan_cli.models.priors import Seeds

if TYPE_CHECKING:
    from gan_cli.games.comparing import Features
    from gan_cli.games.labels import Label
    from gan_cli.games.projection import Search
    from gan_cli.games.sampler import Sampler

Picture = str | Path | Image.Image | np.ndarray | Tensor  # a file, one in memory, or of the model's shape


def refusal(sampler: Sampler) -> str | None:
    """Why no latent of this model can be looked for, and what to do; None if one can."""
    name, game = sampler.config.model.name, sampler.game
    if isinstance(sampler.prior, Seeds):
        return f"a latent of model={name} only seeds its Markov chain: use a model with latents, such as gan or vae"
    if game is not None and game.draws_in_steps:
        return (
            f"model={name} draws pixel by pixel, and its latents are those choices: use a model with latents, "
            "such as gan or vae"
        )
    return None


def chosen_features(sampler: Sampler, kind: str) -> Literal["discriminator"] | None:
    """What ``features=…`` means for a model: ``auto`` is D's, where it has some.

    Raises:
        UserError: if D's are asked for and there are none.
    """
    game = sampler.game
    there = isinstance(game, Judges) and isinstance(game.discriminator, SeesFeatures)
    if kind == "discriminator" and not there:
        raise UserError(
            f"features=discriminator: model={sampler.config.model.name} has no discriminator with features here: "
            "use features=none, or extractor"
        )
    return "discriminator" if there and kind in ("auto", "discriminator") else None


def target_of(picture: Picture, sampler: Sampler) -> Tensor:
    """A picture as the model may make it, float32 (C, H, W) in [−1, 1].

    Raises:
        ValueError: if it is none.
    """
    shape, options = sampler.shape, sampler.config.dataset.model_dump()
    if isinstance(picture, str | Path):
        picture = pictures_at(str(picture), "project", shape, options, most=1).values[0]
    elif isinstance(picture, Image.Image):
        picture = picture_like(picture, shape, options)
    x = torch.as_tensor(picture)
    if tuple(x.shape) != shape:
        raise ValueError(f"project: is {tuple(x.shape)}, and this model makes {shape}: give (C, H, W), or a file")
    return as_input(x[None].numpy())[0] if x.dtype == torch.uint8 else x.float().clamp(-1, 1)


def asked(
    sampler: Sampler,
    picture: Picture,
    label: Label | str | None,
    search: Search,
    features: Features | Literal["auto", "none", "discriminator"],
) -> tuple[Tensor, Label | None, Search, Features | Literal["discriminator"] | None]:
    """What ``project`` takes: the target, the label, the search and the features.

    Raises:
        ValueError: if one of them is none of this model.
    """
    if not search.seeds or search.restarts < 1 or search.iterations < 0 or not 0 <= search.weight <= 1:
        raise ValueError("project: give one seed and one restart or more, and a feature_weight between 0 and 1")
    if (why := refusal(sampler)) is not None:
        raise ValueError(f"project: {why}")
    if (dimensions := len(sampler.shape)) != 3:
        makes = "signals" if dimensions == 2 else "rows of a table" if sampler.fields else "points"
        raise ValueError(f"project: is for pictures, and this generator makes {makes}")
    if isinstance(label, str):
        label = one_label(label, sampler)
    elif label is not None:
        sampler.require(torch.tensor([label]), 1)
    seen = chosen_features(sampler, features) if isinstance(features, str) else features
    return target_of(picture, sampler), label, search, seen
