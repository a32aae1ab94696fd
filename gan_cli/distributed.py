"""Several processes train one game: each holds its rows of every minibatch, and gradients are averaged over all.

In a process that was started alone, ``rank()`` is 0, ``world()`` is 1, and the functions here do nothing.

A process may compute with its rows in parts, one after another (``accumulate=``). What is drawn for a sample depends
neither on the process nor on the part that holds it; what looks at a whole minibatch looks at the part of each process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import ParamSpec

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import FunctionCtx

LONGEST_WAIT = timedelta(days=1)  # others wait while the first evaluates; its death is noticed by other means
BUCKET = 25 * 2**20  # bytes: large enough for the link's full speed, small enough to be sent during backward
_local: int | None = None
_alone = False
_part, _parts = 0, 1
_noted: set[str] | None = None  # what has looked at a whole minibatch
Arguments = ParamSpec("Arguments")


@contextmanager
def joined(store: dist.Store, rank: int, world: int, local: int, device: torch.device) -> Iterator[None]:
    """In this context the process is number ``rank`` of ``world``, and number ``local`` on its machine."""
    global _local, _alone
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
        if device.type == "cuda":
            _alone = True  # NCCL's end is a collective: a process that ends alone would wait for the others for ever
        else:
            dist.destroy_process_group()


def local() -> int | None:
    """The number of this process on its machine; None if it is the only one of the run."""
    return _local


def _alone_for_good() -> bool:
    return not (dist.is_available() and dist.is_initialized())


def together() -> bool:
    """Whether there are other processes that compute the same at this moment."""
    return not _alone and not _alone_for_good()


def rank() -> int:
    return dist.get_rank() if together() else 0


def world() -> int:
    return dist.get_world_size() if together() else 1


def part() -> int:
    """Which part of its rows this process computes with: 0, 1, … ``parts() − 1``."""
    return _part


def parts() -> int:
    """In how many parts this process computes with its rows; 1: with all at once."""
    return _parts


def shares() -> int:
    """In how many shares a minibatch is computed with: parts of all processes."""
    return world() * _parts


@contextmanager
def of_parts(number: int, parts: int) -> Iterator[None]:
    """In this context the process computes with part ``number`` of its rows."""
    global _part, _parts
    _part, _parts, before = number, parts, (_part, _parts)
    try:
        yield
    finally:
        _part, _parts = before


def rows(size: int) -> slice:
    """The rows of ``size`` samples that this process computes with."""
    share, number = size // shares(), rank() * _parts + _part
    return slice(number * share, (number + 1) * share)


def in_first_half(count: int) -> int:
    """How many of the ``count`` rows that this process computes with lie in the first half of its rows."""
    return min(count, max(0, count * _parts // 2 - count * _part))


@contextmanager
def noting() -> Iterator[set[str]]:
    """A context with the set of what has looked at a whole minibatch."""
    global _noted
    _noted, before = set(), _noted
    try:
        yield _noted
    finally:
        _noted = before


def note_minibatch(what: str) -> None:
    """Notes that something looks at a whole minibatch, for ``noting``."""
    if _noted is not None:
        _noted.add(what)


@contextmanager
def by_itself() -> Iterator[None]:
    """In this context the process computes without the others, as if it were the only one."""
    global _alone
    _alone, before = True, _alone
    try:
        yield
    finally:
        _alone = before


def alone(observer: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """The observer, called in ``by_itself``."""

    def call(*arguments: Arguments.args, **keywords: Arguments.kwargs) -> None:
        with by_itself():
            observer(*arguments, **keywords)

    return call


@contextmanager
def first_of_machine() -> Iterator[None]:
    """In this context the first process of each machine runs before the others, to fill the caches that they read."""
    if local():
        dist.barrier()
    yield
    if local() == 0:
        dist.barrier()


class Averaging:
    """Replaces tensors by their means over all processes, with one all-reduce for each bucket of them.

    Args:
        early: parameters whose gradients are sent as soon as they are final, during backward. The inner derivative of
            a penalty is not accumulated into ``.grad``, so it is not sent.
    """

    def __init__(self, early: Iterable[Tensor] = ()) -> None:
        self._ready: list[Tensor] = []
        self._under_way: list[tuple[dist.Work, Tensor, list[Tensor]]] = []
        for parameter in early:
            parameter.register_post_accumulate_grad_hook(self._final)

    def _final(self, parameter: Tensor) -> None:
        if _part + 1 < _parts:  # more will be added to it
            return
        assert parameter.grad is not None
        self._ready.append(parameter.grad)
        if sum(tensor.nbytes for tensor in self._ready) >= BUCKET:
            self._send()

    def _send(self) -> None:
        bucket = torch.cat([tensor.reshape(-1) for tensor in self._ready])
        self._under_way.append((dist.all_reduce(bucket, async_op=True), bucket, self._ready))
        self._ready = []

    def __call__(self, tensors: Iterable[Tensor]) -> None:
        """Averages ``tensors``, which must be in the same order in every process."""
        begun = {id(tensor) for _, _, sent in self._under_way for tensor in sent} | {id(t) for t in self._ready}
        self._ready += [tensor for tensor in tensors if id(tensor) not in begun]
        self._send()
        for work, bucket, sent in self._under_way:
            work.wait()
            means = bucket.div_(world()).split([tensor.numel() for tensor in sent])
            torch._foreach_copy_(sent, [mean.view_as(tensor) for mean, tensor in zip(means, sent, strict=True)])
        self._under_way = []


class _Sum(torch.autograd.Function):
    """The sum over all processes. It is its own adjoint, so it can be differentiated any number of times."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        total = x.contiguous().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> Tensor:
        return _Sum.apply(gradients[0])


