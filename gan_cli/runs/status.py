"""``status.json``: the status of a run, in its folder. Torch-free."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from socket import gethostname
from typing import Any

from gan_cli.output.replacing import replacing

FILE = "status.json"
Status = dict[str, Any]  # JSON by key; a file of any version or damage


def status_of(path: Path) -> Status:
    """The content of a run folder's ``status.json``; empty if it cannot be read."""
    try:
        found = json.loads((path / FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_status(path: Path, status: str, reason: str | None, **facts: object) -> None:
    """``running``, ``finished``, ``interrupted``, ``diverged`` or ``failed``, with the reason and totals so far."""
    told = {"status": status, "reason": reason, **facts, "pid": os.getpid(), "updated": time.time()}
    with replacing(path / FILE) as aside:
        aside.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


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
    if "modes" in status:
        words.append(f"modes {status['modes']:.3g}{spread('modes')}/{status['of_modes']}")
        words.append(f"high quality {100 * status['high_quality']:.1f}{spread('high_quality', 100)} %")
    if status.get("reason"):
        words.append(str(status["reason"]))
    how = str(status.get("status", "not begun"))
    return f"{how}: {'; '.join(words)}" if words else how


def job_of() -> str | None:
    """The name of this process's job in torchrun or Slurm, which stays the same when they restart it."""
    env = os.environ
    if name := env.get("TORCHELASTIC_RUN_ID"):
        return f"torchrun {name if name != 'none' else f'{gethostname()} {os.getppid()}'}"
    return f"slurm {env['SLURM_JOB_ID']}" if "SLURM_JOB_ID" in env else None
