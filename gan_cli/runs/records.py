"""Reads the lines of a ``metrics.jsonl``, which may be damaged. Torch-free."""

from __future__ import annotations

import json
import math
from pathlib import Path

from gan_cli.output.replacing import written

Record = dict[str, float | None]  # a line: its step and numbers by name; None where a number was not finite

BACK = "rollback/attempt"  # in the line that says that the run went back
LONGEST = 1_000_000  # bytes of a line
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
    return key.isprintable() and len(key) <= 500


def step_in(record: Record) -> int:
    """The step of a record, which every record has."""
    step = record["step"]
    assert step is not None
    return int(step)


def records_in(file: Path, most: int | None = None) -> tuple[list[Record], int]:
    """The records of a file, in its order, and how many lines between them cannot be read.

    The last line may be torn: a kill leaves it so, and it is so while it is being written. It is not counted.

    Args:
        most: bytes that are read of it.
    """
    if not file.is_file():
        return [], 0
    records, read = [], 0
    with file.open("rb") as stream:
        while line := stream.readline(LONGEST):
            whole = line.endswith(b"\n") or len(line) < LONGEST
            while len(line) == LONGEST and not line.endswith(b"\n"):  # no line of ours: to its end
                line = stream.readline(LONGEST)
                read += len(line)
            if line.strip() or not whole:
                records.append(record_of(line) if whole else None)
            if (read := read + len(line)) > (most or math.inf):
                break
    return [record for record in records if record is not None], records[:-1].count(None)


def append(file: Path, record: Record) -> None:
    """Writes one more line.

    Raises:
        Unwritable: if it cannot be; what of it is there is torn, and goes when the run is continued.
    """
    with written(file, f"then continue with resume={file.parent}"), file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(record, allow_nan=False) + "\n")
