"""Two processes with a core each against one with two threads: images per second, run after run in turns.

python -m gan_cli.bench.processes 3 2000 architecture=mlp
python -m gan_cli.bench.processes 3 300 sync_batchnorm=true
python -m gan_cli.bench.processes 3 300 sync_batchnorm=false
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from gan_cli.errors import UserError

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


def typed(argv: list[str]) -> None:
    """The same, as it is typed.

    Raises:
        UserError: if rounds and steps are no numbers, or gan-train takes the rest for a mistake.
    """
    if len(argv) < 2 or not all(re.fullmatch(r"[1-9]\d{0,8}", number) for number in argv[:2]):
        raise UserError(f"{' '.join(argv)}: begins with two numbers, rounds and steps: 3 2000 architecture=mlp")
    try:
        main(int(argv[0]), int(argv[1]), argv[2:])
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").splitlines() or [f"gan-train ended with {error.returncode}"]
        raise UserError(*(line.removeprefix("gan-train: error: ") for line in said[-3:])) from error
