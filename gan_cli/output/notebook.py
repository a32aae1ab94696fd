"""What a notebook shows while something goes on. Imported only in one."""

from __future__ import annotations

import time
from typing import Any

from IPython.display import DisplayHandle
from rich.progress import Progress, TaskID

PAUSE = 0.5  # seconds between two drawings


class Bar(Progress):
    """A bar below the cell, where it stays; rich's own needs ipywidgets, and is gone when the file is opened again."""

    def start(self) -> None:
        self._place = DisplayHandle()
        self._place.display(self)
        self._drawn = time.monotonic()

    def stop(self) -> None:
        self._place.update(self)

    def update(self, task_id: TaskID, **how: Any) -> None:
        super().update(task_id, **how)
        self._draw()

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        super().advance(task_id, advance)
        self._draw()

    def _draw(self) -> None:
        if time.monotonic() - self._drawn > PAUSE:
            self._place.update(self)
            self._drawn = time.monotonic()
