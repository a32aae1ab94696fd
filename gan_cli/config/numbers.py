"""Numbers as they are typed."""

from __future__ import annotations

import math
import re

MOST = 10_000_000


def numbers(text: str) -> list[int]:
    """``"3,7,10-20"`` → [3, 7, 10, 11, …, 20].

    Raises:
        ValueError: if it is not numbers and ranges.
    """
    found: list[int] = []
    for part in text.strip().removeprefix("[").removesuffix("]").split(","):
        match = re.fullmatch(r"\s*(\d{1,18})\s*(?:-\s*(\d{1,18})\s*)?", part)
        if not match:
            raise ValueError("must be whole numbers and ranges, such as 0-63 or 3,7,10-20")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ValueError(f"the range {part.strip()} runs backwards: write {last}-{first}")
        if len(found) + last - first >= MOST:
            raise ValueError(f"are more than {MOST:,} numbers: take them in parts")
        found += range(first, last + 1)
    return found


def finite(text: str) -> float | None:
    """The number that a text says; None if it says none, or one that is not finite."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
