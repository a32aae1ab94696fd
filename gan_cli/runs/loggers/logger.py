"""What every logger can do."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from gan_cli.errors import UserError


class Logger(Protocol):
    """Made from its options before anything of the run is; then told what the run folder holds, step by step.

    A resumed run tells everything again from its first step, so that a logger can fill in what a kill has cost it.
    """

    def open(self, folder: Path, config: dict[str, Any]) -> None:
        """The run begins or goes on.

        Args:
            config: nested plain values, the hyperparameters.

        Raises:
            UserError: if there is nothing to write to.
        """

    def record(self, record: dict[str, float | None]) -> None:
        """A line of ``metrics.jsonl``; None is a value that was not finite. Steps never fall."""

    def picture(self, step: int, path: Path) -> None:
        """A sample grid."""

    def close(self, code: int) -> None:
        """The run is over, with this exit code."""


def require(package: str, logger: str) -> None:
    """Raises UserError unless the package is installed; does not import it."""
    if find_spec(package) is None:
        raise UserError(f"logger={logger}: needs the package {package}: pip install 'gan-cli[{logger}]'")


def finite(value: float | None) -> float:
    return float("nan") if value is None else value
