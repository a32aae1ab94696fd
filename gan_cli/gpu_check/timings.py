"""How fast is it? The training step of real models, in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from gan_cli.capture import Machine
from gan_cli.gpu_check.bench import Bench
from gan_cli.precision import AUTOCAST, set_precision

DCGAN_64 = ("dataset.size=64", "dataset.channels=3", "architecture.width=64", "prior.size=100")
MODELS = {  # name → keys, batch sizes
    "dcgan-64": (DCGAN_64, (128, 512, 2048)),
    "dcgan-64, wgan-gp": ((*DCGAN_64, "loss=wasserstein", "loss.clip=0", "penalty=gradient_penalty"), (128, 512)),
    "dcgan-64, r1": ((*DCGAN_64, "penalty=r1"), (128, 512)),
    "mlp": (("architecture=mlp", "dataset.size=28"), (128, 512)),
}
PRECISIONS = ("fp32", "tf32", "bf16")
MODES = ("eager", "compiled", "captured")


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(device: torch.device, work: Callable[[], Any]) -> float:
    synchronize(device)
    began = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - began


def peak(precision: str, device: torch.device, size: int) -> float:
    """FLOP/s of a matrix product of this size, the best of several."""
    set_precision(precision, device, deterministic=False)
    dtype = AUTOCAST.get(precision, torch.float32)
    one, other = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    times = [seconds(device, lambda: [one @ other for _ in range(10)]) / 10 for _ in range(5)]
    return 2 * size**3 / min(times)


def kernels(bench: Bench, steps: int) -> float:
    """Kernels a step launches on the GPU; of a CPU, operations."""
    cuda = bench.setup.device.type == "cuda"
    with profile(activities=[ProfilerActivity.CUDA if cuda else ProfilerActivity.CPU]) as trace:
        bench.run(steps)
        synchronize(bench.setup.device)
    kind = torch.autograd.DeviceType.CUDA if cuda else torch.autograd.DeviceType.CPU
    return sum(event.count for event in trace.key_averages() if event.device_type == kind) / steps


def flops(keys: Sequence[str], device: torch.device) -> int:
    """Floating-point operations of one step, counted."""
    bench = Bench(keys, device, None)
    with FlopCounterMode(display=False) as counter:
        bench.run(1)
    return counter.get_total_flops()


def timings(
    device: torch.device,
    machine: Machine | None,
    models: dict[str, Any],
    rounds: int,
    steps: int,
    peaks: dict[str, float],
) -> list[dict[str, Any]]:
    """One record for each model, batch size, precision and mode; the modes of a precision take turns."""
    records = []
    for model, (keys, sizes) in models.items():
        for size in sizes:
            work = flops((*keys, f"batch_size={size}"), device)
            for precision in peaks:
                records += _in_turns(
                    (*keys, f"batch_size={size}", f"precision={precision}"), device, machine, rounds, steps
                )
                for record in records:
                    if "model" not in record:
                        record.update(model=model, batch_size=size, precision=precision)
                        if "seconds" in record:
                            rate = work / record["seconds"] / peaks[precision]
                            record.update(images_per_second=size / record["seconds"], share_of_peak=rate)
    return records


def _in_turns(
    keys: Sequence[str], device: torch.device, machine: Machine | None, rounds: int, steps: int
) -> list[dict[str, Any]]:
    benches: dict[str, Bench] = {}
    records: dict[str, dict[str, Any]] = {mode: {"mode": mode} for mode in MODES}
    for mode in MODES:
        try:
            compiled = ("compile=true",) if mode == "compiled" else ()
            bench = Bench((*keys, *compiled), device, machine if mode == "captured" else None)
            bench.run(8)
            benches[mode] = bench
        except Exception as error:
            records[mode]["refused"] = f"{str(error).splitlines()[0] if str(error) else type(error).__name__}"
    times: dict[str, list[float]] = {mode: [] for mode in benches}
    for _ in range(rounds):
        for mode, bench in benches.items():
            times[mode].append(seconds(device, lambda bench=bench: bench.run(steps)) / steps)  # type: ignore[misc]
    for mode, bench in benches.items():
        spread = (max(times[mode]) - min(times[mode])) / statistics.median(times[mode])
        records[mode].update(seconds=statistics.median(times[mode]), spread=spread, kernels=kernels(bench, 4))
    return list(records.values())
