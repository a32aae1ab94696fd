"""The device that a run is computed on, and what is set for it in the whole process."""

from __future__ import annotations

import os

import torch

from gan_cli import distributed
from gan_cli.config.schema import Config
from gan_cli.errors import UserError
from gan_cli.training import cpu
from gan_cli.training.compiler import require_compiler
from gan_cli.training.precision import choose, set_precision


def ready(config: Config, before: str | None = None) -> tuple[torch.device, str]:
    """Sets what a run needs in the whole process.

    Args:
        before: the precision of the run that is continued.

    Returns:
        Its device, and its precision.

    Raises:
        UserError: if this machine does not have what the config asks for.
    """
    device = pick_device(config.device, distributed.local())
    precision = choose(config, device, before)
    set_precision(precision, device, config.deterministic)
    if device.type == "cpu":
        cpu.tune()
    if config.compile and not config.ensemble:  # seeds that are trained together do without a compiler
        require_compiler(device)
    return device, precision


def pick_device(name: str, process: int | None = None) -> torch.device:
    """The device a config asks for.

    Args:
        process: the number of this process on its machine, if each process gets a device of its own.

    Raises:
        UserError: if this machine does not have it.
    """
    if process is not None and name != "cpu" and (name == "cuda" or torch.cuda.is_available()):
        apart = "SLURM_GPUS_PER_TASK" in os.environ and int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1
        if apart and torch.cuda.device_count() == 1:
            process = 0  # Slurm shows each of its tasks its own GPU alone
        if process >= torch.cuda.device_count():
            raise UserError(
                f"devices: a process for each CUDA device, and this machine has {torch.cuda.device_count()}: "
                "use fewer, or device=cpu"
            )
        name = f"cuda:{process}"
    elif process is not None:
        name = "cpu"
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise UserError(f"device={name}: this machine has {torch.cuda.device_count()} CUDA devices: use device=auto")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("device=mps: this machine has no Metal device: use device=auto")
    return device


def synchronize(device: torch.device) -> None:
    """Waits for all work on a device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
