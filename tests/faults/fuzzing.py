"""The command line of a script that tries random input: a count, a seed, and a table of what became of it."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn


def within(fuzz: Callable[[int, int], Counter[str]]) -> Callable[[int, int, Path], Counter[str]]:
    """The same in a folder."""

    def fuzz_in(count: int, seed: int, folder: Path) -> Counter[str]:
        os.chdir(folder)
        try:
            return fuzz(count, seed)
        finally:
            os.chdir("/")

    return fuzz_in


def main(
    doc: str | None,
    what: str,
    count: int,
    fuzz: Callable[[int, int, Path], Counter[str]],
    fine: Callable[[str], bool],
) -> NoReturn:
    """Runs ``fuzz(count, seed, empty folder)`` and exits with 1 if anything ended in another way than a fine one."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=count)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        counts = fuzz(options.count, options.seed, Path(folder))
    print(f"seed {options.seed}: {options.count:,} {what} in {time.monotonic() - began:.0f} s")
    for how, number in counts.most_common():
        print(f"  {how:26}{number:7,}")
    raise SystemExit(int(not all(fine(how) for how in counts)))
