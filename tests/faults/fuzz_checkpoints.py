"""Checkpoints with one leaf of their state replaced by junk: each is refused in a line, or trains to the same bytes.

``python tests/faults/fuzz_checkpoints.py --count 500 --seed 0`` trains a tiny run, resumes it from so many junk
checkpoints and prints how many were refused, how many made no difference, how many were trained by another config that
is one (it may diverge), and every trace or loss; exit code 1 if any.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import os
import random
import shutil
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from conftest import TINY_MLP, TINY_POINTS, tensors

from gan_cli import cli

RUNS = {
    "mlp": (*TINY_MLP, "ema_half_life=100"),
    "points": (*TINY_POINTS, "updates=optimistic", "metrics=[modes]", "watch=mode_kl", "evaluate_count=100"),
}
COMMON = ("steps=6", "checkpoint_every=3", "log_every=2", "sample_every=0", "device=cpu")
STEP = "checkpoints/step-000000003.pt"
SLOW = 20.0  # seconds that an answer may take


MARK, DEPTH = "in place of lists in lists in lists", 20_000


def save(state: dict[str, Any], path: Path) -> None:
    """As ``torch.save``, but with lists nested deeper than it can save them where ``MARK`` stands."""
    torch.save(state, path)
    if MARK.encode() not in path.read_bytes():
        return
    with zipfile.ZipFile(path) as saved:
        members = {name: saved.read(name) for name in saved.namelist()}
    written = b"X" + len(MARK).to_bytes(4, "little") + MARK.encode()
    with zipfile.ZipFile(path, "w") as made:
        for name, content in members.items():
            made.writestr(zipfile.ZipInfo(name), content.replace(written, b"]" * DEPTH + b"a" * (DEPTH - 1)))


JUNK = {
    "nothing": lambda old: None,
    "negative": lambda old: -5,
    "text": lambda old: "a",
    "NaN": lambda old: float("nan"),
    "infinite": lambda old: float("inf"),
    "1e30": lambda old: 1e30,
    "1e12": lambda old: 10**12,
    "1e18": lambda old: 10**18,
    "true": lambda old: True,
    "list": lambda old: [1, "b", None],
    "nested": lambda old: MARK,
    "resolver": lambda old: "${oc.env:HOME}",
    "escape": lambda old: "\x1b[31m\nred",
    "long": lambda old: "x" * 200_000,
    "float64": lambda old: old.double() if isinstance(old, torch.Tensor) else torch.zeros(2, dtype=torch.float64),
    "reshaped": lambda old: torch.cat([old.flatten()] * 2) if isinstance(old, torch.Tensor) else torch.zeros(2, 2),
    "huge": lambda old: torch.zeros(1).expand(10**12),
    "missing": None,
    "more": None,
}


def places(node: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every leaf, and of everything around it."""
    if path:
        yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def mutated(state: dict[str, Any], path: tuple[Any, ...], kind: str) -> dict[str, Any]:
    made = copy.deepcopy(state)
    node: Any = made
    for key in path[:-1]:
        node = node[key]
    if kind == "missing":
        del node[path[-1]]
    elif kind == "more":
        target = node[path[-1]] if isinstance(node[path[-1]], dict) else node
        target.append(0) if isinstance(target, list) else target.update({"weigxt_decay": 0.1})
    else:
        node[path[-1]] = JUNK[kind](node[path[-1]])
    return made


def gan_train(*arguments: str) -> tuple[int, str]:
    """Exit code and stderr of a command, in this process."""
    sys.argv = ["gan-train", *arguments]
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = cli._exit_code(lambda: cli._train(list(arguments)))
    os.environ.pop("HYDRA_FULL_ERROR", None)
    return code, said.getvalue()


def trained(folder: Path) -> dict[str, bytes]:
    state = torch.load(folder / "checkpoints/step-000000006.pt", weights_only=True)
    parts = {key: state[key] for key in ("networks", "ema", "players")}
    return {name: tensor.numpy().tobytes() for name, tensor in tensors(parts).items()}


def verdict(base: Path, work: Path, state: dict[str, Any], wanted: dict[str, bytes], *, config: bool = False) -> str:
    """How a resume from a state ends: ``refused``, ``same``, of another ``config``, or what is wrong with it."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(base, work)
    (work / "checkpoints/step-000000006.pt").unlink(missing_ok=True)
    save(state, work / STEP)
    before, began = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}, time.monotonic()
    code, said = gan_train(f"resume={work / STEP}", "steps=6")
    if time.monotonic() - began > SLOW:
        return f"slow: {time.monotonic() - began:.0f} s"
    if code == 0 and trained(work) == wanted:
        return "same"
    if config and (code == 0 or (code == 3 and "training has left the numbers" in said)):
        return "config"
    if code == 0:
        return "loss: other bytes"
    lines = [line for line in said.splitlines() if line.startswith("gan-train: error: ")]
    if code != 2 or len(lines) != len(said.splitlines()) or not lines or "Traceback" in said:
        return f"trace: exit code {code}: {said[-300:]}"
    if {path: path.read_bytes() for path in work.rglob("*") if path.is_file()} != before:
        return "loss: something was written"
    if os.environ.get("FUZZ_TOLD"):
        print(lines[0][:240], file=sys.stdout)
    return "refused"


def fuzz(count: int, seed: int, say: Any = print) -> Counter[str]:
    """Runs ``count`` mutations and says what is wrong with any; how many ended in which way."""
    draw, found = random.Random(seed), Counter[str]()
    for name, keys in RUNS.items():
        base = Path(f"{name}-base")
        code, said = gan_train(*keys, *COMMON, f"hydra.run.dir={base}")
        assert code == 0, said
        state, wanted = torch.load(base / STEP, weights_only=True), trained(base)
        assert verdict(base, Path("junk"), state, wanted) == "same"  # as it was
        every = list(places(state))
        for _ in range(count // len(RUNS)):
            path, kind = draw.choice(every), draw.choice(list(JUNK))
            made = mutated(state, path, kind)
            how = verdict(base, Path("junk"), made, wanted, config=path[0] == "config")
            found[how.partition(":")[0]] += 1
            if how not in ("refused", "same", "config"):
                say(f"{name}: {'.'.join(map(str, path))} = {kind}: {how}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.count} checkpoints")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        found = fuzz(options.count, options.seed)
        os.chdir("/")
    for how in ("refused", "same", "config", "trace", "loss", "slow"):
        print(f"{how:8} {found[how]:6}")
    sys.exit(bool(found["trace"] + found["loss"] + found["slow"]))


if __name__ == "__main__":
    main()
