"""The sliced Wasserstein distance of patches, at each level of a Laplacian pyramid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from gan_cli.metrics.evidence import Evidence
from gan_cli.metrics.metric import LEAST_OF_PATCHES, LEAST_SIDE, Better, Metric, needs_pictures, needs_samples

PATCH = 7  # the side of a patch
AT_ONCE = 512  # pictures in a batch
ALONG = 32  # directions at a time


@dataclass(frozen=True, kw_only=True)
class SWD(Metric):
    """Karras's sliced Wasserstein distance (Karras et al. 2018, section 5), times 1,000, of each level and on average.

    A level is what a picture loses when it is halved; the last is what is left at 16 × 16. Of each picture and level,
    random 7 × 7 patches of all channels are taken, at the same places of data and samples, and each channel of all
    patches is shifted and scaled to mean 0 and deviation 1, of data and samples by themselves. The distance is the mean
    |difference| of sorted projections onto random directions. It depends on the number of pictures: compare equal ones.
    Two halves of the data are not at 0.
    """

    neighbourhoods: int
    directions: int
    samples: int

    def better(self, evidence: Evidence) -> Better:
        return {"swd": "low"}

    def refusal(self, evidence: Evidence) -> str | None:
        if reason := needs_pictures(evidence) or needs_samples(evidence, LEAST_OF_PATCHES):
            return reason
        height, width = evidence.real.shape[1:]
        if min(height, width) < LEAST_SIDE:
            return f"needs pictures of {LEAST_SIDE} × {LEAST_SIDE} or larger, not {height} × {width}"
        return None

    def __call__(self, evidence: Evidence) -> dict[str, float]:
        count = min(evidence.count, self.samples)
        pictures = [
            evidence.some(values, count, f"swd of {name}")
            for name, values in (("data", evidence.real.values), ("samples", evidence.drawn.values))
        ]
        generator, found = evidence.generator("swd"), {}
        for level, side in enumerate(sides(min(evidence.real.shape[1:]))):
            real, fake = (self._patches(values, level, evidence.generator(f"swd/{side}")) for values in pictures)
            found[f"swd/{side}"] = 1000 * self._distance(real, fake, generator)
        return {"swd": float(np.mean(list(found.values()))), **found}

    def _patches(self, values: np.ndarray, level: int, generator: np.random.Generator) -> Tensor:
        """Normalised patches of one level, (pictures · neighbourhoods, C · 49)."""
        parts = []
        for start in range(0, len(values), AT_ONCE):
            maps = of_level(torch.from_numpy(np.ascontiguousarray(values[start : start + AT_ONCE])).float(), level)
            windows = maps.unfold(2, PATCH, 1).unfold(3, PATCH, 1)  # (B, C, rows, columns, 7, 7), a view
            shape = (len(maps), self.neighbourhoods)
            rows, columns = (torch.from_numpy(generator.integers(0, n, shape)) for n in windows.shape[2:4])
            parts.append(windows[torch.arange(len(maps))[:, None], :, rows, columns].flatten(0, 1))
        patches = torch.cat(parts)  # (patches, C, 7, 7)
        for channel in patches.unbind(dim=1):  # in place: there may be a gigabyte of them
            deviation, mean = torch.std_mean(channel, correction=0)
            channel.sub_(mean).div_(deviation.clamp_min(1e-12))
        return patches.flatten(1)

    def _distance(self, real: Tensor, fake: Tensor, generator: np.random.Generator) -> float:
        drawn = generator.standard_normal((real.shape[1], self.directions))
        directions = torch.from_numpy(drawn / np.linalg.norm(drawn, axis=0)).float()
        total = 0.0
        for some in directions.split(ALONG, dim=1):
            shadows = [(patches @ some).sort(dim=0).values for patches in (real, fake)]
            total += (shadows[0] - shadows[1]).abs().mean(dim=0).double().sum().item()
        return total / self.directions


def sides(side: int) -> Iterator[int]:
    """The sides of the levels of a picture: halves, down to below 32."""
    yield side
    while side >= 2 * LEAST_SIDE:
        side = -(-side // 2)
        yield side


def of_level(x: Tensor, level: int) -> Tensor:
    """Level 0, 1, … of the Laplacian pyramids of pictures (B, C, H, W); the last one is what is left."""
    for _ in range(level):
        x = halved(x)
    if min(x.shape[2:]) < 2 * LEAST_SIDE:
        return x
    return x - doubled(halved(x), x.shape[2], x.shape[3])


def halved(x: Tensor) -> Tensor:
    """Blurred by the binomial filter (1, 4, 6, 4, 1)/16 both ways, edges mirrored, and every other pixel of that."""
    return blurred(x)[:, :, ::2, ::2]


def doubled(x: Tensor, height: int, width: int) -> Tensor:
    """Pixels at every other place of a larger picture, four times as bright, blurred likewise."""
    sparse = x.new_zeros(*x.shape[:2], height, width)
    sparse[:, :, ::2, ::2] = 4 * x
    return blurred(sparse)


def blurred(x: Tensor) -> Tensor:
    filter = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    channels, kernel = x.shape[1], filter[:, None] * filter
    weight = kernel.expand(channels, 1, 5, 5)
    return conv2d(pad(x, (2, 2, 2, 2), mode="reflect"), weight, groups=channels)
