"""Holds what ``dry_run`` predicts against what training takes: ``python tests/memory.py``, or with keys of one run.

Each run trains a few steps in a process of its own, whose peak is read from Linux, less what the program held before it
(with kernels that any run loads) and the data.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

DCGAN, MLP = ("experiment=lecture", "architecture.width=64"), ("experiment=lecture", "architecture=mlp")
BIG = ("experiment=lecture", "architecture.width=64", "dataset.size=64", "dataset.channels=3")
WIDE = (*MLP, "architecture.generator.hidden=[1024,1024]", "architecture.discriminator.hidden=[1024,1024]")
RUNS = (
    (*DCGAN, "batch_size=64"),
    (*DCGAN, "batch_size=256"),
    (*DCGAN, "batch_size=256", "accumulate=4"),
    (*DCGAN, "batch_size=256", "activation_checkpointing=true"),
    (*DCGAN, "batch_size=128", "penalty=r1"),
    (
        *DCGAN,
        "batch_size=128",
        "loss=wasserstein",
        "loss.clip=0",
        "penalty=gradient_penalty",
        "architecture.norm=layer",
    ),
    (*DCGAN, "batch_size=128", "augment=[color,translation,cutout]"),
    (*DCGAN, "batch_size=128", "ema_half_life=0", "optimizer=sgd", "optimizer.lr=0.01"),
    (*DCGAN, "batch_size=64", "precision=bf16"),
    (*BIG, "batch_size=16"),
    (*BIG, "batch_size=64"),
    (*BIG, "batch_size=64", "accumulate=4"),
    (*BIG, "batch_size=64", "activation_checkpointing=true"),
    (*WIDE, "batch_size=64"),
    (*WIDE, "batch_size=4096", "optimizer=rmsprop"),
    ("model=vae", *DCGAN, "batch_size=128"),
    ("model=pixelcnn", "batch_size=32"),
    ("model=realnvp", "batch_size=32"),
    ("architecture=resnet", "architecture.width=32", "batch_size=32"),
)
COMMON = ("steps=3", "device=cpu", "dataset.limit=512", "log_every=1", "sample_every=0", "sample_count=16")


def taken(keys: tuple[str, ...]) -> float:
    """Bytes that training takes at its peak, or that the program says it will."""
    from conftest import TINY_DCGAN, setup_of

    from gan_cli.algorithm import play
    from gan_cli.runs.peak import Memory, peak_of
    from gan_cli.training import cpu

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    cpu.tune()
    play(setup_of(*TINY_DCGAN, "device=cpu"), range(1, 3))
    memory = Memory(torch.device("cpu"))
    setup = setup_of(*keys, *COMMON)
    if sys.argv[1] == "predicted":
        found = peak_of(setup)
        assert found is not None
        return found.total
    play(setup, range(1, 4))
    peak = memory.peak()
    assert peak is not None
    return peak - setup.samples.values.nbytes


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if sys.argv[1:2] in (["predicted"], ["measured"]):
        print(taken(tuple(sys.argv[2:])))
        return
    runs = (tuple(sys.argv[1:]),) if len(sys.argv) > 1 else RUNS
    print("| run | peak, MiB | predicted | ratio |\n|---|---|---|---|")
    for keys in runs:
        found = []
        for what in ("measured", "predicted"):
            with tempfile.TemporaryDirectory() as work:
                command = [sys.executable, str(Path(__file__).resolve()), what, *keys]
                done = subprocess.run(command, cwd=work, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{' '.join(keys)}: {done.stderr}")
            found.append(float(done.stdout.split()[-1]) / 2**20)
        print(f"| {' '.join(keys)} | {found[0]:,.0f} | {found[1]:,.0f} | {found[1] / found[0]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
