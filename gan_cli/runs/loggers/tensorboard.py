"""TensorBoard event files."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from gan_cli.config.options import Values
from gan_cli.runs.loggers.logger import finite, require
from gan_cli.runs.records import Record


class TensorBoard:
    """Writes ``tensorboard/`` in the run folder: scalars named as in ``metrics.jsonl``, sample grids, the config.

    A resumed run sends everything again and its files are written anew, because an event file cannot be truncated.
    """

    def __init__(self) -> None:
        require("tensorboard", "tensorboard")

    def open(self, folder: Path, config: Values) -> None:
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        place = folder / "tensorboard"
        for old in place.glob("events.out.tfevents.*"):
            old.unlink()
        self.writer = SummaryWriter(place, purge_step=0)  # a TensorBoard that watches forgets what it has read
        for summary in hparams(_flat(config), {}):
            self.writer._get_file_writer().add_summary(summary)
        self.seconds = 0.0  # of training
        self.steps: dict[str, float | None] = {}  # the last of each key

    def record(self, record: Record) -> None:
        values = dict(record)
        step = values.pop("step")
        if not self.seconds:
            self._began = time.time() - (values.get("seconds") or 0.0)
        self.seconds = values.get("seconds") or self.seconds
        for key, value in values.items():
            if self.steps.get(key) != step:  # `images` is in the line of the log and in that of an evaluation
                self.writer.add_scalar(key, finite(value), step, walltime=self._began + self.seconds)
                self.steps[key] = step

    def picture(self, step: int, path: Path) -> None:
        import numpy as np

        from gan_cli.data.opening import opened

        with opened(path) as image:
            self.writer.add_image("samples", np.asarray(image.convert("RGB")), step, dataformats="HWC")
        self.writer.flush()

    def close(self, code: int) -> None:
        self.writer.close()


def _flat(node: object, prefix: str = "") -> dict[str, bool | float | str]:
    """Values by dotted key; those that TensorBoard has no type for are text."""
    if isinstance(node, Mapping):
        parts = [_flat(value, f"{prefix}.{key}" if prefix else str(key)) for key, value in node.items()]
        return {key: value for part in parts for key, value in part.items()}
    return {prefix: node if isinstance(node, bool | int | float | str) else str(node)}
