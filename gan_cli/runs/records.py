"""The lines of a ``metrics.jsonl``, whatever has become of the file. Torch-free."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BACK = "rollback/attempt"  # in the line that says that the run went back


def record_of(line: bytes) -> dict[str, Any] | None:
    """A line's step and numbers; None if it is torn, or not a line of ours."""
    try:
        record = json.loads(line, parse_constant=lambda name: None)  # NaN, which we write as null
    except ValueError:
        return None
    if not isinstance(record, dict) or not isinstance(record.get("step"), int):
        return None
    return record if all(value is None or isinstance(value, int | float) for value in record.values()) else None


def records_in(file: Path) -> tuple[list[dict[str, Any]], int]:
    """The records of a file, in its order, and how many lines between them cannot be read.

    The last line may be torn: a kill leaves it so, and it is so while it is being written. It is not counted.
    """
    lines = [line for line in file.read_bytes().splitlines() if line.strip()] if file.is_file() else []
    records = [record_of(line) for line in lines]
    return [record for record in records if record is not None], records[:-1].count(None)
