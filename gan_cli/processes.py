"""Processes beside this one: how they begin, and how many cores there are for them. Imports nothing of this package."""

from __future__ import annotations

import os
import sys
from pathlib import Path

PROGRAM = (  # the current folder comes last, so that a random.py there does not hide Python's own
    "import sys; sys.path.sort(key=lambda place: place == ''); sys.path.insert(0, sys.argv[1]); "
    "from {} import main; main()"
)


def program(module: str) -> list[str]:
    """The command of a process that calls ``main()`` of a module of this very package."""
    return [sys.executable, "-c", PROGRAM.format(module), str(Path(__file__).parents[1])]


def cores() -> int:
    """Those that this process may use, as Slurm, taskset or a container's set of them leaves them."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
