"""What has been measured of a checkpoint, and where: by ``gan-eval``, and during training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gan_cli.config.schema import Config
from gan_cli.runs.checkpoint import hash_of
from gan_cli.runs.hydra_files import Unreadable, bytes_of
from gan_cli.runs.records import records_in, step_in

LARGEST = 4_000_000  # bytes
METRIC = "metric/"  # before the names of metrics in ``metrics.jsonl``
Number = Annotated[float, Field(allow_inf_nan=False)]


class Row(NamedTuple):
    """A value, None where it is not finite, and where it was measured."""

    name: str
    value: float | None
    where: str


class EvaluationFile(BaseModel):
    """What a card takes from a file of ``gan-eval``, and whatever else is there."""

    model_config = ConfigDict(strict=True, extra="ignore")

    metrics: dict[str, Number | None]
    checkpoint_hash: str
    ema: bool
    split: str
    samples: int | None = None
    real_samples: int
    seed: int
    extractor: dict[str, object] = {}
    notes: dict[str, str] = {}
    program: str
    date: str

    def where(self, name: str) -> str:
        """``gan-eval, 5,000 samples against 10,000 of the test split, extractor classifier, seed 0, …``

        A value with a note of its own is of what that says.
        """
        drawn = "" if self.samples is None else f"{self.samples:,} samples against "
        said = f"gan-eval, {self.notes.get(name) or f'{drawn}{self.real_samples:,} of the {self.split} split'}"
        known = ", ".join(f"{key} {value}" for key, value in self.extractor.items() if key != "name")
        if "name" in self.extractor:
            said += f", extractor {self.extractor['name']}" + (f" ({known})" if known else "")
        return f"{said}, seed {self.seed}, {self.program}, {self.date}"


def by_gan_eval(folder: Path, checkpoint: Path, *, ema: bool) -> tuple[list[Row], list[str]]:
    """The values in a run's ``evaluation-….json`` that are of this checkpoint; the names of the other files.

    Args:
        ema: whether those of the moving average are meant.
    """
    digest = hash_of(checkpoint)
    rows, others = [], []
    for path in sorted(folder.glob("evaluation-*.json")):
        try:
            found = EvaluationFile.model_validate(json.loads(bytes_of(path, LARGEST)))
        except (Unreadable, ValidationError, ValueError, RecursionError):
            others.append(path.name)
            continue
        if (found.checkpoint_hash, found.ema) == (digest, ema):
            rows += [Row(name, value, found.where(name)) for name, value in found.metrics.items()]
        else:
            others.append(path.name)
    return rows, others


def in_training(folder: Path, step: int, config: Config) -> list[Row]:
    """The values that the run measured at this step."""
    records = [record for record in records_in(folder / "metrics.jsonl")[0] if step_in(record) == step]
    where = f"in training, step {step:,}, evaluate_count={config.evaluate_count}, extractor={config.extractor.name}"
    return [
        Row(key.removeprefix(METRIC), value, where)
        for record in records
        for key, value in record.items()
        if key.startswith(METRIC)
    ]
