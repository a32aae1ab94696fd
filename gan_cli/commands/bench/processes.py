"""Two processes with a core each against one with two threads: images per second, run after run in turns.

python -m gan_cli.bench.processes 3 2000 architecture=mlp
python -m gan_cli.bench.processes 3 300 sync_batchnorm=true
python -m gan_cli.bench.processes 3 300 sync_batchnorm=false
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

QUIET = ("device=cpu", "sample_every=0", "checkpoint_every=0")


def speed(devices: int, steps: int, keys: list[str], folder: Path) -> float:
    """Images per second of a run, without its first fifth."""
    asked = [f"devices={devices}", f"steps={steps}", f"log_every={max(1, steps // 10)}", f"hydra.run.dir={folder}"]
    subprocess.run([sys.executable, "-m", "gan_cli", *QUIET, *keys, *asked], check=True, capture_output=True)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return median(line["images_per_second"] for line in lines[2:])


def main(rounds: int, steps: int, keys: list[str]) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        pairs = [
            [speed(devices, steps, keys, Path(temporary, f"{devices}-{turn}")) for devices in (1, 2)]
            for turn in range(rounds)
        ]
    ratios = [two / one for one, two in pairs]
    print(f"two processes / one with two threads: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"images per second: one {median(p[0] for p in pairs):.0f}, two {median(p[1] for p in pairs):.0f}", *keys)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
