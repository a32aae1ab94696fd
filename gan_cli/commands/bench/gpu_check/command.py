"""``python -m gan_cli.gpu_check``: whether training on this GPU is right, and how fast it is; for a GPU first seen.

Checks, on small games: recorded moves are the moves bit for bit; a resumed run is the undisturbed one; nothing waits
for the device between two lines of the log; a pack too large for the GPU gives the bytes of one that fits. Then times
the training step of real models, as written, recorded and compiled, in turns. Both go through their list in the order
of what it tells, and write everything so far as JSON after each entry. ``--tiny`` runs through all of it in a minute,
on a CPU too, to no other end.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from gan_cli.commands.arguments import Parser
from gan_cli.commands.bench.gpu_check.checks import CHECKED, checks, told
from gan_cli.commands.bench.gpu_check.timings import CELLS, MODELS, MODES, timed
from gan_cli.commands.bench.gpu_check.training import MLP
from gan_cli.commands.bench.table import Result, Row
from gan_cli.commands.bench.turns import machine as machine_facts
from gan_cli.output.replacing import replacing
from gan_cli.training.cuda_graphs import CUDAGraphs, Machine, own_stream
from gan_cli.training.devices import pick_device
from gan_cli.training.precision import refusal


class Deadline:
    """When to stop: an entry of a list is begun only if the longest one so far would still end in time."""

    def __init__(self, minutes: float | None) -> None:
        self.end = None if minutes is None else time.monotonic() + 60 * minutes
        self.begin()

    def begin(self) -> None:
        """Begins a list of entries of another kind."""
        self.longest, self._began = 0.0, time.monotonic()

    def passed(self) -> bool:
        """Whether there is no time for another entry; to be called before each."""
        now = time.monotonic()
        self.longest, self._began = max(self.longest, now - self._began), now
        return self.end is not None and now + self.longest > self.end


def main(argv: Sequence[str] | None = None, machine: Machine | None = None) -> int:
    """Returns 1 if a check failed. ``machine``: what records moves, if not CUDA graphs."""
    parser = Parser("python -m gan_cli.gpu_check", description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=Path("gpu_check.json"), help="everything, as JSON")
    parser.add_argument("--minutes", type=float, help="stops in time, and says what was not come to")
    parser.add_argument("--tiny", action="store_true", help="runs through everything once, on a CPU too")
    parser.add_argument("--checks-only", action="store_true")
    parser.add_argument("--timings-only", action="store_true")
    options = parser.parse_args(argv)
    device = pick_device(options.device)
    cuda = device.type == "cuda"
    if not cuda and not options.tiny:
        parser.error(f"this is for CUDA devices, and --device is {device}: on others there is --tiny")
    deadline = Deadline(options.minutes)
    games, cells, rounds, seconds = list(CHECKED), list(CELLS), 5, 0.5
    if options.tiny:
        games, cells, rounds, seconds = ["mlp"], [("mlp", 8, "fp32")], 1, 0.01
    result: Result = {**machine_facts(device), "checks": {}, "timings": []}
    with own_stream(device):
        if not options.timings_only:
            check_all(games, device, machine or (CUDAGraphs() if cuda else None), deadline, result, options.out)
        if not options.checks_only:
            time_all(cells, device, machine, deadline, (rounds, seconds), result, options.out)
    return int(any(found != "ok" for found in result["checks"].values()))


def check_all(
    games: Sequence[str],
    device: torch.device,
    machine: Machine | None,
    deadline: Deadline,
    result: Result,
    out: Path,
) -> None:
    """Runs the checks one after another, and prints their results."""
    wanted = checks(games, device)
    deadline.begin()
    for done, (name, check) in enumerate(wanted.items()):
        if deadline.passed():
            print(f"no time left for {len(wanted) - done} of {len(wanted)} checks, such as {name}", flush=True)
            break
        result["checks"][name] = told(check, device, machine)
        print(f"{name:50} {result['checks'][name]}", flush=True)
        write(result, out)


def time_all(
    cells: Sequence[tuple[str, int, str]],
    device: torch.device,
    machine: Machine | None,
    deadline: Deadline,
    turns: tuple[int, float],
    result: Result,
    out: Path,
) -> None:
    """Times one config after another; compiled ones, which take a minute each, at the end."""
    print(f"\n{result['device']}, torch {torch.__version__}")
    print(
        f"{'model':20} {'batch':>5} {'precision':9} {'mode':9} {'images/s':>10} {'± %':>5} {'kernels':>8} {'peak %':>7}"
    )
    known = [cell for cell in cells if not refusal(cell[2], device)]
    for modes in (("eager", "captured"), ("compiled",)):
        here = tuple(mode for mode in modes if mode in MODES)
        deadline.begin()
        for done, (model, size, precision) in enumerate(known if here else ()):
            if deadline.passed():
                rest = len(known) - done
                print(
                    f"no time left for {rest} of {len(known)} configs {' and '.join(here)}, such as {model}", flush=True
                )
                break
            small = (*MLP, "dataset.size=8", "dataset.limit=64") if size == 8 else MODELS[model]
            keys = (*small, f"batch_size={size}", f"precision={precision}")
            for record in timed(keys, here, device, machine, *turns):
                record.update(model=model, batch_size=size, precision=precision)
                result["timings"].append(record)
                print(line(record), flush=True)
            write(result, out)


def line(record: Row) -> str:
    """One row of the table."""
    head = f"{record['model']:20} {record['batch_size']:5} {record['precision']:9} {record['mode']:9}"
    if "refused" in record:
        return f"{head} {record['refused']}"
    rate = record["images_per_second"]
    spread, share = 100 * (rate["high"] - rate["low"]) / rate["median"], 100 * record["share_of_peak"]
    return f"{head} {rate['median']:10,.0f} {spread:5.1f} {record['kernels']:8.0f} {share:7.1f}"


def write(result: Result, path: Path) -> None:
    """Writes everything so far; the file is replaced whole."""
    with replacing(path) as aside:
        aside.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
