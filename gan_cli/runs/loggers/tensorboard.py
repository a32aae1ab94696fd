"""TensorBoard event files."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from gan_cli.config.options import Values
from gan_cli.runs.loggers.logger import finite, require
from gan_cli.runs.records import Record


class TensorBoard:
    """Writes ``tensorboard/`` in the run folder: scalars named as in ``metrics.jsonl``, sample grids, the config.

    A resumed run sends everything again and its files are written anew, because an event file cannot be truncated.
    torch's ``SummaryWriter`` writes in a thread of its own, whose faults nobody can catch: here they are the caller's.
    """

    def __init__(self) -> None:
        require("tensorboard", "tensorboard")

    def open(self, folder: Path, config: Values) -> None:
        from tensorboard.compat.proto.event_pb2 import SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter
        from torch.utils.tensorboard.summary import hparams

        place = folder / "tensorboard"
        place.mkdir(exist_ok=True)
        for old in place.glob("events.out.tfevents.*"):
            old.unlink()
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}"
        self.events = RecordWriter((place / name).open("wb"))
        self._write(file_version="brain.Event:2")
        self._write(session_log=SessionLog(status=SessionLog.START))  # a TensorBoard that watches forgets what it read
        for summary in hparams(_flat(config), {}):
            self._write(summary=summary)
        self.seconds = 0.0  # of training
        self.steps: dict[str, float | None] = {}  # the last of each key

    def record(self, record: Record) -> None:
        from torch.utils.tensorboard.summary import scalar

        values = dict(record)
        step = values.pop("step")
        if not self.seconds:
            self._began = time.time() - (values.get("seconds") or 0.0)
        self.seconds = values.get("seconds") or self.seconds
        for key, value in values.items():
            if self.steps.get(key) != step:  # `images` is in the line of the log and in that of an evaluation
                self._write(step, self._began + self.seconds, summary=scalar(key, finite(value)))
                self.steps[key] = step

    def picture(self, step: int, path: Path) -> None:
        import numpy as np
        from torch.utils.tensorboard.summary import image

        from gan_cli.data.opening import opened

        with opened(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        self._write(step, summary=image("samples", pixels, dataformats="HWC"))

    def close(self, code: int) -> None:
        self.events.close()

    def _write(self, step: float | None = 0, at: float | None = None, **content: object) -> None:
        """Writes an event to the disk.

        Args:
            at: seconds since 1970 (default: now).
            content: the field of ``Event`` that it is about.
        """
        from tensorboard.compat.proto.event_pb2 import Event

        event = Event(wall_time=time.time() if at is None else at, step=int(step or 0), **content)
        self.events.write(event.SerializeToString())
        self.events.flush()


def _flat(node: object, prefix: str = "") -> dict[str, bool | float | str]:
    """Values by dotted key; those that TensorBoard has no type for are text."""
    if isinstance(node, Mapping):
        parts = [_flat(value, f"{prefix}.{key}" if prefix else str(key)) for key, value in node.items()]
        return {key: value for part in parts for key, value in part.items()}
    return {prefix: node if isinstance(node, bool | int | float | str) else str(node)}
