"""Randomness as a function of where the run is, not of what was drawn before.

Every draw comes from a stream named by its place: ``(seed, "move", step, player, move)``, ``(seed, "order", player,
epoch)``, ``(seed, "samples")``. So a checkpoint holds no generator state, observers may draw what they like, and a
resumed run draws what the undisturbed one would have drawn. What is drawn in training follows from the attempt too:
a run that has gone back plays the same moments with other draws.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from gan_cli.distributed import rank, rows, shares, world

_common = torch.Generator()  # equal in all processes of a run, if there are several
_move: tuple[tuple[int | str, ...], torch.device] | None = None  # the latest


def key(*place: int | str) -> int:
    """A 63-bit seed for a place: equal places give equal seeds, different ones unrelated seeds."""
    digest = hashlib.blake2b(repr(place).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def played(seed: int, attempt: int) -> tuple[int | str, ...]:
    """Where the places of a run's training begin: its seed and, once it has gone back, which attempt this is."""
    return (seed, "attempt", attempt) if attempt else (seed,)


def stream(*place: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator of its own for a place."""
    return torch.Generator(device).manual_seed(key(*place))


def seed_all(*place: int | str, device: torch.device) -> None:
    """Seeds the default generators, which dropout and initialisation draw from, for a place."""
    torch.default_generator.manual_seed(key(*place))  # torch.manual_seed would also wake CUDA, at 100 µs a call
    if device.type == "cuda":
        torch.cuda.init()  # before this there are no generators
        number = torch.cuda.current_device() if device.index is None else device.index
        torch.cuda.default_generators[number].manual_seed(key(*place))
    elif device.type == "mps":
        torch.mps.manual_seed(key(*place))


def seed_move(*place: int | str, device: torch.device) -> None:
    """Seeds all generators for a move.

    With several processes, the default generators of each have a seed of their own, for draws outside this program's
    control. This program's own draws are those that a single process would make, divided among them: see ``drawn``.
    """
    global _common, _move
    _move = place, device
    if world() == 1:
        return seed_all(*place, device=device)
    seed_all(*place, "rank", rank(), device=device)
    _common = stream(*place, device=device)
    return None


def seed_again() -> None:
    """Seeds all generators for the latest move once more: another part of it draws what belongs to its samples."""
    assert _move is not None
    place, device = _move
    seed_move(*place, device=device)


def common_state() -> Tensor:
    """The state of the generator that processes have in common; the default generators have their own."""
    return _common.get_state()


def common_again(state: Tensor) -> None:
    """Has the common generator go on from a state that it was in."""
    _common.set_state(state)


def drawn(size: int, draw: Callable[[int, torch.Generator | None], Tensor]) -> Tensor:
    """This process's rows of ``draw(size, generator)``, for the ``size`` samples in the minibatch of all processes.

    Every process draws for all samples, in each part of a move, and drops the others' rows, so that the draws of a
    sample do not depend on the process and the part that hold it.
    """
    return draw(size, None if world() == 1 else _common)[rows(size)]


def uniform_for(x: Tensor) -> Tensor:
    """One draw from U(0, 1) for each sample of ``x`` (B, …): (B, 1, …, 1)."""
    return uniform_like(x.new_empty(len(x), *[1] * (x.dim() - 1)))


def uniform_like(x: Tensor) -> Tensor:
    """U(0, 1) for every number in ``x`` (B, …), in the order of its axes."""
    return drawn(
        shares() * len(x),
        lambda n, generator: torch.rand(n, *x.shape[1:], device=x.device, dtype=x.dtype, generator=generator),
    )


def like(x: Tensor, fill: Callable[[Tensor, torch.Generator | None], Tensor]) -> Tensor:
    """Draws for every number in ``x`` (B, …), which ``fill`` puts in place into a tensor laid out as ``x``."""
    whole = x.detach() if shares() == 1 else torch.cat([x.detach()] * shares())
    return drawn(len(whole), lambda _, generator: fill(torch.empty_like(whole), generator))


def normal_like(x: Tensor) -> Tensor:
    """N(0, 1) for every number in ``x``."""
    return like(x, lambda empty, generator: empty.normal_(generator=generator))


@contextmanager
def apart() -> Iterator[None]:
    """Afterwards the default generators go on as if nothing had been drawn in this context."""
    on_gpu = torch.cuda.is_initialized()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if on_gpu else []):
        yield
    if torch.cuda.is_initialized() and not on_gpu:
        torch.cuda.manual_seed_all(torch.initial_seed())  # as torch does when it first wakes a GPU
