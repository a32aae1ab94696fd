"""``kill -9`` at random moments, and what is there after a resume.

``python tests/faults/kill_points.py --count 300 --seed 0``. Each kill point is a run of a config below that is
killed once to three times, by the clock or when it is about to change the disk for the n-th time, and then continued
with the command that a user would type. It must end in what the undisturbed run left: every tensor of the checkpoints,
every sample grid and figure, each line of ``metrics.jsonl`` apart from the clock's fields, the status, the same files.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import forked
import own_games
import torch
from conftest import TINY_DCGAN, TINY_MLP, TINY_POINTS, metrics_in, tensors

NOT_COMPARED = ("train.log", "multirun.yaml", ".lock")
OFTEN = ("steps=12", "log_every=2", "sample_every=3", "checkpoint_every=2")
OWN = ("--config-dir", "own", "dataset=ring", "dataset.points=200", "prior.size=2", "batch_size=8", "sample_count=4")
WATCHING = ("metrics=[modes,divergence]", "watch=jsd", "evaluate_every=3", "evaluate_count=60", "extractor=pixels")
CONFIGS: dict[str, tuple[str, ...]] = {
    "mlp": (*TINY_MLP, *OFTEN),
    "dcgan r1 ema conditional": (*TINY_DCGAN, *OFTEN, "penalty=[r1]", "conditional=true", "ema_half_life=50"),
    "ensemble": (*TINY_POINTS, *OFTEN, "ensemble=3", "ema_half_life=50"),
    "ensemble watched": (*TINY_POINTS, *OFTEN, *WATCHING, "ensemble=2", "patience=1", "keep_checkpoints=1"),
    "reuse_fakes": (*TINY_MLP, *OFTEN, "reuse_fakes=true", "discriminator.steps=2", "dataset.flip=true"),
    "optimistic": (*TINY_POINTS, *OFTEN, "updates=optimistic", "loss=wasserstein", "optimizer=rmsprop"),
    "extragradient": (*TINY_POINTS, *OFTEN, "updates=extragradient", "schedule=cosine", "schedule.duration=9"),
    "own game of one": (*OWN, *OFTEN, "model=normal"),
    "own game of three": (*OWN, *OFTEN, "model=autoencoder", "keep_checkpoints=1"),
    "watched": (*TINY_POINTS, *OFTEN, *WATCHING),
    "patience": (*TINY_POINTS, *OFTEN, *WATCHING, "patience=1", "optimizer.lr=1e-7", "generator.lr=1e-7"),
    "figure": (
        *("experiment=lecture_saturation", "dataset.points=100", "batch_size=8", "sample_count=4", *OFTEN),
        "architecture.discriminator.hidden=[8]",
    ),
    "batch schedule, augment, noise": (
        *(*TINY_DCGAN, *OFTEN, "batch_size={0:4,32:8}", "augment=[color,cutout]", "instance_noise.sigma=0.1"),
        *("instance_noise.images=60", "optimizer=adamw"),
    ),
    "by the clock": (*TINY_MLP, *OFTEN, "checkpoint_every=0", "checkpoint_minutes=0.0002"),
    "tensorboard": (*TINY_MLP, *OFTEN, "logger=tensorboard"),
    "sweep": ("-m", "name=kills", *TINY_POINTS, *OFTEN, "steps=6", "loss=minimax,hinge", "seed=0,1"),
}
SLOW = {"devices": (*TINY_DCGAN, *OFTEN, "devices=2", "steps=8")}  # whose processes cannot be forked


@dataclass
class Whole:
    """An undisturbed run: its folder, how often it changed the disk, and its seconds."""

    folder: Path
    events: int
    seconds: float


def command(config: str) -> list[str]:
    keys = {**CONFIGS, **SLOW}[config]
    return ["gan-train", *keys, *([] if "-m" in keys else ["hydra.run.dir=run"])]


def prepared(place: Path) -> Path:
    place.mkdir(parents=True)
    own_games.write_options(place / "own")
    return place


def whole(config: str, work: Path) -> Whole:
    """Trains without a fault."""
    place = prepared(work / "whole" / config.replace(" ", "-"))
    ended, events, seconds = forked.events_of(place, *command(config))
    if ended.code:
        sys.exit(f"{config}: {ended.err}")
    return Whole(place, events, seconds)


def facts(place: Path) -> dict[str, object]:
    """What lies in the run folders below a place, by name, without what is the clock's or a process's own."""
    found: dict[str, object] = {}
    for path in sorted(path for path in place.rglob("*") if path.is_file()):
        name = path.relative_to(place).as_posix()
        if ".hydra" in path.parts or "own/" in name or path.name in NOT_COMPARED or "tfevents" in name:
            continue
        if path.name == "best.pt" and "abandoned" in path.parts:  # of a later step: the run makes its own again
            continue
        if path.suffix == ".pt":
            state = torch.load(path, weights_only=True)
            found |= {f"{name}{key}": tensor.numpy().tobytes() for key, tensor in tensors(state).items()}
        elif path.name == "metrics.jsonl":
            found[name] = metrics_in(path.parent)
        elif path.name == "status.json":
            status = json.loads(path.read_text(encoding="utf-8"))
            found[name] = {k: v for k, v in status.items() if k not in ("seconds", "pid", "updated")}
        else:
            found[name] = path.read_bytes()
    return found


def by_the_clock(fact: str, config: str) -> bool:
    """Checkpoints that the clock asked for are not at the same steps; the last one is."""
    return "checkpoint_minutes" in " ".join(CONFIGS.get(config, ())) and "checkpoints/" in fact and "000012" not in fact


def kill_point(config: str, undisturbed: Whole, work: Path, seed: int, kills: int = 3) -> tuple[str, list[str]]:
    """Kills, at most so many times, continues, compares.

    Returns:
        The moments, and what is wrong.
    """
    draws, place = random.Random(seed), prepared(work / f"point-{seed}")
    first, told = command(config), []
    next_command = first
    for _ in range(draws.randint(1, kills)):
        said, before = forked.moment(draws, undisturbed.events, undisturbed.seconds)
        ended = forked.run(place, *next_command, before=before)
        told.append(said)
        if ended.code == 0:
            break
        if ended.code != -9:
            return ", ".join(told), [f"exit code {ended.code}: {ended.err}"]
        if has_finished(place):  # resumed, one that stopped early would train on
            ended = forked.Ended(0, "")
            break
        next_command = continuing(place, first)
    else:
        ended = forked.run(place, *next_command)
    if ended.code and not ended.had_finished:
        return ", ".join(told), [f"the resume ended with exit code {ended.code}: {ended.err}"]
    ours, theirs = facts(place), facts(undisturbed.folder)
    wrong = [name for name in sorted({*ours, *theirs}) if ours.get(name) != theirs.get(name)]
    wrong = [name for name in wrong if not by_the_clock(name, config)]
    if not wrong:
        shutil.rmtree(place)
    return ", ".join(told), wrong


def has_finished(place: Path) -> bool:
    """Whether the run says so."""
    return (place / "run/status.json").is_file() and '"status": "finished"' in (place / "run/status.json").read_text()


def checkpoints_in(place: Path) -> list[Path]:
    """Those of the run in a place, or of its members."""
    return [*place.glob("run/checkpoints/step-*.pt"), *place.glob("run/seed-*/checkpoints/step-*.pt")]


def continuing(place: Path, first: list[str]) -> list[str]:
    """The command after a kill: ``resume=`` if there is a checkpoint to go on from, else the same again."""
    if "-m" in first:
        return first
    dirs = [word for i, word in enumerate(first) if "--config-dir" in (word, first[i - 1])]
    return ["gan-train", *dirs, "resume=run"] if checkpoints_in(place) else first


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="names of configs")
    parser.add_argument("--keep", type=Path, help="a folder in which failed points stay")
    options = parser.parse_args(arguments)
    names = options.only or [*CONFIGS, *SLOW]
    began, points, lost = time.monotonic(), Counter(), Counter()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.keep or Path(temporary)
        undisturbed = {name: whole(name, work) for name in names}
        for number in range(options.count):
            seed, name = options.seed * 1_000_000 + number, names[number % len(names)]
            told, wrong = kill_point(name, undisturbed[name], work, seed)
            points[name] += 1
            lost[name] += bool(wrong)
            print(f"{seed:>8}  {name:<32} {told}: {'; '.join(wrong)[:600] or 'the same'}", flush=True)
    width = max(map(len, names))
    print(f"\n{'config':<{width}}  kill points  lost")
    for name in names:
        print(f"{name:<{width}}  {points[name]:>11}  {lost[name]:>4}")
    print(f"{'all':<{width}}  {points.total():>11}  {lost.total():>4}  in {time.monotonic() - began:.0f} s")
    return int(lost.total() > 0)


if __name__ == "__main__":
    sys.exit(main())
