"""The process-wide choices for a CPU."""

from __future__ import annotations

import pytest
import torch

from gan_cli.games.exactly import PRODUCTS, exact_kernels
from gan_cli.training import cpu


@pytest.mark.parametrize(
    ("vendor", "capability", "error", "chosen"),
    [
        ("AuthenticAMD", "AVX512", 1e-7, "bf16"),
        ("AuthenticAMD", "AVX512", 1e-3, "ieee"),  # a processor that would multiply in bfloat16
        ("AuthenticAMD", "AVX2", 1e-7, "ieee"),
        ("GenuineIntel", "AVX512", 1e-7, "ieee"),
    ],
)
def test_products_go_to_the_other_library_only_where_it_is_faster_and_as_exact(
    monkeypatch, vendor, capability, error, chosen
):
    PRODUCTS.fp32_precision = "ieee"
    monkeypatch.setattr(cpu, "cpuinfo", lambda field: vendor)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(cpu, "product_error", lambda: error)
    cpu.route_products()
    assert chosen == PRODUCTS.fp32_precision
    with exact_kernels():  # which sets what torch's older switches set
        assert PRODUCTS.fp32_precision == "ieee"
    cpu.route_products()
    assert chosen == PRODUCTS.fp32_precision
    assert not torch.backends.cuda.matmul.allow_tf32


def test_float32_products_are_told_from_rounded_ones():
    assert cpu.product_error() < cpu.EXACT
    a, b = torch.randn(256, 256), torch.randn(256, 256)
    rounded = (a.bfloat16() @ b.bfloat16()).float() - a @ b
    assert rounded.abs().max() / (a @ b).abs().max() > cpu.EXACT
