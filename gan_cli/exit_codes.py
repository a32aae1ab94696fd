"""How a command ends that an error ends, and a run of a sweep: the exit code, and what is said."""

from __future__ import annotations

import signal

from gan_cli.config.hydra_errors import one_line
from gan_cli.errors import Diverged, Ended, Interrupted, ProcessFailed, UserError, config_errors, of_storage
from gan_cli.memory import shortage

FAULT, MISTAKE, DIVERGED = 1, 2, 3
INTERRUPTED = 128 + signal.SIGINT


def exit_code(error: BaseException) -> int:
    """That of a command, or of a run, which an error ends."""
    if isinstance(error, UserError):
        return MISTAKE
    if isinstance(error, Interrupted | Ended):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, Diverged):
        return DIVERGED
    if isinstance(error, ProcessFailed):
        return FAULT
    mistaken = isinstance(error, config_errors()) or shortage(error) is not None
    return MISTAKE if mistaken or of_storage(error) else FAULT


def lines_of_error(error: Exception) -> list[str]:
    """What a command says that an error ends: one line for each mistake; nothing where the run has said it."""
    if isinstance(error, UserError):
        return list(error.problems)
    if isinstance(error, Diverged):
        return [f"diverged: {error}"]
    if isinstance(error, Interrupted):
        return []
    if isinstance(error, ProcessFailed):
        return [str(error)]
    if (missing := shortage(error)) is not None:
        return [f"out of memory ({missing}): ask for less at a time, or use a larger machine"]
    if isinstance(error, config_errors()):
        return [one_line(error)]
    if stored := of_storage(error):
        return list(stored.problems)
    return [f"unexpected fault: {type(error).__name__}: {one_line(error)}"]
