"""A stand-in for CUDA graphs on a CPU: records the kernels of a function, and runs them again on the same memory.

As in a real recording, numbers of the host are what they were, nothing may wait for a value, and recording runs
nothing: what was written meanwhile is put back, and what was made is made unusable until a replay fills it.
"""

from __future__ import annotations

from contextlib import contextmanager

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def tensors_of(values) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]


class Recording(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.kernels: list[tuple] = []
        self.before: dict[int, tuple] = {}  # memory that was there, and what it held
        self.made: dict[int, Tensor] = {}

    def __torch_dispatch__(self, kernel, types, args=(), kwargs=None):
        if kernel is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("operation not permitted when stream is capturing")
        for tensor in tensors_of((args, kwargs)):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in self.made and storage.data_ptr() not in self.before:
                self.before[storage.data_ptr()] = storage, storage.clone()
        result = kernel(*args, **(kwargs or {}))
        for tensor in tensors_of(result):
            if tensor.untyped_storage().data_ptr() not in self.before:
                self.made[tensor.untyped_storage().data_ptr()] = tensor
        self.kernels.append((kernel, args, kwargs or {}, result))  # keeps all memory alive
        return result

    def undo(self) -> None:
        for storage, held in self.before.values():
            storage.copy_(held)
        for tensor in self.made.values():
            if tensor.is_floating_point():
                tensor.detach().fill_(torch.nan)

    def replay(self) -> None:
        with torch._C._AutoDispatchBelowAutograd():
            for kernel, args, kwargs, result in self.kernels:
                again = kernel(*args, **kwargs)
                for old, new in zip(tensors_of(result), tensors_of(again), strict=True):
                    if old.untyped_storage().data_ptr() != new.untyped_storage().data_ptr():
                        old.copy_(new)


class Tape:
    """What can record, as ``gan_cli.training.capture.Recorder`` wants it."""

    def __init__(self) -> None:
        self.recordings: list[Recording] = []
        self.replays = 0
        self.waits: list[str] = []

    def record(self, function):
        recording = Recording()
        state = torch.get_rng_state()
        with recording:
            result = function()
        torch.set_rng_state(state)
        recording.undo()
        self.recordings.append(recording)

        def replay() -> None:
            self.replays += 1
            recording.replay()

        return replay, result

    @contextmanager
    def watched(self):
        yield self.waits
