"""Processes beside this one: how they begin, and how many cores there are for them. Imports nothing of this package."""

from __future__ import annotations

import os
import sys
from pathlib import Path

PROGRAM = (  # this very package by its place, and the current folder last: a random.py there must not hide Python's own
    "import sys; sys.path.sort(key=lambda place: place == ''); from importlib import util; "
    "found = util.spec_from_file_location('gan_cli', sys.argv[1]); "
    "sys.modules['gan_cli'] = made = util.module_from_spec(found); found.loader.exec_module(made); "
    "from {} import main; main()"
)


def program(module: str) -> list[str]:
    """The command of a process that calls ``main()`` of a module of this very package."""
    return [sys.executable, "-c", PROGRAM.format(module), str(Path(__file__).with_name("__init__.py"))]


def cores() -> int:
    """Those that this process may use, as Slurm, taskset or a container's set of them leaves them."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
