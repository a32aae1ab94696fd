"""What a run has logged: its ``metrics.jsonl`` by value, read on as it grows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gan_cli.commands.report.reading import METRICS, file_in, note
from gan_cli.runs.records import Reader, Record, step_in

Column = tuple[list[int], list[float | None]]  # steps, and the value at each


class Logged:
    """The values of the records so far.

    Attributes:
        step: of the last record.
        last: the last value of each key.
        columns: the steps and values of each key.
    """

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._reader = Reader(METRICS)
        self._begin()

    def _begin(self) -> None:
        self.step = 0
        self.last: Record = {}
        self.columns: dict[str, Column] = {}

    def read_on(self, folder: Path) -> None:
        """Takes the records that were added to the file of a run; all of them if it is another file than before."""
        file = file_in(folder, "metrics.jsonl")
        if file is None:
            return self._begin_anew()
        if file.stat().st_size > METRICS:
            note(f"{file}: has more than {METRICS:,} bytes: the rest is left out")
        records = self._reader.more(file)
        if self._reader.anew:
            self._begin()
        self.add(records)
        if lost := self._reader.lost:
            note(f"{folder}: {lost} line{'s' * (lost > 1)} of metrics.jsonl cannot be read: left out")
        return None

    def add(self, records: Sequence[Record]) -> None:
        for record in records:
            self.step = step_in(record)
            self.last.update(record)
            for key, value in record.items():
                steps, values = self.columns.setdefault(key, ([], []))
                steps.append(self.step)
                values.append(value)
