"""What is done about trouble: the options of ``guard=…``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gan_cli.config.options import Group


@dataclass(frozen=True, kw_only=True)
class Warn:
    """It is said, and training goes on. The base of all guards.

    Attributes:
        stops: whether the run ends where there is nothing else left to do.
        attempts: how often it may go back to the last good checkpoint instead.
    """

    stops: ClassVar[bool] = False
    attempts = 0

    spread: float
    duplicates: float
    modes: float
    certain: int
    far: float


class Stop(Warn):
    """The run ends, with exit code 3."""

    stops = True


@dataclass(frozen=True, kw_only=True)
class Rollback(Stop):
    """The run goes back to the last good checkpoint, and on with other draws and perhaps slower; at last it ends."""

    attempts: int
    rate: float


GUARD = Group[Warn]("guard")
