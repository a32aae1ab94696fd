"""The precision that networks compute in. Losses and penalties are computed in float32 in any case."""

from __future__ import annotations

import logging
import os

import torch

from gan_cli.config.schema import Config
from gan_cli.errors import UserError

log = logging.getLogger(__name__)
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def choose(config: Config, device: torch.device, before: str | None = None) -> str:
    """The precision of a run.

    precision=auto chooses by the hardware, once: a resumed run keeps the precision that it has computed in so far
    (``before``), also on another machine, if that machine supports it.

    Raises:
        UserError: if the device cannot compute in the asked precision.
    """
    if config.precision != "auto":
        if reason := refusal(config.precision, device):
            raise UserError(f"precision={config.precision}: {reason}")
        return config.precision
    if before is None:
        chosen = "bf16" if has_bf16(device) else "tf32" if device.type == "cuda" else "fp32"
        log.info("precision=auto: %s", chosen)
    elif reason := refusal(before, device):
        chosen = "fp32"
        log.warning("precision=auto: was %s, which %s: goes on in %s", before, reason, chosen)
    else:
        chosen = before
        log.info("precision=auto: %s, as before", chosen)
    return chosen


def refusal(precision: str, device: torch.device) -> str | None:
    """Why a device cannot compute in a precision, and what to use instead; None if it can."""
    if precision in ("tf32", "fp16") and device.type != "cuda":
        return f"is for CUDA devices, this run is on {device.type}: use fp32 or bf16"
    if precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        return "this GPU does not compute in bf16: use fp16, fp32 or tf32"
    return None


def has_bf16(device: torch.device) -> bool:
    """Whether the hardware multiplies in bfloat16; other hardware emulates it, slowly."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def set_precision(precision: str, device: torch.device, deterministic: bool) -> None:
    """Sets torch's process-wide switches for precision and determinism."""
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.benchmark = not deterministic
        # deterministic kernels require it, and torch reads it once, at the first matrix product of the process
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if torch.are_deterministic_algorithms_enabled() != deterministic:  # setting it imports the compiler
        torch.use_deterministic_algorithms(deterministic)
