"""The interface of a logger."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from gan_cli.config.options import Group, Values
from gan_cli.errors import UserError
from gan_cli.runs.records import Record


class Logger(Protocol):
    """Made from its options before the run is built; then called with what the run folder holds, step by step.

    A resumed run sends everything again from its first step, so that a logger can restore what a kill has lost.
    """

    def open(self, folder: Path, config: Values) -> None:
        """The run begins, or is resumed.

        Args:
            config: nested plain values, the hyperparameters.

        Raises:
            UserError: if there is nothing to write to.
        """

    def record(self, record: Record) -> None:
        """A line of ``metrics.jsonl``; None is a value that was not finite. Steps never fall."""

    def picture(self, step: int, path: Path) -> None:
        """A sample grid."""

    def close(self, code: int) -> None:
        """The run is over, with this exit code."""


LOGGER = Group[Logger]("logger")


def require(package: str, logger: str) -> None:
    """Raises UserError unless the package is installed; does not import it."""
    if find_spec(package) is None:
        raise UserError(f"logger={logger}: needs the package {package}: pip install 'gan-cli[{logger}]'")


def finite(value: float | None) -> float:
    return float("nan") if value is None else value
