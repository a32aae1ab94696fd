"""What two players do to the plane: D's surface, the latent grid as G bends it, and where samples are pulled."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gan_cli.distributed import by_itself
from gan_cli.games.game import Game, Judges
from gan_cli.games.sampler import Sampler
from gan_cli.games.view import as_in_training
from gan_cli.models.widening import widened
from gan_cli.output.plane import Landscape

CELLS = 64  # of the surface, along a side
LINES, BENDS = 11, 41  # of the latent grid each way, and points on each
PULLED = 150  # samples whose gradient is shown


def landscape(
    game: Game, sampler: Sampler, samples: Tensor, real: Tensor, low: np.ndarray, high: np.ndarray
) -> Landscape | None:
    """The landscape between two corners; None where it is not about a plane, or there are labels.

    Nothing is drawn at random, and nothing of the game changes.

    Args:
        samples: (n, 2), of the sampler.
        real: (m, 2), data, for games in which G's cost depends on them.
    """
    if samples.ndim != 2 or samples.shape[1] != 2 or sampler.classes:
        return None
    lines = grid_lines(sampler)
    if not isinstance(game, Judges) or game.view.pack > 1:
        return Landscape(None, False, lines, None)
    surface, pulls = _judged(game, samples[:PULLED].to(sampler.device), real.to(sampler.device), low, high)
    return Landscape(surface, game.loss.probability, lines, pulls)


def grid_lines(sampler: Sampler) -> list[np.ndarray]:
    """The images of a grid of latents, between the quantiles of 2 and 98 % of what latents are."""
    drawn = sampler.prior.sample(1000, "cpu", torch.Generator().manual_seed(0))
    ends = torch.quantile(drawn, torch.tensor([0.02, 0.98]), dim=0)  # (2, size)
    along = torch.linspace(0, 1, BENDS)[:, None]
    found = []
    for moving, still in ((0, 1), (1, 0)) if sampler.prior.size > 1 else ((0, None),):
        for place in torch.linspace(0, 1, LINES) if still is not None else [0.0]:
            z = torch.zeros(BENDS, sampler.prior.size)
            z[:, moving] = torch.lerp(ends[0, moving], ends[1, moving], along[:, 0])
            if still is not None:
                z[:, still] = torch.lerp(ends[0, still], ends[1, still], place)
            found.append(sampler.decode(z).numpy())
    return found


def _judged(
    game: Judges, samples: Tensor, real: Tensor, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray | None, tuple[np.ndarray, np.ndarray] | None]:
    """D's surface, and the pulls; as D plays, without noise and dropout. None if others in a minibatch matter to it."""
    centres = [np.linspace(a, b, CELLS, endpoint=False) + (b - a) / CELLS / 2 for a, b in zip(low, high, strict=True)]
    columns, rows = np.meshgrid(*centres)
    x = torch.from_numpy(np.stack([columns, rows], axis=2).reshape(-1, 2)).to(samples)
    judge, loss = game.discriminator.forward, game.loss  # not compiled: a batch of another size would be compiled anew
    with by_itself(), as_in_training(game.discriminator):
        with torch.no_grad():
            logits = widened(judge(x, None))
            if not torch.allclose(widened(judge(x[::2], None)), logits[::2], rtol=1e-3, atol=1e-5):
                return None, None
            values = logits.sigmoid() if loss.probability else logits
        surface = values.reshape(CELLS, CELLS).double().cpu().numpy()
        if not np.isfinite(surface).all():
            return None, None
        if not loss.probability:
            surface = (surface - surface.min()) / max(float(np.ptp(surface)), 1e-12)
        return surface, None if loss.generator_sees_features else _pulls(game, samples, real)


def _pulls(game: Judges, samples: Tensor, real: Tensor) -> tuple[np.ndarray, np.ndarray]:
    judge = game.discriminator.forward
    with torch.enable_grad():
        x = samples.detach().requires_grad_(True)
        data = widened(judge(real[torch.arange(len(x)) % len(real)], None)).detach()
        cost = game.loss.generator(widened(judge(x, None)), data if game.loss.generator_sees_real else None)
        (gradient,) = torch.autograd.grad(cost * len(x), x)
    return samples.cpu().numpy(), -gradient.cpu().numpy()
