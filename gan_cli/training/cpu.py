"""Process-wide settings that make the training step fast on a CPU."""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path

import torch

from gan_cli.games.exactly import PRODUCTS

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # glibc's malloc.h
KEPT = 2**31 - 1  # bytes: more than any tensor of a step
EXACT = 1e-5  # relative error of a float32 product; bfloat16 makes one of 1e-3


def tune() -> None:
    """Sets them. Each choice depends on the machine alone, never on a timing, so that bits stay the same."""
    keep_memory()
    route_products()


def keep_memory() -> None:
    """Keeps freed memory in the process; else each step returns large tensors to the system and pages them in again."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(MMAP_THRESHOLD, KEPT)
        libc.mallopt(TRIM_THRESHOLD, KEPT)


def route_products() -> None:
    """Sends matrix products to oneDNN where MKL does not use the machine's AVX-512: on processors that are not Intel's.

    torch offers the switch only as a precision. It is reset where it would lose precision, as on processors whose
    float32 products are then rounded to bfloat16.
    """
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or cpuinfo("vendor_id") != "AuthenticAMD":
        return
    before = PRODUCTS.fp32_precision
    PRODUCTS.fp32_precision = "bf16"
    if product_error() > EXACT:
        PRODUCTS.fp32_precision = before


def cpuinfo(field: str) -> str:
    """What Linux reports of the processor, such as its ``model name``; "" if unknown."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")


def product_error() -> float:
    """Largest error of a float32 product of 256 × 256 entries, relative to its largest entry."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(256, 256, generator=generator, dtype=torch.float64) for _ in range(2))
    exact = a @ b
    return float(((a.float() @ b.float()).double() - exact).abs().max() / exact.abs().max())
