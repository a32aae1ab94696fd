"""A full disk at every change that each command makes to the disk: ``python tests/faults/write_points.py``.

The command runs on a small file system of its own, which is really filled when it is about to change the disk for the
n-th time, for every n: once so that no byte more fits, once so that no file more can be made. The command must end with
one line and exit code 2, or do its whole work without what did not fit; no trace, no half file, every checkpoint there
can be read. When there is room again, the command that a user would type must finish what the undisturbed one left.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import forked
import kill_points
from conftest import TINY_MLP, TINY_POINTS

from gan_cli.errors import UserError
from gan_cli.runs import checkpoint
from gan_cli.runs.names import ASIDE
from gan_cli.runs.status import status_of

SHORT = ("steps=4", "log_every=2", "sample_every=2", "checkpoint_every=2")
RUN = ("gan-train", *TINY_MLP, *SHORT, "hydra.run.dir=run")
WATCHED = ("metrics=[modes,divergence]", "watch=jsd", "evaluate_every=2", "evaluate_count=60", "extractor=pixels")
PICTURES = ("dataset=image_folder", "dataset.path=pictures", "dataset.root=data", "dataset.limit=0")
COMMANDS: dict[str, tuple[str, ...]] = {
    "gan-train": RUN,
    "… watched": ("gan-train", *TINY_POINTS, *SHORT, *WATCHED, "hydra.run.dir=run"),
    "… figure": ("gan-train", *kill_points.CONFIGS["figure"], *SHORT, "hydra.run.dir=run"),
    "… ensemble=2": ("gan-train", *TINY_POINTS, *SHORT, "ensemble=2", "hydra.run.dir=run"),
    "… pictures": ("gan-train", *TINY_MLP, *PICTURES, *SHORT, "hydra.run.dir=run"),
    "… logger=tensorboard": (*RUN, "logger=tensorboard"),
    "… logger=wandb": (*RUN, "logger=wandb", "logger.wandb.mode=offline"),
    "… resume": ("gan-train", "resume=run", "steps=8"),
    "… -m": ("gan-train", "-m", "name=full", *TINY_POINTS, *SHORT, "steps=2", "seed=0,1"),
    "gan-sample": ("gan-sample", "checkpoint=run", "n=4"),
    "gan-sample npz": ("gan-sample", "checkpoint=run", "n=4", "format=npz", "out=out"),
    "gan-sample gif": ("gan-sample", "checkpoint=run", "n=2", "interpolation=linear", "format=gif", "out=out"),
    "gan-sample export": ("gan-sample", "checkpoint=run", "export=safetensors", "out=out"),
    "gan-sample hub": ("gan-sample", "checkpoint=run", "export=hub", "out=out"),
    "gan-eval": ("gan-eval", "checkpoint=run", "metrics=[kernel,memorisation]", "count=50", "extractor=pixels"),
    "gan-report": ("gan-report", "run"),
}
AFTER_A_RUN = ("… resume", "gan-sample", "gan-eval", "gan-report")
WAYS = ("no byte more", "no file more")
SIZE, FILES = 24 * 2**20, 400


def small_file_systems() -> bool:
    """Whether this process may mount one in a namespace of its own."""
    with tempfile.TemporaryDirectory() as place, suppress(OSError):
        probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", place]
        return subprocess.run(probe, capture_output=True).returncode == 0
    return False


def mount(place: Path) -> None:
    options = f"size={SIZE},nr_inodes={FILES}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(place)], check=True)


def full_at(number: int, way: str, disk: Path) -> Callable[[], None]:
    """For ``before``: fills the disk when the process is about to change it for the ``number``-th time."""

    def arm() -> None:
        left = number

        def hook(event: str, arguments: tuple) -> None:
            nonlocal left
            if left > 0 and forked.writes(event, arguments):
                left -= 1
                if left == 0:
                    fill(disk, way)

        sys.addaudithook(hook)

    return arm


def fill(disk: Path, way: str) -> None:
    filler = disk / "filler"
    with suppress(OSError):
        if way == "no file more":
            filler.mkdir(exist_ok=True)
            for i in range(FILES):
                (filler / str(i)).touch()
        with filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(2**16))
    if way == "no byte more":
        with suppress(OSError), filler.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))


def empty(disk: Path) -> None:
    filler = disk / "filler"
    shutil.rmtree(filler) if filler.is_dir() else filler.unlink(missing_ok=True)


def prepared(disk: Path, name: str, finished: Path | None) -> None:
    for path in disk.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if "pictures" in name:
        from PIL import Image

        (disk / "pictures").mkdir()
        for i in range(16):
            Image.new("L", (8, 8), 10 * i).save(disk / "pictures" / f"{i}.png")
    if name.startswith(AFTER_A_RUN) and finished:
        shutil.copytree(finished / "run", disk / "run")


def problems(disk: Path, ended: forked.Ended) -> list[str]:
    """What is wrong while the disk is full."""
    found = []
    if ended.code not in (0, 2):
        found.append(f"exit code {ended.code}")
    if ended.code == 2 and len(ended.errors) != 1:
        found.append(f"{len(ended.errors)} lines")
    logs = "".join(log.read_text(encoding="utf-8", errors="replace") for log in disk.rglob("train.log"))
    if "Traceback" in ended.err + logs or "unexpected fault" in ended.err + logs:
        found.append("a trace")
    for path in [path for path in disk.rglob("*") if path.is_file() and "filler" not in path.parts]:
        if ASIDE.fullmatch(path.name) or path.name == ".lock":
            found.append(f"{path.relative_to(disk)} is left")
        if path.suffix == ".pt" and not ASIDE.fullmatch(path.name):
            try:
                checkpoint.load(path)
            except UserError as error:
                found.append(str(error))
    return found


def again(disk: Path, command: tuple[str, ...]) -> tuple[str, ...]:
    """What a user types when there is room again."""
    there = kill_points.checkpoints_in(disk)
    return ("gan-train", "resume=run") if there and "hydra.run.dir=run" in command else command


def point(name: str, n: int, way: str, disk: Path, finished: Path | None, whole: dict[str, object]) -> list[str]:
    """One write point: what is wrong with it."""
    prepared(disk, name, finished)
    ended = forked.run(disk, *COMMANDS[name], before=full_at(n, way, disk))
    wrong = problems(disk, ended)
    lies = [path.parent for path in disk.rglob("status.json") if status_of(path.parent).get("status") == "running"]
    empty(disk)
    if ended.code == 2 or lies:
        ended = forked.run(disk, *again(disk, COMMANDS[name]))
        if ended.code and not ended.had_finished:
            return [*wrong, f"then exit code {ended.code}: {ended.err[-500:]}"]
        left = told(disk)
        wrong += [f"{key} is another" for key in sorted({*left, *whole}) if left.get(key) != whole.get(key)]
    return wrong + [f"(said: {ended.err[-400:]})"] * bool(wrong)


def told(disk: Path) -> dict[str, object]:
    others = re.compile(r"report\.html|evaluation|\.u8|cache/|wandb/")
    return {key: value for key, value in kill_points.facts(disk).items() if not others.search(key)}


def inside(names: Sequence[str], step: int) -> int:
    """In a namespace of its own."""
    points, lost, began = Counter[str](), Counter[str](), time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        disk, finished = Path(temporary, "disk"), Path(temporary, "finished")
        disk.mkdir()
        mount(disk)
        prepared(disk, "", None)
        ended = forked.run(disk, *RUN)
        assert ended.code == 0, ended.err
        shutil.copytree(disk, finished)
        for name in names:
            prepared(disk, name, finished)
            ended, events, _ = forked.events_of(disk, *COMMANDS[name])
            assert ended.code == 0, (name, ended.err)
            whole = told(disk)
            for n in range(1, events + 1, step):
                for way in WAYS:
                    wrong = point(name, n, way, disk, finished, whole)
                    points[name] += 1
                    lost[name] += bool(wrong)
                    if wrong:
                        print(f"{name} {n} {way}: {'; '.join(wrong)}", flush=True)
            print(f"{name:<22} {points[name]:>5} write points, {lost[name]} wrong", flush=True)
        subprocess.run(["umount", "-l", str(disk)], check=True)
    print(f"{'all':<22} {points.total():>5} write points, {lost.total()} wrong, in {time.monotonic() - began:.0f} s")
    return int(lost.total() > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=list(COMMANDS), help="names of commands")
    parser.add_argument("--step", type=int, default=1, help="every so many changes of the disk")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return inside(options.only, options.step)
    if not small_file_systems():
        print("write_points: no file system can be mounted here: nothing was tried")
        return 0
    return subprocess.run(["unshare", "-rm", sys.executable, *sys.argv, "--inside"], env=dict(os.environ)).returncode


if __name__ == "__main__":
    sys.exit(main())
