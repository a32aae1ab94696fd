"""How much memory there is, and what is said where it is not enough. Imports torch only for a GPU's."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.errors import UserError

if TYPE_CHECKING:
    import torch

GIB = 2**30
SHORT = (  # what torch says where it has no class of its own for it
    r"can't allocate memory: you tried to allocate (\d+) bytes",
    r"not enough memory: you tried to allocate (\d+) bytes",
    r"out of memory",
    r"STATUS_ALLOC_FAILED",
    r"std::bad_alloc",
)


def shortage(error: BaseException) -> str | None:
    """How much could not be had, in words, if an error is one of memory; None if it is another."""
    said = " ".join(str(error).split())
    found = next((match for pattern in SHORT if (match := re.search(pattern, said))), None)
    if not isinstance(error, MemoryError) and not (isinstance(error, RuntimeError) and found):
        return None
    if found and found.groups():
        return f"{int(found[1]) / GIB:,.3g} GiB could not be had"
    if told := re.search(r"(?:Tried|Unable) to allocate ([\d.,]+ [KMGTPE]?i?B)", said):
        return f"{told[1]} could not be had"
    return "no more could be had"


@contextmanager
def enough(what: str, fix: str) -> Iterator[None]:
    """Where memory runs out in this context, that is one line.

    Args:
        what: key and value that it depends on most, such as ``batch_size=64``.
        fix: what to set instead.

    Raises:
        UserError: if it runs out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if (missing := shortage(error)) is None:
            raise
        raise UserError(f"{what}: out of memory ({missing}{_beside()}): {fix}") from error


def _beside() -> str:
    """How much was held when memory ran out."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and (held := torch.cuda.memory_allocated()):
        return f"; {_gib(held)} of the GPU were held"
    with suppress(OSError, ValueError, IndexError):
        return f"; {_gib(_used()[1])} were held"
    return ""


def require(needed: float, what: str, fix: str, device: torch.device | None = None) -> None:
    """Refuses what cannot fit, before anything is allocated.

    Args:
        needed: bytes at least.
        what: key and value that it follows from.
        fix: what to set instead.
        device: where it is to lie; None: in the machine's memory.

    Raises:
        UserError: if there are fewer.
    """
    if needed <= GIB / 8 or needed <= (there := available(device)):
        return
    place = "the GPU" if device is not None and device.type == "cuda" else "this machine"
    raise UserError(f"{what}: {_gib(needed)} are needed at least, and {place} has {_gib(there)} free: {fix}")


def _gib(size: float) -> str:
    return f"{size / GIB:,.1f} GiB" if size < 1e6 * GIB else f"{size / GIB:.0e} GiB"


def available(device: torch.device | None = None) -> float:
    """Bytes that can be had: on a GPU what is free, else what the machine, its container and its limits leave."""
    if device is not None and device.type == "cuda":
        import torch

        return torch.cuda.mem_get_info(device)[0]
    return min(_machine(), _container(), _limit())


def _machine() -> float:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        sizes = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
        return sizes["MemAvailable"] + sizes.get("SwapFree", 0)
    except (OSError, ValueError, LookupError):
        with suppress(ValueError, OSError, AttributeError):
            return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return float("inf")


def _container() -> float:
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            return float(int(Path(file).read_text(encoding="ascii")))
    return float("inf")


def _limit() -> float:
    """What ``ulimit -v`` leaves."""
    if sys.platform == "linux":
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            return float(max(0, limit - _used()[0]))
    return float("inf")


def _used() -> tuple[int, int]:
    """What this process takes of its address space, and of memory, in bytes; raises OSError where Linux is not."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[:2]
    space, held = (int(number) * os.sysconf("SC_PAGE_SIZE") for number in pages)
    return space, held
