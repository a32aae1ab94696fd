"""Directions in a latent space along which samples change most, or from some classes to others.

- ``of_weights`` (SeFa, Shen & Zhou 2021): with A the first layer's weight, so that a latent is taken to A z + b, the
  unit vectors n that change its output most, the maxima of ‖A n‖², are the eigenvectors of AᵀA: the right singular
  vectors of A, by falling singular value.
- ``of_samples`` (as GANSpace, Härkönen et al. 2020, section 3.2, does for networks whose first layer tells nothing):
  principal components of samples, and for each the direction by which latents regress on its coordinate.
- ``between`` (as in Radford et al. 2016 and InterFaceGAN, Shen et al. 2020): from the mean latent of one kind to that
  of the other. Where latents of the prior have equal and independent numbers, this is the linear discriminant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cosine_similarity

from gan_cli.models.priors import Latents, Normal, Uniform

SIDE = 32  # of pictures whose principal components are looked for; larger ones are averaged down to it


@dataclass(frozen=True)
class Directions:
    """Directions in a latent space.

    Attributes:
        vectors: float32 (N, size), of length 1.
        strengths: of each, (N,): a singular value, or the deviation along a principal component.
        shares: of each, (N,): of the sum of the squares of all strengths.
    """

    vectors: Tensor
    strengths: Tensor
    shares: Tensor


@dataclass(frozen=True)
class Layer:
    """The first affine layer that a latent passes: its name in the network, and A, (outputs, size)."""

    name: str
    weight: Tensor


def first_layer(network: nn.Module, z: Tensor, labels: Tensor | None) -> Layer | None:
    """The first layer of a network that takes latents to A z + b, scaled or not; None if there is none.

    Args:
        z: some latents, (n, size), to see what takes them and what it makes of them.
    """
    taken: list[tuple[str, nn.Module, Tensor]] = []

    def looking(name: str) -> Callable[[nn.Module, tuple[object, ...]], None]:
        def look(module: nn.Module, given: tuple[object, ...]) -> None:
            if len(given) == 1 and isinstance(given[0], Tensor) and _holds(given[0], z):
                taken.append((name, module, given[0]))

        return look

    hooks = [part.register_forward_pre_hook(looking(name)) for name, part in network.named_modules() if name]
    try:
        with torch.no_grad():
            network(z, labels)
    finally:
        for hook in hooks:
            hook.remove()
    for name, module, given in taken:
        if (weight := _weight(module, given)) is not None:
            return Layer(name, weight[:, : z.shape[1]].cpu())
    return None


def _holds(given: Tensor, z: Tensor) -> bool:
    """Whether the first columns of what a layer is given are latents, of whatever length."""
    if given.ndim != 2 or len(given) != len(z) or given.shape[1] < z.shape[1]:
        return False
    return bool((cosine_similarity(given[:, : z.shape[1]].float(), z.float()) > 1 - 1e-4).all())


@torch.no_grad()
def _weight(module: nn.Module, given: Tensor) -> Tensor | None:
    """The weight of a layer, (outputs, inputs), by what it makes of unit vectors; None if it is not affine."""
    shift = module(torch.zeros_like(given[:1]))
    if not isinstance(shift, Tensor):
        return None
    unit = torch.eye(given.shape[1], dtype=given.dtype, device=given.device)
    weight = torch.cat([module(some) - shift for some in unit.split(64)]).flatten(1)  # (inputs, outputs)
    made = module(given).flatten(1)
    expected = given @ weight + shift.flatten(1)
    return weight.T if torch.allclose(made, expected, rtol=1e-3, atol=1e-4 * float(made.abs().max())) else None


def of_weights(weight: Tensor, count: int) -> Directions:
    """Of a first layer's weight A, (outputs, size)."""
    _, strengths, vectors = torch.linalg.svd(weight.double(), full_matrices=False)
    shares = strengths.square() / strengths.square().sum().clamp(min=1e-300)
    return Directions(_signed(vectors[:count]).float(), strengths[:count], shares[:count])


def of_samples(latents: Tensor, x: Tensor, count: int) -> Directions:
    """Of samples (n, C, H, W) or (n, d) of latents (n, size)."""
    if x.ndim == 4 and max(x.shape[2:]) > SIDE:
        x = adaptive_avg_pool2d(x, (min(SIDE, x.shape[2]), min(SIDE, x.shape[3])))
    rows = x.flatten(1).double()
    coordinates, values, _ = torch.linalg.svd(rows - rows.mean(dim=0), full_matrices=False)  # (n, r), (r,)
    vectors = coordinates[:, :count].T @ (latents.double() - latents.double().mean(dim=0))
    shares = values.square() / values.square().sum().clamp(min=1e-300)
    vectors = vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return Directions(_signed(vectors).float(), values[:count] / len(rows) ** 0.5, shares[:count])


def _signed(vectors: Tensor) -> Tensor:
    """Each so that its largest number is positive: which way a singular vector points is not determined."""
    largest = vectors.gather(1, vectors.abs().argmax(dim=1, keepdim=True))
    return vectors * largest.sign()


def between(one: Tensor, other: Tensor) -> tuple[Tensor, float]:
    """The direction from latents (n, size) to others (m, size), and how well it tells them apart.

    The latter is the area under the ROC curve, of latents with odd numbers along the direction that those with even
    numbers give: ½ by chance, 1 if all of the others lie further along it.
    """

    def direction(step: int) -> Tensor:
        apart = other[::step].double().mean(dim=0) - one[::step].double().mean(dim=0)
        return (apart / apart.norm().clamp(min=1e-12)).float()

    along = direction(2)
    low, high = (some[1::2] @ along for some in (one, other))
    after = high[:, None] - low[None]
    return direction(1), float(((after > 0).double() + (after == 0).double() / 2).mean())


def spread(prior: Latents) -> float:
    """The standard deviation of each number of a latent."""
    if isinstance(prior, Normal):
        return prior.scale
    if isinstance(prior, Uniform):
        return prior.scale / 3**0.5
    drawn = prior.sample(4096, "cpu", torch.Generator().manual_seed(0)).double()
    return float((drawn - drawn.mean(dim=0)).square().mean().sqrt())
