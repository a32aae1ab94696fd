"""Durations and sizes for people. Torch-free."""

from __future__ import annotations


def in_words(seconds: float) -> str:
    """``40 seconds``, ``4 minutes``, ``2.5 hours``, ``3 days``: two figures, as good as an estimate is."""
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if (number := seconds / length) >= 2:
            return f"{number:.1f} {unit}" if number < 10 else f"{number:,.0f} {unit}"
    return f"{max(1, seconds):.0f} second{'s' * (round(seconds) > 1)}"


def clock(seconds: float) -> str:
    """``1:23``, ``5h12m``, ``3d04h``."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24}d{hours % 24:02}h"
    return f"{hours}h{minute:02}m" if hours else f"{minute}:{second:02}"


def size(count: float) -> str:
    """Of so many bytes: ``820 KiB``, ``12 MiB``, ``2,300 MiB``, ``12 GiB``."""
    for unit, factor in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20)):
        if count >= 10 * factor or (unit == "MiB" and count >= factor):
            return f"{count / factor:,.0f} {unit}"
    return f"{count / 2**10:,.0f} KiB"
