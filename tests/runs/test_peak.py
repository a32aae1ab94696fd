"""What ``dry_run`` says of memory is what training takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import TINY_DCGAN, TINY_MLP, setup_of

from gan_cli.runs import peak


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells what a process holds")
def test_the_peak_that_is_predicted_is_the_peak():
    script = [sys.executable, str(Path(__file__).parents[1] / "memory.py")]
    keys = ("architecture.width=64", "batch_size=128", "penalty=r1", "penalty.r1.interval=2")
    started = [subprocess.Popen([*script, what, *keys], stdout=subprocess.PIPE) for what in ("measured", "predicted")]
    measured, predicted = (float(process.communicate(timeout=600)[0].split()[-1]) for process in started)
    assert predicted == pytest.approx(measured, rel=0.2)


def test_a_peak_is_carried_on_along_a_straight_line(monkeypatch):
    """3 MB and a hundredth for each sample, of which steps of 2, 4, 8 … are measured until they take 5 MB."""
    setup, sizes = setup_of(*TINY_MLP, "batch_size=4096", "device=cpu"), []

    class Memory:
        def __init__(self, device: torch.device) -> None:
            pass

        def held(self) -> int:
            return 1_000_000

        def peak(self) -> int:
            return 3_000_000 + 10_000 * sizes[-1]

    monkeypatch.setattr(peak, "Memory", Memory)
    monkeypatch.setattr(peak, "ENOUGH", 5_000_000)
    monkeypatch.setattr(peak, "_step", lambda setup, size, images: sizes.append(size))
    found = peak.peak_of(setup)
    weights = 4 * sum(p.numel() for player in setup.players for p in player.network.parameters())
    average = 4 * sum(p.numel() for p in setup.game.networks["generator"].parameters())
    assert found.total == weights + average + 3_000_000 + 10_000 * 4096
    assert sizes == [2, 2, 4, 8, 16, 32, 64, 128, 256]
    assert found.how == "carried on to 4096 samples from a step of 256"


def test_networks_that_grow_are_measured_when_they_are_largest(monkeypatch):
    seen = []
    monkeypatch.setattr(
        peak,
        "_measured",
        lambda setup, size, images, before: seen.append((size, images)) or peak.Peak(size, size, size),
    )
    keys = ("architecture=progressive", "architecture.base=16", "architecture.most=4", "prior.size=4", "dataset.size=8")
    grows = (*keys, "architecture.train_images=64", "architecture.fade_images=64", "batch_size={0:16,96:8}", "steps=20")
    assert peak.peak_of(setup_of(*grows, "device=cpu")).total > 16
    assert seen == [(16, 80), (8, 96 + 14 * 8 - 8)]
    seen.clear()
    peak.peak_of(setup_of(*TINY_DCGAN, "batch_size={0:8,64:16}", "device=cpu"))
    assert seen == [(16, 0)]
