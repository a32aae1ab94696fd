"""Passes the content of the run folder to the config's loggers: as it is written, and from the start after a resume."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from types import TracebackType

from gan_cli.config.schema import Config
from gan_cli.errors import UserError, reason_of
from gan_cli.exit_codes import exit_code
from gan_cli.games.game import Statistics
from gan_cli.runs.folder import RunFolder
from gan_cli.runs.loggers.logger import Logger
from gan_cli.runs.names import GRID, numbered
from gan_cli.runs.records import Record, record_of, step_in

log = logging.getLogger(__name__)


class Loggers:
    """Reads new lines of ``metrics.jsonl`` and new pictures in ``samples/`` when they are due.

    The loggers get what is in the files, so a resumed run passes on exactly its own history. A context manager around
    the run.

    Args:
        at: the present step of the run; a kill may have left pictures of later steps.
        not_counted: a context whose time does not count as training time.
    """

    def __init__(
        self,
        loggers: Sequence[Logger],
        folder: RunFolder,
        config: Config,
        *,
        at: Callable[[], int],
        not_counted: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.loggers, self.folder, self.config = loggers, folder, config
        self.at, self.not_counted = at, not_counted
        self.intervals = (config.log_every, config.sample_every, config.evaluate_every)
        self._read = 0  # bytes of metrics.jsonl
        self._newest = -1  # step of the newest picture told of

    def __enter__(self) -> Loggers:
        with self.not_counted():
            self._each(lambda logger: logger.open(self.folder.path, self.config.saved()))
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.loggers:
            self.tell()
        self._each(lambda logger: logger.close(exit_code(error) if error else 0))

    def __call__(self, step: int, statistics: Sequence[Statistics]) -> None:
        """Called after the observers that write."""
        if self.loggers and any(every and step % every == 0 for every in self.intervals):
            with self.not_counted():
                self.tell()

    def tell(self) -> None:
        """Passes on what is new, in the order of steps, because some loggers cannot go back."""
        grids, now = numbered(self.folder.samples, GRID), self.at()
        pictures = [(step, path) for step, path in grids.items() if self._newest < step <= now]
        for record in self._records():
            while pictures and pictures[0][0] < step_in(record):
                self._picture(*pictures.pop(0))
            self._each(partial(_record, record))
        for step, path in pictures:
            self._picture(step, path)

    def _records(self) -> list[Record]:
        if not self.folder.metrics.exists():
            return []
        with self.folder.metrics.open("rb") as file:
            file.seek(self._read)
            lines = file.read()
        self._read += len(lines)
        return [record for line in lines.splitlines() if (record := record_of(line)) is not None]

    def _picture(self, step: int, path: Path) -> None:
        self._newest = step
        self._each(lambda logger: logger.picture(step, path))

    def _each(self, action: Callable[[Logger], None]) -> None:
        """For every logger; one that fails is left out, as the folder holds what it would have been told.

        Raises:
            UserError: by a logger that has nothing to write to, as the run begins.
        """
        for logger in self.loggers:
            try:
                action(logger)
            except UserError:
                raise
            except Exception as error:
                name = type(logger).__name__
                what = reason_of(error) if isinstance(error, OSError) else f"{type(error).__name__}: {reason_of(error)}"
                log.warning("%s cannot go on (%s): it is told everything again by resume=", name, what)
                self.loggers = [other for other in self.loggers if other is not logger]


def _record(record: Record, logger: Logger) -> None:
    logger.record(record)
