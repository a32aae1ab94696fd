"""Prefetching: the next minibatch is gathered while the present one is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

Sources = Sequence[Tensor]  # the samples and, if needed, their labels, in host memory or on the disk


class Ahead:
    """Gathers rows in a thread of its own, one minibatch ahead of each player.

    The next minibatch is known, because the order is a function of the number of samples drawn before. A minibatch that
    was not predicted, such as the first of another size, is fetched when it is requested. The bytes are those of
    ``source[indices]`` in both cases.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="minibatches")
        self._coming: dict[str, tuple[tuple[int, int], Future[None]]] = {}
        self._buffers: dict[str, Buffers] = {}

    def rows(
        self, sources: Sources, player: str, drawn: int, size: int, indices: Callable[[int], Tensor]
    ) -> tuple[Tensor, ...]:
        """A player's ``size`` samples after ``drawn`` others, on the device, of each source."""
        foreseen, future = self._coming.pop(player, (None, None))
        if future is not None:
            future.result()  # in any case, because its buffers are reused
        if foreseen != (drawn, size):
            self._fetch(sources, player, drawn, indices).result()
        taken = self._buffers[player].take()
        self._coming[player] = (drawn + size, size), self._fetch(sources, player, drawn + size, indices)
        return taken

    def _fetch(self, sources: Sources, player: str, drawn: int, indices: Callable[[int], Tensor]) -> Future[None]:
        wanted = indices(drawn)
        buffers = self._buffers.get(player)
        if buffers is None or len(buffers.staged[0]) != len(wanted):
            buffers = self._buffers[player] = self.make(sources, len(wanted))
        return self._thread.submit(buffers.fill, sources, wanted)

    def make(self, sources: Sources, size: int) -> Buffers:
        raise AssertionError("defined by OnHost and OnDevice")


class Buffers:
    """The buffers of one player's next minibatch, in host memory."""

    def __init__(self, staged: Sequence[Tensor]) -> None:
        self.staged = staged

    def fill(self, sources: Sources, indices: Tensor) -> None:
        """Runs in the thread: copies rows by NumPy, without torch's threads, which are busy."""
        for source, buffer in zip(sources, self.staged, strict=True):
            _gather(source.numpy(), indices.numpy(), buffer.numpy())

    def take(self) -> tuple[Tensor, ...]:
        """Runs in the training's thread: copies of the buffers."""
        return tuple(buffer.clone() for buffer in self.staged)


def _gather(source: np.ndarray, indices: np.ndarray, rows: np.ndarray) -> None:
    """``rows[...] = source[indices]``."""
    if source.flags.c_contiguous:
        np.take(source, indices, axis=0, out=rows, mode="clip")
        return
    found = source[indices]  # np.take would copy all of a source that lies otherwise, as channels first do
    if found.ndim < 4:
        np.copyto(rows, found)
        return
    for channel in range(found.shape[-1]):  # ten times as fast as all at once
        np.copyto(rows[..., channel], found[..., channel])


class DeviceBuffers(Buffers):
    """Buffers in page-locked host memory and on the GPU; the copy between them overlaps with the training.

    Both are reused for each minibatch. Events keep the order: the host buffer may be filled when its last copy has
    arrived on the GPU, the GPU buffer when its last rows have been taken.
    """

    def __init__(self, sources: Sources, size: int, device: torch.device, stream: torch.cuda.Stream) -> None:
        super().__init__([torch.empty(size, *s.shape[1:], dtype=s.dtype, pin_memory=True) for s in sources])
        self.arrived = [torch.empty(b.shape, dtype=b.dtype, device=device) for b in self.staged]
        for arrived in self.arrived:
            arrived.record_stream(stream)  # it may still be written there when these buffers are dropped
        self.stream, self.copied, self.taken = stream, torch.cuda.Event(), torch.cuda.Event()
        self.taken.record(torch.cuda.current_stream(device))  # the memory may still be in use by earlier work

    def fill(self, sources: Sources, indices: Tensor) -> None:
        self.copied.synchronize()  # this thread waits, the training does not
        super().fill(sources, indices)
        with torch.cuda.stream(self.stream):
            self.stream.wait_event(self.taken)
            for buffer, arrived in zip(self.staged, self.arrived, strict=True):
                arrived.copy_(buffer, non_blocking=True)
            self.copied.record(self.stream)

    def take(self) -> tuple[Tensor, ...]:
        current = torch.cuda.current_stream(self.stream.device)
        current.wait_event(self.copied)
        rows = tuple(arrived.clone() for arrived in self.arrived)
        self.taken.record(current)
        return rows


class OnHost(Ahead):
    """For a CPU that reads from a disk."""

    def make(self, sources: Sources, size: int) -> Buffers:
        return Buffers([torch.empty(size, *s.shape[1:], dtype=s.dtype) for s in sources])


class OnDevice(Ahead):
    """For a GPU that is too small for the samples."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self._stream = torch.cuda.Stream(device)

    def make(self, sources: Sources, size: int) -> Buffers:
        return DeviceBuffers(sources, size, self.device, self._stream)
