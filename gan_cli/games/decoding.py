"""Latents through a generator, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from gan_cli.games.exactly import exact_kernels

ROWS = 32  # of a batch, where the bits of a sample must not depend on the others


@torch.no_grad()
def decoded(
    network: nn.Module,
    device: torch.device,
    z: Tensor,
    labels: Tensor | None,
    batch_size: int,
    done: Callable[[range], None] | None = None,
) -> Tensor:
    """The samples of latents (n, size), float32 on the CPU.

    Args:
        done: told which latents have been decoded, after each batch.
    """
    was_training = network.training
    network.eval()
    try:
        parts = []
        for start in range(0, len(z), batch_size):
            part = slice(start, start + batch_size)
            label = None if labels is None else labels[part].to(device)
            parts.append(network(z[part].to(device), label).float().cpu())
            if done is not None:
                done(range(start, min(start + batch_size, len(z))))
        return torch.cat(parts)
    finally:
        network.train(was_training)


def decoded_apart(
    network: nn.Module,
    device: torch.device,
    z: Tensor,
    places: Sequence[int],
    labels: Tensor | None,
    batch_size: int,
    tick: Callable[[], None] | None = None,
) -> Tensor:
    """Like ``decoded``, but the bits of a sample depend on its latent, label and place alone.

    Kernels round differently for batches of different sizes, and may round differently in different rows of a batch.
    Here every batch has ``batch_size`` rows, a latent lies in row ``place % batch_size``, and rows that no latent uses
    are zero.

    Args:
        places: an integer for each latent, such as its seed.
        tick: called after each sample.
    """
    taken = [0] * batch_size
    rows = []
    for place in places:
        row = place % batch_size
        rows.append(taken[row] * batch_size + row)
        taken[row] += 1
    padded = z.new_zeros(max(taken) * batch_size, z.shape[1])
    padded[rows] = z
    padded_labels = None
    if labels is not None:
        padded_labels = labels.new_zeros(len(padded), *labels.shape[1:])
        padded_labels[rows] = labels

    def done(batch: range) -> None:
        if tick is not None:
            for _ in [row for row in rows if row in batch]:
                tick()

    with exact_kernels():
        return decoded(network, device, padded, padded_labels, batch_size, done)[rows]