def gathered(x: Tensor) -> Tensor:
    """``x`` of every process, stacked: (world, *x.shape), differentiably.

    The gradient of ``x`` is that of the *sum* of all processes' costs; averaging the gradients afterwards makes it that
    of the mean.
    """
    if world() == 1:
        return x[None]
    return _Sum.apply(torch.stack([x if i == rank() else torch.zeros_like(x) for i in range(world())]))


def mean(x: Tensor) -> Tensor:
    """The mean over processes, differentiably."""
    if x.requires_grad:
        note_minibatch("means in the loss")
    return x if world() == 1 else gathered(x).mean(dim=0)


def moments(x: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mean and variance (without correction) over the samples of all processes and the rest of ``dims``."""
    parts = gathered(torch.stack(torch.var_mean(x, dims, correction=0)))  # (world, 2, …)
    means = parts[:, 1]
    mean = means.mean(dim=0)
    return mean, (parts[:, 0] + (means - mean).square()).mean(dim=0)  # processes hold equal shares


def variance(x: Tensor) -> Tensor:
    """The variance over the minibatch of all processes, without correction: (B, …) → (…)."""
    note_minibatch("the minibatch deviation")
    return x.var(dim=0, correction=0) if world() == 1 else moments(x, (0,))[1]


def deviation(x: Tensor) -> Tensor:
    """The standard deviation of all numbers in the minibatch of all processes, a scalar."""
    note_minibatch("the data's deviation in a penalty")
    if world() == 1:
        return x.std()
    count = world() * x.numel()
    return (moments(x, tuple(range(x.dim())))[1] * (count / (count - 1))).sqrt()


def shared_out(parts: int, compute: Callable[[int], Tensor]) -> list[Tensor]:
    """Computes parts 0, 1, … of a task, divided among all processes, which must call this at the same moment.

    Args:
        compute: part → result, on the CPU.

    Returns:
        The results of all parts in the first process; an empty list in the others.
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
    """Copies the first process's buffers to this one; parameters are equal in all processes."""
    if not _alone_for_good():
        for buffer in network.buffers():
            dist.broadcast(buffer, 0)
