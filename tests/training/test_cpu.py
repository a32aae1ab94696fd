"""The process-wide choices for a CPU."""

from __future__ import annotations

import pytest
import torch

from gan_cli.training import cpu


@pytest.fixture
def precision():
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.usefixtures("precision")
@pytest.mark.parametrize(
    ("vendor", "capability", "error", "chosen"),
    [
        ("AuthenticAMD", "AVX512", 1e-7, "medium"),
        ("AuthenticAMD", "AVX512", 1e-3, "highest"),  # a processor that would multiply in bfloat16
        ("AuthenticAMD", "AVX2", 1e-7, "highest"),
        ("GenuineIntel", "AVX512", 1e-7, "highest"),
    ],
)
def test_products_go_to_the_other_library_only_where_it_is_faster_and_as_exact(
    monkeypatch, vendor, capability, error, chosen
):
    torch.set_float32_matmul_precision("highest")
    monkeypatch.setattr(cpu, "vendor", lambda: vendor)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(cpu, "product_error", lambda: error)
    cpu.route_products()
    assert torch.get_float32_matmul_precision() == chosen


def test_float32_products_are_told_from_rounded_ones():
    assert cpu.product_error() < cpu.EXACT
    a, b = torch.randn(256, 256), torch.randn(256, 256)
    rounded = (a.bfloat16() @ b.bfloat16()).float() - a @ b
    assert rounded.abs().max() / (a @ b).abs().max() > cpu.EXACT
