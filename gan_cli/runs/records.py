"""Reads the lines of a ``metrics.jsonl``, which may be damaged. Torch-free."""

from __future__ import annotations

import json
import math
from pathlib import Path

from gan_cli.output.replacing import written

Record = dict[str, float | None]  # a line: its step and numbers by name; None where a number was not finite

BACK = "rollback/attempt"  # in the line that says that the run went back
LONGEST = 1_000_000  # bytes of a line
SAME = 64  # bytes before the place of a reader, by which it knows the file again
LONGEST_NAME = 1200  # characters: that of a class, of 1,000 at most, is a part of some
LARGEST = 1e100  # beyond what any number of a run can be


def record_of(line: bytes) -> Record | None:
    """The record in a line; None if the line is torn, or not one of ours."""
    try:
        record = json.loads(line, parse_constant=lambda name: None)  # NaN, which we write as null
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or type(record.get("step")) is not int or not 0 <= record["step"] < 2**53:
        return None
    return record if all(_is_number(value) for value in record.values()) and all(map(_is_name, record)) else None


def _is_number(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return value is None or (isinstance(value, int | float) and abs(value) < LARGEST)


def _is_name(key: str) -> bool:
    return key.isprintable() and len(key) <= LONGEST_NAME


def step_in(record: Record) -> int:
    """The step of a record, which every record has."""
    step = record["step"]
    assert step is not None
    return int(step)


class Reader:
    """Reads the records of a file, and at each further call those that were added since.

    A line that is being written is left for the next call; what a kill has torn is never taken.

    Args:
        most: bytes that are read of it.

    Attributes:
        lost: lines between the records that cannot be read.
        anew: whether the last call began at the start, because it was the first, or the file is no longer the same.
    """

    def __init__(self, most: int | None = None) -> None:
        self.most = most or math.inf
        self._begin()

    def _begin(self) -> None:
        self.lost, self.anew, self._doubted, self._at, self._before = 0, True, False, 0, b""

    def more(self, file: Path) -> list[Record]:
        """The records since the last call, in the order of the file."""
        records: list[Record] = []
        with file.open("rb") as stream:
            stream.seek(self._at - len(self._before))
            self.anew = not self._at
            if stream.read(len(self._before)) != self._before:  # rewritten, as by a run that went back
                self._begin()
                stream.seek(0)
            while self._at <= self.most and (line := stream.readline(LONGEST)):
                whole, size = line.endswith(b"\n") or len(line) < LONGEST, len(line)
                last = line
                while not whole and len(last) == LONGEST and not last.endswith(b"\n"):  # no line of ours: to its end
                    last = stream.readline(LONGEST)
                    size += len(last)
                record = record_of(line) if whole else None
                if line.strip() or not whole:  # what follows another line says of it that it was not the last
                    self.lost, self._doubted = self.lost + self._doubted, False
                    if record is None and whole and not line.endswith(b"\n"):
                        break
                    self._doubted = record is None
                self._at, self._before = self._at + size, (last or line)[-SAME:]
                if record is not None:
                    records.append(record)
        return records


def records_in(file: Path) -> tuple[list[Record], int]:
    """The records of a file, in its order, and how many lines between them cannot be read.

    The last line may be torn: a kill leaves it so, and it is so while it is being written. It is not counted.
    """
    reader = Reader()
    return (reader.more(file) if file.is_file() else []), reader.lost


def append(file: Path, record: Record) -> None:
    """Writes one more line.

    Raises:
        Unwritable: if it cannot be; what of it is there is torn, and goes when the run is continued.
    """
    with written(file, f"then continue with resume={file.parent}"), file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(record, allow_nan=False) + "\n")
