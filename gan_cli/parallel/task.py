"""What the processes of a run tell each other, as JSON. Torch-free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from typing_extensions import NotRequired


class PrunerOptions(TypedDict):
    rule: str
    startup: int


class Task(TypedDict):
    """What to train.

    ``logging`` is the configuration of the first process's logging, if another process started it.
    """

    config: dict[str, Any]  # as in a checkpoint
    config_dirs: list[str]
    folder: str
    checkpoint: str | None
    over: bool  # as of a Resumption
    began: float  # when the command did, by the time of day
    live: bool
    pruner: PrunerOptions | None
    logging: NotRequired[dict[str, Any]]
    lock: NotRequired[int | None]  # the open file of the run folder's lock, which the first process takes part in


class Report(TypedDict, total=False):
    """How a process ended: with a value, or with one of the errors of ``gan_cli.errors``, as plain values."""

    value: float | None
    problems: list[str]
    diverged: str
    signal: int
    time_limit: str
    fault: str
    trace: str
