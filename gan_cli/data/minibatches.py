"""Minibatches as a function of their number: nothing to iterate, nothing to resume."""

from __future__ import annotations

from copy import copy

import torch
from torch import Tensor

from gan_cli.data.samples import Samples
from gan_cli.random import stream


class Minibatches:
    """Samples on the training device, drawn without replacement, epoch by epoch.

    Each player has a stream of its own. Pictures are stored as bytes (N, H, W, C), so that a minibatch is one gather
    of rows, flipped and scaled on the device.
    """

    def __init__(self, samples: Samples, device: torch.device, *, seed: int, flip: bool = False) -> None:
        self.seed, self.flip, self.device = seed, flip, device
        self.count, self.is_image = len(samples), samples.values.ndim == 4
        values = torch.from_numpy(samples.values)
        if self.is_image:
            values = values.permute(0, 2, 3, 1).contiguous()  # no copy if the pictures lie so already
        self.values = place(values, device)
        self.labels = None if samples.labels is None else torch.from_numpy(samples.labels).to(device)
        self._orders: dict[tuple[str, int], Tensor] = {}

    def seeded(self, seed: int) -> Minibatches:
        """The same samples in the order of another seed."""
        other = copy(self)
        other.seed, other._orders = seed, {}
        return other

    def indices(self, player: str, number: int, size: int) -> Tensor:
        """Which samples minibatch ``number`` (from 0) of a player holds: int64 (…, size), on the samples' device."""
        position, left, parts = number * size, size, []
        while left:
            epoch, offset = divmod(position, self.count)
            part = self._order(player, epoch)[..., offset : offset + left]
            parts.append(part)
            position, left = position + part.shape[-1], left - part.shape[-1]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)

    def _order(self, player: str, epoch: int) -> Tensor:
        if (player, epoch) not in self._orders:
            self._orders = {key: order for key, order in self._orders.items() if key[0] != player}
            self._orders[player, epoch] = self.order(player, epoch).to(self.values.device)
        return self._orders[player, epoch]

    def order(self, player: str, epoch: int) -> Tensor:
        """All samples in the order of an epoch (0, 1, …): int64 (…, N)."""
        return torch.randperm(self.count, generator=stream(self.seed, "order", player, epoch))

    def draw(self, player: str, number: int, size: int) -> tuple[Tensor, Tensor | None]:
        """Minibatch ``number`` of a player: float32 samples (size, *shape), pixels in [−1, 1], and their labels.

        Flips come from the device's default generator.
        """
        return self.at(self.indices(player, number, size))

    def at(self, indices: Tensor) -> tuple[Tensor, Tensor | None]:
        """The minibatch of these samples, int64 (B,)."""
        labels = None if self.labels is None else self.labels[indices.to(self.labels.device)]
        x = self.values.index_select(0, indices).to(self.device, non_blocking=True)
        if not self.is_image:
            return x, labels
        x = x.float().mul_(2 / 255).sub_(1).permute(0, 3, 1, 2)  # (B, C, H, W), channels last in memory
        if self.flip:
            mirrored = torch.rand(len(indices), 1, 1, 1, device=self.device) < 0.5
            x = torch.where(mirrored, x.flip(3), x)
        return x, labels


def place(values: Tensor, device: torch.device) -> Tensor:
    """On the training device if it fits into half of what is free there, else in page-locked memory or on the disk."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if values.nbytes < free / 2:
            return values.to(device)
        return values.pin_memory() if values.nbytes < 2**36 else values
    return values.to(device)
