"""``status.json``: the status of a run, in its folder. Torch-free."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from socket import gethostname
from typing import Any

from gan_cli.output.replacing import replacing, written
from gan_cli.runs.names import below

FILE = "status.json"
Status = dict[str, Any]  # JSON by key; a file of any version or damage
LARGEST = 4_000_000  # bytes
ROOM = 512  # spaces at its end: how a run ended has to fit even when the disk is full
STATUSES = ("running", "finished", "interrupted", "diverged", "failed")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> bool:
    return _whole(value) or isinstance(value, float)


def _text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _best(value: object) -> bool:
    """An ensemble's has no step, and does not say what is better."""
    return isinstance(value, dict) and (
        isinstance(value.get("metric"), str)
        and "value" in value
        and (value["value"] is None or _number(value["value"]))
        and _whole(value.get("step", 0))
        and value.get("better", "low") in ("low", "high")
    )


KINDS: dict[str, Callable[[object], bool]] = {  # of what is read again, as it must be
    "status": lambda value: value in STATUSES,
    "reason": _text,
    "job": _text,
    "best": _best,
    "better": lambda value: isinstance(value, dict) and all(way in ("low", "high") for way in value.values()),
    "config": lambda value: isinstance(value, dict),
    "environment": lambda value: isinstance(value, dict),
    "seeds": lambda value: isinstance(value, list) and all(map(_whole, value)),
    "members": lambda value: isinstance(value, dict),
    "spread": lambda value: isinstance(value, dict) and all(map(_number, value.values())),
    "classes": lambda value: isinstance(value, list) and all(isinstance(name, str) for name in value),
    "conditions": lambda value: isinstance(value, list) and all(isinstance(name, str) for name in value),
    **dict.fromkeys(("step", "steps", "images", "pid", "of_modes"), _whole),
    **dict.fromkeys(("modes", "high_quality", "seconds", "updated"), _number),
}


def _at_once(path: str, flags: int) -> int:
    """A pipe in the place of a file keeps nobody waiting."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def status_of(path: Path) -> Status:
    """The content of a run folder's ``status.json``; empty if it cannot be read.

    What is not of the kind that is written there is left out: the file may be anybody's.
    """
    try:
        with open(path / FILE, "rb", opener=_at_once) as file:
            found = json.loads(file.read(LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if key not in KINDS or KINDS[key](value)}


def folders_below(root: Path) -> list[Path]:
    """The folders below one, or it itself, that have a status."""
    return [file.parent for file in sorted(below(root, FILE))]


def write_status(path: Path, status: str, reason: str | None, **facts: object) -> None:
    """``running``, ``finished``, ``interrupted``, ``diverged`` or ``failed``, with the reason and totals so far.

    Raises:
        Unwritable: if it cannot be written; it then says what it said before.
    """
    told = {"status": status, "reason": reason, **facts, "pid": os.getpid(), "updated": time.time()}
    text = json.dumps(told, indent=2).encode() + b" " * ROOM + b"\n"
    with written(path / FILE, f"then continue with resume={path}"):
        try:
            with replacing(path / FILE) as aside:
                aside.write_bytes(text)
        except OSError:
            if status == "running" or not _in_place(path / FILE, text.rstrip()):
                raise


def _in_place(file: Path, text: bytes) -> bool:
    """Writes over the file where a full disk has no room for another; whether it fits.

    The blocks it lies in are its own already, and what it said is of no more use.
    """
    try:
        with file.open("r+b") as old:
            size = old.seek(0, os.SEEK_END)
            if len(text) >= size:
                return False
            old.seek(0)
            old.write(text.ljust(size - 1) + b"\n")
            old.flush()
            os.fsync(old.fileno())
    except OSError:
        return False
    return True


def result(status: Status) -> str:
    """How a run ended, in a few words."""

    def spread(key: str, unit: float = 1.0) -> str:
        """The spread of a result, for an ensemble."""
        return f" ± {unit * status['spread'][key]:.2g}" if key in status.get("spread", {}) else ""

    words = []
    if best := status.get("best"):
        value = "not finite" if best["value"] is None else f"{best['value']:.5g}"
        words.append(
            f"best {best['metric']} {value}{spread('best')}" + (f" at step {best['step']}" if "step" in best else "")
        )
    if status.keys() >= {"modes", "of_modes", "high_quality"}:
        words.append(f"modes {status['modes']:.3g}{spread('modes')}/{status['of_modes']}")
        words.append(f"high quality {100 * status['high_quality']:.1f}{spread('high_quality', 100)} %")
    if status.get("reason"):
        words.append(str(status["reason"]))
    how = str(status.get("status", "not begun"))
    return f"{how}: {'; '.join(words)}" if words else how


def cluster_job() -> str | None:
    """The name of this process's job in torchrun or Slurm, which stays the same when they restart it."""
    env = os.environ
    if name := env.get("TORCHELASTIC_RUN_ID"):
        return f"torchrun {name if name != 'none' else f'{gethostname()} {os.getppid()}'}"
    return f"slurm {env['SLURM_JOB_ID']}" if "SLURM_JOB_ID" in env else None
