"""Several processes train one game: each holds its rows of every minibatch, and gradients are averaged over all.

A process that was not started as one of several is the only one: ``rank()`` is 0, ``world()`` is 1, and nothing here
does anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

LONGEST_WAIT = timedelta(days=1)  # others wait while the first measures; that it died is noticed by other means
BUCKET = 25 * 2**20  # bytes: large enough for full speed of the link, small enough to leave while backward goes on
_local: int | None = None
_alone = False


@contextmanager
def joined(store: Any, rank: int, world: int, local: int, device: torch.device) -> Iterator[None]:
    """This process is number ``rank`` of ``world`` in this context, and number ``local`` on its machine."""
    global _local
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=store,
        rank=rank,
        world_size=world,
        timeout=LONGEST_WAIT,
        device_id=device if device.type == "cuda" else None,
    )
    _local = local
    try:
        yield
    finally:
        _local = None
        dist.destroy_process_group()


def local() -> int | None:
    """Which of this machine's processes this is; None if it is the only one."""
    return _local


def _alone_for_good() -> bool:
    return not (dist.is_available() and dist.is_initialized())


def together() -> bool:
    """Whether there are other processes, and they do the same now."""
    return not _alone and not _alone_for_good()


def rank() -> int:
    return dist.get_rank() if together() else 0


def world() -> int:
    return dist.get_world_size() if together() else 1


def rows(size: int) -> slice:
    """Which of ``size`` samples are this process's."""
    share = size // world()
    return slice(rank() * share, (rank() + 1) * share)


@contextmanager
def by_itself() -> Iterator[None]:
    """In this context what this process computes concerns its own samples only: the others do something else."""
    global _alone
    _alone, before = True, _alone
    try:
        yield
    finally:
        _alone = before


def alone(observer: Callable[..., None]) -> Callable[..., None]:
    """An observer that this process calls without the others."""

    def call(*arguments: Any) -> None:
        with by_itself():
            observer(*arguments)

    return call


@contextmanager
def first_of_machine() -> Iterator[None]:
    """The first process of each machine goes before its others: it fills the caches that they read."""
    if local():
        dist.barrier()
    yield
    if local() == 0:
        dist.barrier()


class Averaging:
    """Replaces tensors by their means over all processes, with one all-reduce for each bucket of them.

    Args:
        early: parameters whose gradients set out as soon as they are final, while backward goes on. The inner
            derivative of a penalty is no ``.grad``, so it is not mistaken for one.
    """

    def __init__(self, early: Iterable[Tensor] = ()) -> None:
        self._ready: list[Tensor] = []
        self._under_way: list[tuple[dist.Work, Tensor, list[Tensor]]] = []
        for parameter in early:
            parameter.register_post_accumulate_grad_hook(self._final)

    def _final(self, parameter: Tensor) -> None:
        assert parameter.grad is not None
        self._ready.append(parameter.grad)
        if sum(tensor.nbytes for tensor in self._ready) >= BUCKET:
            self._send()

    def _send(self) -> None:
        bucket = torch.cat([tensor.reshape(-1) for tensor in self._ready])
        self._under_way.append((dist.all_reduce(bucket, async_op=True), bucket, self._ready))
        self._ready = []

    def __call__(self, tensors: Iterable[Tensor]) -> None:
        """All of ``tensors``, in the same order in every process."""
        begun = {id(tensor) for _, _, sent in self._under_way for tensor in sent} | {id(t) for t in self._ready}
        self._ready += [tensor for tensor in tensors if id(tensor) not in begun]
        self._send()
        for work, bucket, sent in self._under_way:
            work.wait()
            means = bucket.div_(world()).split([tensor.numel() for tensor in sent])
            torch._foreach_copy_(sent, [mean.view_as(tensor) for mean, tensor in zip(means, sent, strict=True)])
        self._under_way = []


class _Sum(torch.autograd.Function):
    """The sum over all processes. It is its own adjoint, so it can be differentiated as often as one likes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.contiguous().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _Sum.apply(gradients[0])


def gathered(x: Tensor) -> Tensor:
    """What ``x`` is in each process: (world, *x.shape), differentiably.

    The gradient that arrives at ``x`` is that of the *sum* of what all processes differentiate; averaging gradients
    afterwards makes it that of the mean.
    """
    if world() == 1:
        return x[None]
    return _Sum.apply(torch.stack([x if i == rank() else torch.zeros_like(x) for i in range(world())]))


def mean(x: Tensor) -> Tensor:
    """The mean over processes, differentiably."""
    return x if world() == 1 else gathered(x).mean(dim=0)


def moments(x: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mean and variance (without correction) over the samples of all processes and the rest of ``dims``."""
    parts = gathered(torch.stack(torch.var_mean(x, dims, correction=0)))  # (world, 2, …)
    means = parts[:, 1]
    mean = means.mean(dim=0)
    return mean, (parts[:, 0] + (means - mean).square()).mean(dim=0)  # of equal shares


def variance(x: Tensor) -> Tensor:
    """Over the minibatch, without correction: (B, …) → (…)."""
    return x.var(dim=0, correction=0) if world() == 1 else moments(x, (0,))[1]


def deviation(x: Tensor) -> Tensor:
    """The standard deviation of all numbers in a minibatch, a scalar."""
    if world() == 1:
        return x.std()
    count = world() * x.numel()
    return (moments(x, tuple(range(x.dim())))[1] * (count / (count - 1))).sqrt()


def shared_out(parts: int, compute: Callable[[int], Tensor]) -> list[Tensor]:
    """Parts 0, 1, … of work that all processes come to at the same moment: each does its own, the first gets all.

    Args:
        compute: part → what it gives, on the CPU.
    """
    if _alone_for_good():
        return [compute(part) for part in range(parts)]
    me, every = dist.get_rank(), dist.get_world_size()
    own = [compute(part) for part in range(me, parts, every)]
    shares: list[list[Tensor]] | None = [[] for _ in range(every)] if me == 0 else None
    dist.gather_object(own, shares)
    return [shares[part % every][part // every] for part in range(parts)] if shares else []


def from_first(number: int | None, device: torch.device) -> int | None:
    """The whole number, or None, that the first process says; all processes call this at the same moment."""
    if _alone_for_good():
        return number
    told = torch.tensor(-1 if number is None else number, device=device)
    dist.broadcast(told, 0)
    return None if told < 0 else int(told)


def as_in_first(network: torch.nn.Module) -> None:
    """Gives this process the buffers that the first one has; parameters are the same everywhere."""
    if not _alone_for_good():
        for buffer in network.buffers():
            dist.broadcast(buffer, 0)
