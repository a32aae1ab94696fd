"""How long a command may take. Torch-free."""

from __future__ import annotations

import time
from collections.abc import Callable

from gan_cli.config.durations import seconds_of

_began = time.monotonic()


def begin(at: float | None = None) -> None:
    """The command begins now, or began at that time in the process that started us, maybe on another machine."""
    global _began
    _began = time.monotonic() - (0.0 if at is None else time.time() - at)


def began() -> float:
    """When the command began, by the time of day."""
    return time.time() - (time.monotonic() - _began)


def is_up(limit: str | None) -> bool:
    """Whether a command has had all of its time."""
    return limit is not None and time.monotonic() - _began >= seconds_of(limit)


class TimeLimit:
    """Knows when the next step would no longer be made and saved in time.

    Args:
        limit: as it was typed.
        saving: the seconds that the last checkpoint took.
    """

    def __init__(self, limit: str, saving: Callable[[], float]) -> None:
        self.limit, self.saving = limit, saving
        self._until = _began + seconds_of(limit)
        self._longest, self._last = 0.0, time.monotonic()  # step, with all that is observed in it

    def is_near(self) -> bool:
        """To be asked after each step."""
        now = time.monotonic()
        self._longest, self._last = max(self._longest, now - self._last), now
        return now + self._longest + 2 * self.saving() >= self._until
