"""How samples are compared with a picture: in levels, in a discriminator's features, at the stage of what grows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gan_cli.games.adversarial import SeesFeatures
from gan_cli.games.game import Game, Judges
from gan_cli.games.growing import growth_of, shown_at
from gan_cli.games.view import packed
from gan_cli.models.equalised import enlarged
from gan_cli.output.pictures import as_bytes

Features = Callable[[Tensor, "Tensor | None"], Tensor]  # samples (n, C, H, W), labels (n,) → (n, F), differentiable


def rmse(x: Tensor, target: Tensor) -> Tensor:
    """(n,), of samples (n, C, H, W), in levels of 0 to 255, as picture files have them."""
    return (as_bytes(x).double() - as_bytes(target).double()).square().flatten(1).mean(dim=1).sqrt()


def at_stage_of(network: nn.Module, x: Tensor) -> Tensor:
    """Pictures (n, C, H, W) with the detail that a network that grows makes at its stage; others as they are."""
    growth = growth_of([network])
    if growth is None:
        return x
    stage = growth.at(int(network.get_buffer("images")))
    return enlarged(shown_at(stage, x, growth.size), growth.size // stage.resolution)


def features_of(game: Game | None, x: Tensor, labels: Tensor | None) -> Features | None:
    """The features of a game's discriminator, without noise and augmentation; None if there are none.

    Args:
        x: some samples, to see whether D's features of one depend on the others: then each is shown to it alone.
    """
    if not isinstance(game, Judges) or not isinstance(game.discriminator, SeesFeatures):
        return None
    see, pack = game.discriminator.features, game.view.pack

    def features(x: Tensor, labels: Tensor | None) -> Tensor:
        return see(packed(x.repeat_interleave(pack, dim=0), pack), labels)

    def one_by_one(x: Tensor, labels: Tensor | None) -> Tensor:
        rows = range(len(x))
        return torch.cat([features(x[i : i + 1], None if labels is None else labels[i : i + 1]) for i in rows])

    with torch.no_grad():
        together, apart = features(x, labels), one_by_one(x, labels)
    return features if torch.allclose(together, apart, rtol=1e-3, atol=1e-4) else one_by_one


def deviation(latents: Tensor) -> float:
    """The root mean square of their numbers: how wide the prior is."""
    return max(1e-6, float(latents.double().square().mean().sqrt()))
