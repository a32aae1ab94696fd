"""Holds two versions of the program against each other: hashes of everything that a dozen tiny runs leave.

``python tests/proof.py before.json`` writes the hash of every tensor, grid and line of metrics; the same with
``--against before.json`` names what differs. Hashes of floats compare only on one machine with one torch.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from conftest import TINY_DCGAN, TINY_MLP, TINY_POINTS, tensors

CLOCK = ("seconds", "images_per_second")
RUNS = {
    "mlp": TINY_MLP,
    "dcgan": TINY_DCGAN,
    "conditional": (*TINY_DCGAN, "conditional=true", "architecture.discriminator.minibatch_std=true"),
    "k2": (*TINY_MLP, "discriminator.steps=2", "generator.steps=2", "dataset.flip=true"),
    "extragradient": (*TINY_POINTS, "updates=extragradient", "schedule=cosine", "schedule.duration=6"),
    "optimistic": (*TINY_POINTS, "updates=optimistic", "loss=wasserstein"),
    "simultaneous": (*TINY_MLP, "updates=simultaneous", "reuse_fakes=true", "loss=feature_matching"),
    "r1_interval": (*TINY_DCGAN, "penalty=[r1,gradient_penalty]", "penalty.r1.interval=2", "loss=relativistic"),
    "packing": (*TINY_MLP, "pack=2", "instance_noise.sigma=0.1", "instance_noise.images=40", "loss=minimax"),
    "spectral": (*TINY_DCGAN, "architecture.discriminator.norm=spectral", "loss=hinge", "augment=[color,cutout]"),
    "ema": (*TINY_MLP, "ema_half_life=100", "architecture.discriminator.dropout=0.3", "optimizer=sgd"),
    "ensemble": (*TINY_POINTS, "ensemble=3", "penalty=[r1]", "ema_half_life=50"),
    "ensemble_mlp": (*TINY_MLP, "ensemble=2", "conditional=true", "architecture.discriminator.dropout=0.3"),
    "devices": (*TINY_DCGAN, "devices=2", "penalty=[r1]"),
    "watch": (*TINY_POINTS, "metrics=[modes,divergence]", "watch=jsd", "evaluate_every=3", "evaluate_count=100"),
}
COMMON = ("steps=6", "log_every=2", "sample_every=3", "checkpoint_every=4", "keep_checkpoints=9", "device=cpu")


def digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def facts(folder: Path) -> dict[str, str]:
    """Hashes of what lies in a run folder, by name."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".pt":
            state = torch.load(path, weights_only=True)
            found |= {f"{name}{key}": digest(t.numpy().tobytes()) for key, t in tensors(state).items()}
        elif path.suffix == ".png":
            found[name] = digest(path.read_bytes())
        elif path.name == "metrics.jsonl":
            for number, line in enumerate(path.read_text().splitlines()):
                record = {key: value for key, value in json.loads(line).items() if key not in CLOCK}
                found[f"{name}:{number}"] = digest(json.dumps(record, sort_keys=True).encode())
    return found


def trained(work: Path, name: str) -> dict[str, str]:
    folder = work / name
    command = [sys.executable, "-m", "gan_cli", *RUNS[name], *COMMON, f"hydra.run.dir={folder}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name}: exit code {done.returncode}: {done.stderr}")
    return facts(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--only", nargs="*", default=list(RUNS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        found = {name: trained(Path(work), name) for name in options.only}
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    if options.against:
        before = json.loads(options.against.read_text())
        different = [
            f"{run}: {name}"
            for run in options.only
            for name in sorted({*before[run], *found[run]})
            if before[run].get(name) != found[run].get(name)
        ]
        count = sum(len(found[run]) for run in options.only)
        print("\n".join(different) or f"{count} hashes of {len(options.only)} runs are equal")
        sys.exit(bool(different))


if __name__ == "__main__":
    main()
