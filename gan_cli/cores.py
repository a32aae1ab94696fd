"""How many processor cores there are. Imports nothing of this package."""

from __future__ import annotations

import os
import sys


def cores() -> int:
    """Those that this process may use, as Slurm, taskset or a container's set of them leaves them."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
