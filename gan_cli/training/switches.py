"""torch's settings that are of a whole process, and that a run may change."""

from __future__ import annotations

from typing import Any

import torch

from gan_cli.games.exactly import PRODUCTS

PLACES: tuple[tuple[Any, str], ...] = (
    (torch.backends.cuda.matmul, "allow_tf32"),
    (torch.backends.cudnn, "allow_tf32"),
    (torch.backends.cudnn, "benchmark"),
    (torch.backends.cudnn, "deterministic"),
    (PRODUCTS, "fp32_precision"),
)


class Switches:
    """Precision, determinism and number of threads, as they are when it is made."""

    def __init__(self) -> None:
        self.values = [getattr(*place) for place in PLACES]
        self.deterministic, self.threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()

    def restore(self) -> None:
        """Sets them so again."""
        for place, value in zip(PLACES, self.values, strict=True):
            setattr(*place, value)
        if torch.are_deterministic_algorithms_enabled() != self.deterministic:  # setting it imports the compiler
            torch.use_deterministic_algorithms(self.deterministic)
        torch.set_num_threads(self.threads)
