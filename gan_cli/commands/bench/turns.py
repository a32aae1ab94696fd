"""Times contenders in turns, A B A B …, so that a machine that slows down slows down all of them."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

import torch

from gan_cli.commands.bench.contender import Contender
from gan_cli.commands.bench.peer import Peer, PeerCommand
from gan_cli.commands.bench.table import Result, Row, show
from gan_cli.commands.bench.variants import Variant
from gan_cli.config.library import Library
from gan_cli.output import screen
from gan_cli.output.replacing import put_text
from gan_cli.training import cpu
from gan_cli.training.devices import pick_device
from gan_cli.version import __version__


def run(
    variants: Sequence[Variant],
    library: Library,
    peer: PeerCommand | None,
    *,
    repeats: int,
    seconds: float,
    out: Path | None,
) -> None:
    """Times every variant, and the peer, ``repeats`` times in turn.

    Raises:
        UserError: if the data cannot be loaded, the peer does not run, or the file cannot be written.
    """
    gpu = any(pick_device(variant.config.device).type == "cuda" for variant in variants)
    rates: dict[str, list[float]] = {}
    with ExitStack() as stack:
        racers: list[Contender | Peer] = []
        if peer:
            racers.append(stack.enter_context(Peer(peer, threads=torch.get_num_threads(), gpu=gpu)))
        contenders = [Contender(variant, library) for variant in variants]
        racers += contenders
        with screen.progress("turns", repeats * len(racers)) as advance:
            for _ in range(repeats):
                for racer in racers:
                    rates.setdefault(racer.name, []).append(racer.turn(seconds))
                    advance()
    rows = [of_contender(one, rates[one.name]) for one in contenders]
    if peer:
        facts = {"arguments": peer.arguments, "batch_size": peer.batch}
        rows.insert(0, {"name": peer.name, "peer": str(peer.script), **facts, **of_rates(rates[peer.name])})
    for row in rows:
        row["ratio"] = of_ratio(rates[row["name"]], rates[rows[0]["name"]])
    result = {**machine(contenders[0].setup.device), "repeats": repeats, "seconds": seconds, "rows": rows}
    if out:  # before anything is shown
        write(result, out)
    show(result)


def of_rates(rates: Sequence[float]) -> Row:
    """Median, lowest, highest and all of the rates, in images per second."""
    return {"images_per_second": {"median": median(rates), "low": min(rates), "high": max(rates), "all": list(rates)}}


def of_ratio(rates: Sequence[float], others: Sequence[float]) -> dict[str, float]:
    """The ratio of the medians, and the lowest and highest ratio of adjacent turns."""
    beside = [a / b for a, b in zip(rates, others, strict=True)]
    return {"median": median(rates) / median(others), "low": min(beside), "high": max(beside)}


def of_contender(one: Contender, rates: Sequence[float]) -> Row:
    """Everything measured of a variant; rates are per second, sizes in bytes."""
    peaks = {race: median(turn[race] for turn in one.peaks) for race in one.peaks[0]}
    steps = median(rates) / one.images
    peak = max(peaks["matrix product"], peaks["convolution"])
    return {
        "name": one.name,
        **of_rates(rates),
        "images_per_step": one.images,
        "seconds_per_step": 1 / steps,
        "flops_per_step": one.work.flops,
        "flops_per_image": one.work.flops / one.images,
        "flops_per_second": one.work.flops * steps,
        "dtype": str(one.dtype).removeprefix("torch."),
        "peaks": {"matrix_product": peaks["matrix product"], "convolution": peaks["convolution"]},
        "share_of_peak": one.work.flops * steps / peak,
        "bytes_per_step": one.work.bytes,
        "copy_bytes_per_second": peaks["copy"],
        "share_of_copy": one.work.bytes * steps / peaks["copy"],
        "share_waiting_for_data": median(one.waits),
        "peak_memory": one.memory,
        "config": one.config.saved(),
    }


def machine(device: torch.device) -> Result:
    """The program, the machine and the versions that this was measured with."""
    return {
        "program": f"gan-cli {__version__}",
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "cpu": cpu.cpuinfo("model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "cuda": torch.version.cuda},
    }


def write(result: Result, path: Path) -> None:
    put_text(path, json.dumps(result, indent=2, allow_nan=False) + "\n", "--out ")
