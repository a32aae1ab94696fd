"""The software and hardware that a run was computed with."""

from __future__ import annotations

import os
import platform

import torch

from gan_cli.version import __version__


def environment(device: torch.device) -> dict[str, str]:
    """Versions and the machine, in words, for ``status.json``."""
    facts = {"gan-train": __version__, "torch": torch.__version__, "python": platform.python_version()}
    facts["system"] = platform.platform()
    facts["cpu"] = f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads used"
    if device.type == "cuda":
        facts["device"] = f"{torch.cuda.get_device_name(device)}, CUDA {torch.version.cuda}"
    else:
        facts["device"] = device.type
    return facts
