"""Minibatches as a function of the number of samples drawn before, so that there is no state to resume."""

from __future__ import annotations

from copy import copy

import numpy as np
import torch
from torch import Tensor

from gan_cli import distributed
from gan_cli.data.ahead import Ahead, OnDevice, OnHost
from gan_cli.data.presenting import AS_IT_IS, Presentation
from gan_cli.data.samples import Samples
from gan_cli.random import played, stream, uniform_for


class Minibatches:
    """Samples on the training device, drawn without replacement, epoch by epoch.

    Each player has an order of its own. Pictures are stored channels last, (N, H, W, C), mostly in bytes, so that a
    minibatch is one gather of rows, flipped and scaled on the device. Samples that are read from a disk, or do not fit
    on the device, are prefetched one minibatch ahead.
    """

    def __init__(
        self,
        samples: Samples,
        device: torch.device,
        *,
        seed: int,
        attempt: int = 0,
        flip: bool = False,
        presentation: Presentation = AS_IT_IS,
    ) -> None:
        self.seed, self.attempt, self.flip, self.device = seed, attempt, flip, device
        self.presentation = presentation
        self.count, self.is_image = len(samples), samples.is_image
        values = torch.from_numpy(samples.values)
        if self.is_image:
            values = values.permute(0, 2, 3, 1)
            mapped = isinstance(samples.values, np.memmap)  # may be larger than memory, and is gathered as it lies
            values = values if mapped else values.contiguous()  # no copy if the pictures lie so already
        resident = fits(values, device)
        self.values = values.to(device) if resident else values
        self.labels = None if samples.labels is None else torch.from_numpy(samples.labels).to(self.values.device)
        self._orders: dict[tuple[str, int], Tensor] = {}
        from_disk = device.type == "cpu" and isinstance(samples.values, np.memmap)
        kind = OnHost if from_disk else None if resident else OnDevice
        self._ahead: Ahead | None = kind(device) if kind else None

    def seeded(self, seed: int, attempt: int = 0) -> Minibatches:
        """The same samples in the order of another seed or attempt."""
        other = copy(self)
        other.seed, other.attempt, other._orders = seed, attempt, {}
        other._ahead = type(self._ahead)(self.device) if self._ahead else None  # this one foresees another order
        return other

    def indices(self, player: str, drawn: int, size: int) -> Tensor:
        """The ``size`` samples after the first ``drawn`` of a player: int64 (…, size), on the samples' device."""
        position, left, parts = drawn, size, []
        while left:
            epoch, offset = divmod(position, self.count)
            part = self._order(player, epoch)[..., offset : offset + left]
            parts.append(part)
            position, left = position + part.shape[-1], left - part.shape[-1]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)

    def _order(self, player: str, epoch: int) -> Tensor:
        if (player, epoch) not in self._orders:
            self._orders = {key: order for key, order in self._orders.items() if key[0] != player}
            order = self.order(player, epoch)
            if self.values.is_cuda:  # from page-locked memory, so that nobody waits for the copy
                order = order.pin_memory().to(self.values.device, non_blocking=True)
            self._orders[player, epoch] = order
        return self._orders[player, epoch]

    def order(self, player: str, epoch: int) -> Tensor:
        """All samples in the order of an epoch (0, 1, …): int64 (…, N)."""
        return torch.randperm(self.count, generator=stream(*played(self.seed, self.attempt), "order", player, epoch))

    def rows(self, player: str, drawn: int, size: int) -> tuple[Tensor, Tensor | None]:
        """A player's minibatch after ``drawn`` samples, on the training device, as it is stored, and its labels.

        With several processes, each gets its own rows.
        """
        own = distributed.rows(size)
        if self._ahead is not None:
            sources = [self.values] if self.labels is None else [self.values, self.labels]
            taken = self._ahead.rows(sources, player, drawn, size, lambda n: self.indices(player, n, size)[own])
            return taken[0], taken[1] if len(taken) > 1 else None
        indices = self.indices(player, drawn, size)[own]
        return self.values.index_select(0, indices), None if self.labels is None else self.labels[indices]

    def scaled(self, rows: Tensor) -> Tensor:
        """Converts stored samples to the networks' input: float32 (size, *shape), pixels in [−1, 1].

        Flips and what pixels are drawn anew come from the device's default generator.
        """
        if not self.is_image:
            return rows
        x = self.presentation(rows).permute(0, 3, 1, 2)  # (B, C, H, W), channels last in memory
        if self.flip:
            mirrored = uniform_for(x) < 0.5
            x = torch.where(mirrored, x.flip(3), x)
        return x

    def at(self, indices: Tensor) -> tuple[Tensor, Tensor | None]:
        """The minibatch of these samples, int64 (B,), scaled, and its labels."""
        labels = None if self.labels is None else self.labels[indices]
        return self.scaled(self.values.index_select(0, indices)), labels


def fits(values: Tensor, device: torch.device) -> bool:
    """Whether the training device can hold the samples: on a GPU, if they take less than half of the free memory."""
    return device.type != "cuda" or values.nbytes < torch.cuda.mem_get_info(device)[0] / 2
