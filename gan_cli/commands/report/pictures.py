"""The pictures of runs, small, for the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

from gan_cli.commands.report.facts import chosen
from gan_cli.commands.report.reading import PICTURE, file_in, note
from gan_cli.commands.report.run_record import RunRecord
from gan_cli.output.png import read_png
from gan_cli.runs.names import REAL

BUDGET = 9_000_000  # bytes of all sample grids in a file together
STEPS = (1, 12)  # sample grids of a run, at least and at most
SIDES = {4: 800, 24: 480, 10**9: 240}  # pixels of a picture's longer side, of at most so many runs


def webp(path: Path, side: int) -> bytes:
    """A picture, at most ``side`` pixels long; empty if it cannot be read."""
    try:
        small = read_png(path, PICTURE).convert("RGB")
    except (OSError, ValueError):
        return b""
    small.thumbnail((side, side))
    file = io.BytesIO()
    small.save(file, "WEBP", quality=70, method=2)
    return file.getvalue()


def data_url(content: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(content).decode()


def real_of(run: RunRecord) -> Path | None:
    """The picture of training samples."""
    return file_in(run.folder, "samples", REAL)


class Embedded:
    """Pictures in the page itself, as many as fit."""

    def __init__(self, runs: Sequence[RunRecord]) -> None:
        self.side = next(side for most, side in SIDES.items() if len(runs) <= most)
        last = next((run.grids[max(run.grids)] for run in runs if run.grids), None)
        size = max(1, len(data_url(webp(last, self.side)))) if last else 1
        self.steps = min(STEPS[1], max(STEPS[0], BUDGET // (size * max(1, len(runs)))))

    def grids(self, run: RunRecord) -> dict[int, str]:
        """As the page needs them; reports those that cannot be read."""
        found = {step: webp(run.grids[step], self.side) for step in chosen(sorted(run.grids), self.steps)}
        for step in [step for step, small in found.items() if not small]:
            note(f"{run.grids[step]}: cannot be read: left out")
        return {step: data_url(small) for step, small in found.items() if small}

    def real(self, run: RunRecord) -> str | None:
        path = real_of(run)
        small = webp(path, self.side) if path else b""
        if path and not small:
            note(f"{path}: cannot be read: left out")
        return data_url(small) if small else None
