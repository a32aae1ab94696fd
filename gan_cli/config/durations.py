"""Lengths of time as people type them."""

from __future__ import annotations

import re

UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
NUMBER = r"\d+(?:\.\d+)?"
PATTERN = re.compile("".join(f"(?:({NUMBER}){unit})?" for unit in UNITS))


def seconds_of(text: str) -> float:
    """``7h30m``, ``90m``, ``1.5h``, ``2d``, or seconds as a number.

    Raises:
        ValueError: if it is neither, or nothing.
    """
    if re.fullmatch(NUMBER, text):
        seconds = float(text)
    elif found := PATTERN.fullmatch(text):
        seconds = sum(float(n or 0) * unit for n, unit in zip(found.groups(), UNITS.values(), strict=True))
    else:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError("must be a length of time, such as 7h30m, 90m or seconds as a number")
    return seconds


def duration(text: str) -> str:
    """The text, if it is a length of time."""
    seconds_of(text)
    return text
