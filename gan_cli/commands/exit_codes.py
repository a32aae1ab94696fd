"""The exit codes of the commands, and of the runs of a sweep."""

from __future__ import annotations

import signal

from gan_cli.errors import Diverged, Ended, Interrupted, ProcessFailed, UserError, config_errors, of_storage
from gan_cli.memory import shortage

FAULT, MISTAKE, DIVERGED = 1, 2, 3


def exit_code(error: BaseException) -> int:
    """That of a command, or of a run, which an error ends."""
    if isinstance(error, Interrupted | Ended):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT
    if isinstance(error, Diverged):
        return DIVERGED
    if isinstance(error, ProcessFailed):
        return FAULT
    mistaken = isinstance(error, (UserError, *config_errors())) or shortage(error) is not None
    return MISTAKE if mistaken or of_storage(error) else FAULT
