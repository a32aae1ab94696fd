"""How many pictures the published datasets have, by split: known before anything is read or downloaded. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping

_MNIST = {"train": 60_000, "test": 10_000}
PICTURES: Mapping[str, Mapping[str, int]] = {
    "digits": {"train": 10_000, "test": 2_000},
    "mnist": _MNIST,
    "fashion_mnist": _MNIST,
    "kmnist": _MNIST,
    "qmnist": {"train": 60_000, "test": 60_000, "test10k": 10_000, "test50k": 50_000, "nist": 402_953},
    "cifar10": {"train": 50_000, "test": 10_000},
    "svhn": {"train": 73_257, "test": 26_032, "extra": 531_131},
    "stl10": {"train": 5_000, "test": 8_000, "unlabeled": 100_000, "train+unlabeled": 105_000},
    "celeba": {"train": 162_770, "valid": 19_867, "test": 19_962, "all": 202_599},
}
