"""``python -m gan_cli.gpu_check``: whether training on this GPU is right, and how fast it is; for a GPU first seen.

Checks, on small games: recorded moves are the moves bit for bit; a resumed run is the undisturbed one; nothing waits
for the device between two lines of the log; a pack too large for the GPU gives the bytes of one that fits. Then times
the training step of real models in every precision, as written, compiled and recorded, in turns. Prints a table and
writes everything as JSON. ``--tiny`` runs through all of it in a minute, on a CPU too, to no other end.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch

from gan_cli.build import pick_device
from gan_cli.capture import CUDAGraphs, Machine, own_stream
from gan_cli.gpu_check.bench import MLP
from gan_cli.gpu_check.checks import CHECKED, checks
from gan_cli.gpu_check.timings import MODELS, PRECISIONS, peak, timings
from gan_cli.precision import refusal


def main(argv: Sequence[str] | None = None, machine: Machine | None = None) -> int:
    """Returns 1 if a check failed. ``machine``: what records moves, if not CUDA graphs."""
    parser = argparse.ArgumentParser(prog="python -m gan_cli.gpu_check", description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=Path("gpu_check.json"), help="everything, as JSON")
    parser.add_argument("--tiny", action="store_true", help="runs through everything once, on a CPU too")
    parser.add_argument("--checks-only", action="store_true")
    options = parser.parse_args(argv)
    device = pick_device(options.device)
    cuda = device.type == "cuda"
    if not cuda and not options.tiny:
        parser.error(f"this is for CUDA devices, and --device is {device}: on others there is --tiny")
    machine = machine or (CUDAGraphs() if cuda else None)
    games, models, rounds, steps = list(CHECKED), MODELS, 7, 20
    if options.tiny:
        games, rounds, steps = ["mlp"], 1, 1
        models = {"mlp": ((*MLP, "dataset.size=8", "dataset.limit=64"), (8,))}
    name = torch.cuda.get_device_name(device) if cuda else "CPU"
    with own_stream(device):
        checked = checks(device, machine, games)
        for what, result in checked.items():
            print(f"{what:50} {result}", flush=True)
        asked = [] if options.checks_only else [p for p in PRECISIONS if not refusal(p, device)]
        peaks = {precision: peak(precision, device, 64 if options.tiny else 8192) for precision in asked}
        timed = timings(device, machine, models, rounds, steps, peaks)
    print(f"\n{name}, torch {torch.__version__}; {', '.join(f'{p} {v / 1e12:.1f} TFLOP/s' for p, v in peaks.items())}")
    print(
        f"{'model':20} {'batch':>5} {'precision':9} {'mode':9} {'images/s':>10} {'± %':>5} {'kernels':>8} {'peak %':>7}"
    )
    for r in timed:
        head = f"{r['model']:20} {r['batch_size']:5} {r['precision']:9} {r['mode']:9}"
        if "refused" in r:
            print(f"{head} {r['refused']}")
        else:
            spread, share = 100 * r["spread"], 100 * r["share_of_peak"]
            print(f"{head} {r['images_per_second']:10,.0f} {spread:5.1f} {r['kernels']:8.0f} {share:7.1f}")
    everything = {"device": name, "torch": torch.__version__, "checks": checked, "peaks": peaks, "timings": timed}
    options.out.write_text(json.dumps(everything, indent=2) + "\n", encoding="utf-8")
    return int(any(result != "ok" for result in checked.values()))


if __name__ == "__main__":
    raise SystemExit(main())
